"""A second forward pass that is the first one again: random numbers, precision, buffers.

What the second pass does to buffers is forgotten, and the weights may be stood in for.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from selfsight.randomness import own_randomness

Copies = dict[str, Tensor | None]
Buffers = list[tuple[Copies, Copies | None]]  # a module's, and copies


def learning(network: nn.Module) -> list[nn.Parameter]:
    """Return the weights that are trained."""
    return [weight for weight in network.parameters() if weight.requires_grad]


def as_now(copies: Buffers, device: torch.device) -> Callable[[], AbstractContextManager[None]]:
    """Return a context in which a network computes as it would now, and leaves no trace.

    copies: of its buffers, as they are now.
    """
    kind = device.type
    autocast = partial(
        torch.autocast,
        kind,
        dtype=torch.get_autocast_dtype(kind),
        enabled=torch.is_autocast_enabled(kind),
        cache_enabled=False,
    )
    state = torch.get_rng_state()
    own = None if kind == "cpu" else torch.get_device_module(device).get_rng_state(device)

    @contextmanager
    def again() -> Iterator[None]:
        with own_randomness(device), autocast(), _with_buffers(copies):
            torch.set_rng_state(state)
            if own is not None:
                torch.get_device_module(device).set_rng_state(own, device)
            yield

    return again


def copied_buffers(network: nn.Module, *, before: Buffers) -> Buffers:
    """Return the buffers and copies; of batch norms none, which while training read no buffer.

    before: those of the chunk before, or none. What has not changed since is not copied again.
    """
    held = [part for part in network.modules() if part._buffers]
    earlier = [copies or {} for _, copies in before]
    if len(earlier) != len(held):  # the first chunk, or a network that has got its first buffer
        earlier = [{} for _ in held]
    return [
        (part._buffers, None if isinstance(part, _BatchNorm) else _copies(part._buffers, copies))
        for part, copies in zip(held, earlier, strict=True)
    ]


def _copies(buffers: Copies, earlier: Copies) -> Copies:
    return {name: _copy(own, earlier.get(name)) for name, own in buffers.items()}


def _copy(own: Tensor | None, earlier: Tensor | None) -> Tensor | None:
    if own is None or earlier is None or own.shape != earlier.shape or not own.equal(earlier):
        return None if own is None else own.clone()
    return earlier


def _with_buffers(buffers: Buffers) -> AbstractContextManager[None]:
    """Compute with the copies: the second pass sees what the first saw, and leaves no trace."""
    return _holding(
        [(held, _copies(held, {}) if copies is None else copies) for held, copies in buffers]
    )


def with_weights(network: nn.Module, instead: list[Tensor]) -> AbstractContextManager[None]:
    """Compute with other tensors in place of the weights that are trained, given in their order."""
    other = dict(zip(map(id, learning(network)), instead, strict=True))
    held = [part._parameters for part in network.modules()]
    return _holding(
        [
            (own, {name: other.get(id(weight), weight) for name, weight in own.items()})
            for own in held
        ]
    )


@contextmanager
def _holding(exchanged: list[tuple[dict[str, Any], dict[str, Any]]]) -> Iterator[None]:
    """Let modules hold other tensors within the block; each gets its own back."""
    own = [dict(held) for held, _ in exchanged]
    for held, instead in exchanged:
        held.update(instead)
    try:
        yield
    finally:
        for (held, _), before in zip(exchanged, own, strict=True):
            held.update(before)
