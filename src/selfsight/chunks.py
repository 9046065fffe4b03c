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

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from selfsight.errors import UserError
from selfsight.gather import world_size
from selfsight.method import Images, Method, Views
from selfsight.nets.encoder import Encoder
from selfsight.settings import Settings
from selfsight.views.joined import rooms

Buffers = list[tuple[dict[str, Tensor | None], dict[str, Tensor | None]]]  # a module's, and copies


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
    compute = _computed_twice if torch.is_grad_enabled() else type(encoder).forward
    return torch.cat([compute(encoder, part) for part in torch.split(images, chunk)])


def _computed_twice(
    encoder: Encoder, images: Float[Tensor, "chunk channels side side"]
) -> Float[Tensor, "chunk dim"]:
    before = _copied_buffers(encoder)
    features: Tensor = checkpoint(
        type(encoder).forward,
        encoder,
        images,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _with_buffers(before)),
    )
    return features


def _copied_buffers(encoder: Encoder) -> Buffers:
    return [
        (part._buffers, {name: None if own is None else own.clone() for name, own in found.items()})
        for part in encoder.modules()
        if (found := part._buffers)
    ]


@contextmanager
def _with_buffers(buffers: Buffers) -> Iterator[None]:
    """Compute with the copies: the second pass sees what the first saw, and leaves no trace."""
    own = [dict(held) for held, _ in buffers]
    for held, copies in buffers:
        held.update(copies)
    try:
        yield
    finally:
        for (held, _), before in zip(buffers, own, strict=True):
            held.update(before)
