"""Where a vision transformer attends: attention rollout, and the last block head by head.

Rollout, Abnar & Zuidema, ACL 2020 (arXiv 2005.00928), equation 1: the mean over heads of each
block's attention, mixed half and half with the identity for the residual path, multiplied from the
first block to the last. The heads of the last block are those of DINO's figures (Caron et al.,
2021, arXiv 2104.14294). The row read is that of what the encoder pools: the class token, or the
mean over all patches.

Neither depends on the target: attention shows what was looked at, not what it was used for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.errors import UserError
from selfsight.explaining.maps import LOOKED_AT, Images, Maps, pieces
from selfsight.explaining.places import grid, pools_class_token, prefix_tokens
from selfsight.explaining.targets import Target
from selfsight.nets.encoder import Encoder, evaluating

POOLS = ("token", "avg")
Attentions = list[Float[Tensor, "batch heads tokens tokens"]]


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention rollout; its extra "heads" has the last block's heads, one number a patch."""

    def __call__(self, encoder: Encoder, images: Images, target: Target) -> Maps:  # noqa: ARG002
        """Return the maps, enlarged without smoothing. Raises UserError where nothing attends."""
        flows, heads = [], []
        for part in pieces(len(images), images, pixels=LOOKED_AT):
            found = attentions(encoder, images[part.start : part.stop])
            flows.append(pooled(encoder, rollout(found)))
            heads.append(pooled(encoder, found[-1]))
        rows, columns = grid(encoder, flows[0].shape[-1], images)
        flow = torch.cat(flows).reshape(-1, 1, rows, columns)
        return Maps(
            F.interpolate(flow, images.shape[2:], mode="nearest")[:, 0],
            signed=False,
            extras={"heads": torch.cat(heads).reshape(len(images), -1, rows, columns)},
        )


def attentions(encoder: Encoder, images: Images) -> Attentions:
    """Return the attention of every block, first block first; rows sum to 1.

    Raises UserError for a network without attention between all its tokens in each of its blocks,
    and for one that pools them neither by its class token nor by their mean.
    """
    layers = [
        part
        for part in encoder.network.modules()
        if hasattr(part, "fused_attn") and isinstance(getattr(part, "attn_drop", None), nn.Module)
    ]
    found: Attentions = []
    with evaluating(encoder), torch.no_grad(), _unfused(layers, found):
        encoder(images)
    patches = found[0].shape[-1] - prefix_tokens(encoder) if found else 0
    whole = {(len(images), patches + prefix_tokens(encoder))}
    blocks = len(getattr(encoder.network, "blocks", ()))
    pools = getattr(encoder.network, "global_pool", "") in POOLS
    attended = {(len(each), each.shape[-1]) for each in found}
    if not pools or len(found) != blocks or attended != whole:
        raise UserError(
            f"encoder {encoder.name!r} is no plain vision transformer, so it has no attention "
            "maps; leave attention out of --maps"
        )
    return found


def rollout(attended: Attentions) -> Float[Tensor, "batch tokens tokens"]:
    """Return how much of every token's input has flowed into every token, through all blocks."""
    flow: Float[Tensor, "batch tokens tokens"] | None = None
    for each in attended:
        mean = each.mean(1)
        mixed = (mean + torch.eye(mean.shape[-1]).to(mean)) / 2
        mixed = mixed / mixed.sum(-1, keepdim=True)
        flow = mixed if flow is None else mixed @ flow
    assert flow is not None
    return flow


def pooled(
    encoder: Encoder, matrix: Float[Tensor, "*many tokens tokens"]
) -> Float[Tensor, "*many patches"]:
    """Return what the encoder's output draws from each patch: the class token's row, or a mean."""
    first = prefix_tokens(encoder)
    row = matrix[..., 0, :] if pools_class_token(encoder) else matrix[..., first:, :].mean(-2)
    return row[..., first:]


@contextmanager
def _unfused(layers: list[nn.Module], found: Attentions) -> Iterator[None]:
    """Make attention layers compute their matrices openly for the block, and keep these."""
    fused = [bool(layer.fused_attn) for layer in layers]
    drops: list[nn.Module] = [layer.attn_drop for layer in layers]  # type: ignore[misc]
    handles = [
        drop.register_forward_hook(lambda _module, _inputs, output: found.append(output))
        for drop in drops
    ]
    for layer in layers:
        layer.fused_attn = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for layer, was in zip(layers, fused, strict=True):
            layer.fused_attn = was  # type: ignore[assignment]
        for handle in handles:
            handle.remove()
