"""Gradient caching: a large batch whose images are compared, with the memory of a small one.

Gao, Zhang, Han, Callan: Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup,
RepL4NLP 2021 (arXiv 2101.06983), section 3.

The loss L depends on the weights w of the encoder f only through the features h_i = f(x_i), so

    dL/dw = sum over i of (dL/dh_i) (dh_i/dw),

a sum over images once all dL/dh_i are known. The features are therefore computed chunk by chunk
without keeping what lies between, heads and loss see the whole batch, and on the way back each
chunk is computed a second time, with the same random numbers, to be differentiated. What a chunk
does to buffers (batch norm's running statistics) counts once. Views are drawn with their chunk, in
either pass (`deferred.py`): of the whole batch there are pixels, features and what heads make of
them.

This is the gradient of the whole batch for every network that treats each image alone. Batch norm
in the encoder does not: it normalises the rows of a chunk among one another, as if the network had
been given the chunk alone ("ghost" batch norm), in both passes, and the gradient is exact for that.
The statistics of the whole batch would take a pass over all chunks for every batch norm layer. In
heads, which see all rows at once, batch norm is that of the whole batch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from selfsight.deferred import Deferred, Drawing, drawn
from selfsight.errors import UserError
from selfsight.gather import world_size
from selfsight.method import Images, Method, Views
from selfsight.nets.encoder import Encoder
from selfsight.recomputation import Buffers, as_now, copied_buffers, learning, with_weights
from selfsight.settings import Settings


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


def views_in_chunks(draw: Callable[[Images], Views], images: Images, chunk: int | None) -> Views:
    """Return the views that `draw` gives of a batch; in chunks each time that they are needed."""
    return draw(images) if chunk is None else Drawing(draw, images, chunk=chunk).views()


def _encoders(method: Method) -> list[Encoder]:
    return [part for part in method.modules() if isinstance(part, Encoder)]


def _features(
    encoder: Encoder, images: Float[Tensor, "batch channels side side"], *, chunk: int
) -> Float[Tensor, "batch dim"]:
    """Return the encoder's features, of which nothing but themselves is kept."""
    features: Tensor = _Chunked.apply(encoder, chunk, images, *learning(encoder))
    return features


class _Chunked(torch.autograd.Function):
    """The encoder's features; no graph of a chunk outlives it, for what is small pins the heap."""

    @staticmethod
    def forward(ctx: Any, encoder: Encoder, chunk: int, images: Tensor, *weights: Tensor) -> Tensor:
        ctx.encoder, ctx.again = encoder, []
        ctx.save_for_backward(images, *weights)
        features: list[Tensor] = []  # one room for all, once their kind is known
        copies: Buffers = []
        for rows in _parts(images, chunk):
            copies = copied_buffers(encoder, before=copies)
            ctx.again.append((rows, as_now(copies, images.device)))
            part = type(encoder).forward(encoder, drawn(images[rows]))
            if not features:
                features.append(part.new_empty(len(images), *part.shape[1:]))
            features[0][rows] = part
        return features[0]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        images, *weights = ctx.saved_tensors
        # What adds up at the weights themselves would be taken for their gradient by those who
        # wait for one, as several processes do: these share memory with them. Sums have memory of
        # their own from the start: two weights may be handed one gradient.
        leaves = [weight.detach().requires_grad_() for weight in weights]
        reached: set[int] = set()  # a weight may be passed by, as stochastic depth does
        for leaf in leaves:
            leaf.grad = torch.zeros_like(leaf)
            leaf.register_post_accumulate_grad_hook(lambda leaf: reached.add(id(leaf)))
        of_images = torch.empty_like(images) if ctx.needs_input_grad[2] else None
        for rows, again in ctx.again:
            part = drawn(images[rows]).detach().requires_grad_(of_images is not None)
            with again(), with_weights(ctx.encoder, leaves), torch.enable_grad():
                features = type(ctx.encoder).forward(ctx.encoder, part)
            asked = leaves if of_images is None else [*leaves, part]
            torch.autograd.backward(features, grad[rows], inputs=asked)
            if of_images is not None:
                of_images[rows] = part.grad if part.grad is not None else 0
        sums = (leaf.grad if id(leaf) in reached else None for leaf in leaves)
        return None, None, of_images, *sums


def _parts(images: Tensor, chunk: int) -> list[slice]:
    """Return the rows of each chunk, in the order in which they are computed.

    Chunks of the same images follow one another, so that joined views are drawn once a pass.
    """
    starts = list(range(0, len(images), chunk))
    if isinstance(images, Deferred):
        starts.sort(key=images.image_at)
    return [slice(start, start + chunk) for start in starts]
