"""Gradient caching: a large batch whose images are compared, with the memory of a small one.

Gao, Zhang, Han, Callan: Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup,
RepL4NLP 2021 (arXiv 2101.06983), section 3.

The loss L depends on the weights w of the encoder f only through the features h_i = f(x_i), so

    dL/dw = sum over i of (dL/dh_i) (dh_i/dw),

a sum over images once all dL/dh_i are known. The features are therefore computed chunk by chunk
without keeping what lies between, heads and loss see the whole batch, and on the way back each
chunk is computed a second time, with the same random numbers, to be differentiated. What a chunk
does to buffers (batch norm's running statistics) counts once.

This is the gradient of the whole batch for every network that treats each image alone. Batch norm
in the encoder does not: it normalises the rows of a chunk among one another, as if the network had
been given the chunk alone ("ghost" batch norm), in both passes, and the gradient is exact for that.
The statistics of the whole batch would take a pass over all chunks for every batch norm layer. In
heads, which see all rows at once, batch norm is that of the whole batch.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from selfsight.errors import UserError
from selfsight.gather import world_size
from selfsight.joined import rooms
from selfsight.method import Images, Method, Views
from selfsight.nets.encoder import Encoder
from selfsight.randomness import own_randomness
from selfsight.settings import Settings

Copies = dict[str, Tensor | None]
Buffers = list[tuple[Copies, Copies | None]]  # a module's, and copies


def demand_chunk(kind: type[Method], settings: Settings) -> None:
    """Raise UserError for a chunk that would change nothing, or that does not divide the batch."""
    chunk, batch = settings.chunk, settings.batch // world_size()
    if chunk is None:
        return
    if not kind.compares_images:
        raise UserError(
            f"chunk is {chunk}, but the loss of {settings.method} treats each image alone: give "
            "--accumulate instead, which has a large batch's gradient for less work"
        )
    if batch % chunk or chunk >= batch:
        raise UserError(
            f"chunk is {chunk}; it must divide the {batch} images that a process has in a step, "
            "into 2 chunks or more"
        )


def demand_groups(method: Method, settings: Settings) -> None:
    """Raise UserError for a chunk that the method cannot cut into its groups."""
    if settings.chunk is not None and settings.chunk % method.groups:
        raise UserError(
            f"chunk is {settings.chunk}; {settings.method} cuts it into {method.groups} equal "
            f"groups, so it must be a multiple of {method.groups}"
        )


def chunk_lines(method: Method, settings: Settings) -> list[str]:
    """Return what a user must know about a training in chunks: a line, or none."""
    if settings.chunk is None:
        return []
    batch_norm = any(
        isinstance(part, _BatchNorm) for encoder in _encoders(method) for part in encoder.modules()
    )
    what = (
        f"the encoder's batch norm normalises so many views at a time, not {settings.batch}; an "
        "encoder without batch norm (vit_tiny) has the whole batch's gradient"
        if batch_norm
        else f"the gradient is that of the whole batch of {settings.batch}"
    )
    return [f"chunk = {settings.chunk}: {what}"]


@contextmanager
def in_chunks(method: Method, chunk: int | None) -> Iterator[None]:
    """Let the method's encoders compute `chunk` rows at a time within the block, slow ones too.

    Both the forward and the backward pass belong into the block. None changes nothing.
    """
    if chunk is None:
        yield
        return
    encoders = _encoders(method)
    for encoder in encoders:
        encoder.forward = partial(_features, encoder, chunk=chunk)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for encoder in encoders:
            del encoder.forward


def views_in_chunks(method: Method, images: Images, chunk: int | None) -> Views:
    """Return the views of a batch, drawn `chunk` images at a time: what lies between is large."""
    if chunk is None:
        return method.views(images)
    whole: Views = []
    for start in range(0, len(images), chunk):
        part = method.views(images[start : start + chunk])
        whole = whole or rooms(part, rows=len(images))
        for all_rows, view in zip(whole, part, strict=True):
            all_rows[start : start + chunk] = view
    return whole


def _encoders(method: Method) -> list[Encoder]:
    return [part for part in method.modules() if isinstance(part, Encoder)]


def _features(
    encoder: Encoder, images: Float[Tensor, "batch channels side side"], *, chunk: int
) -> Float[Tensor, "batch dim"]:
    """Return the encoder's features, of which nothing but themselves is kept."""
    weights = [weight for weight in encoder.parameters() if weight.requires_grad]
    features: Tensor = _Chunked.apply(encoder, chunk, images, *weights)
    return features


class _Chunked(torch.autograd.Function):
    """The encoder's features; no graph of a chunk outlives it, for what is small pins the heap."""

    @staticmethod
    def forward(ctx: Any, encoder: Encoder, chunk: int, images: Tensor, *weights: Tensor) -> Tensor:
        ctx.encoder, ctx.chunk, ctx.again = encoder, chunk, []
        ctx.save_for_backward(images, *weights)
        features: list[Tensor] = []  # one room for all, once their kind is known
        copies: Buffers = []
        for start in range(0, len(images), chunk):
            copies = _copied_buffers(encoder, before=copies)
            ctx.again.append(_as_now(copies, images.device))
            part = type(encoder).forward(encoder, images[start : start + chunk])
            if not features:
                features.append(part.new_empty(len(images), *part.shape[1:]))
            features[0][start : start + chunk] = part
        return features[0]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        images, *weights = ctx.saved_tensors
        sums: list[Tensor | None] = [None] * len(weights)
        of_images = torch.empty_like(images) if ctx.needs_input_grad[2] else None
        for number, again in enumerate(ctx.again):
            rows = slice(number * ctx.chunk, (number + 1) * ctx.chunk)
            part = images[rows].detach().requires_grad_(of_images is not None)
            with again(), torch.enable_grad():
                features = type(ctx.encoder).forward(ctx.encoder, part)
            asked = [*weights, *([part] if of_images is not None else [])]
            found = list(torch.autograd.grad(features, asked, grad[rows], allow_unused=True))
            if of_images is not None:
                of_images[rows] = found.pop()
            for place, gradient in enumerate(found):
                if gradient is not None:  # a chunk may pass a weight by, as stochastic depth does
                    before = sums[place]  # not added to in place: two weights may share a gradient
                    sums[place] = gradient if before is None else before + gradient
        return None, None, of_images, *sums


def _as_now(copies: Buffers, device: torch.device) -> Callable[[], AbstractContextManager[None]]:
    """Return a context in which the encoder computes as it would now, and leaves no trace.

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


def _copied_buffers(encoder: Encoder, *, before: Buffers) -> Buffers:
    """Return the buffers and copies; of batch norms none, which while training read no buffer.

    before: those of the chunk before, or none. What has not changed since is not copied again.
    """
    held = [part for part in encoder.modules() if part._buffers]
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


@contextmanager
def _with_buffers(buffers: Buffers) -> Iterator[None]:
    """Compute with the copies: the second pass sees what the first saw, and leaves no trace."""
    own = [dict(held) for held, _ in buffers]
    for held, copies in buffers:
        held.update(_copies(held, {}) if copies is None else copies)
    try:
        yield
    finally:
        for (held, _), before in zip(buffers, own, strict=True):
            held.update(before)
