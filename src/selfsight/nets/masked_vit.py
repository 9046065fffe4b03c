"""The parts of a masked autoencoder: patches, their order, an encoder of some, a decoder of all.

He et al. 2022 (arXiv 2111.06377), sections 3 and A.1. Patches are counted row by row. A random
order of an image's patches says everything: its first ones are visible, the others masked.
"""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from selfsight.errors import UserError
from selfsight.nets.encoder import Encoder


def patchify(
    images: Float[Tensor, "batch channels side side"], *, patch_size: int
) -> Float[Tensor, "batch patches values"]:
    """Return the patches, row by row; the values of one in the order row, column, channel."""
    batch, channels, side = images.shape[:3]
    across = side // patch_size
    assert across * patch_size == side, f"patches of {patch_size} px do not fit {side} px"
    tiles = images.reshape(batch, channels, across, patch_size, across, patch_size)
    return tiles.permute(0, 2, 4, 3, 5, 1).reshape(batch, across**2, -1)


def random_order(batch: int, patches: int, *, device: torch.device) -> Int[Tensor, "batch patches"]:
    """Return a random permutation of the patches for each image."""
    return torch.rand(batch, patches, device=device).argsort(1)


def masked(order: Int[Tensor, "batch patches"], *, visible: int) -> Bool[Tensor, "batch patches"]:
    """Return which patches, in their places, are not among the first `visible` of the order."""
    return order.argsort(1) >= visible


def positions(across: int, dim: int) -> Float[Tensor, "patches dim"]:
    """Return fixed sine-cosine embeddings of across x across places, one row a patch.

    The first half of the numbers is about the column, the second about the row; in each half sines
    of dim / 4 frequencies, 1 down to nearly 1 / 10000 radians a place, stand before the cosines.
    """
    assert dim % 4 == 0, f"{dim} does not divide by 4"
    frequency = 10000 ** -(torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
    angles = torch.arange(across, dtype=torch.float64)[:, None] * frequency
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns, rows = line.repeat(across, 1), line.repeat_interleave(across, dim=0)
    return torch.cat([columns, rows], dim=1).float()


def fix_positions(encoder: Encoder, *, method: str) -> tuple[int, int]:
    """Give the encoder fixed sine-cosine positions; return its patch's side in px and its width.

    Raises UserError for an encoder that is not a plain vision transformer with a class token.
    """
    from timm.models.vision_transformer import VisionTransformer

    network = encoder.network
    places = getattr(network, "pos_embed", None)
    plain = isinstance(network, VisionTransformer) and network.num_prefix_tokens == 1
    if not plain or places is None or places.shape[1] != network.patch_embed.num_patches + 1:
        raise UserError(
            f"{method} hides patches, and encoder {encoder.name!r} is no plain vision transformer; "
            "use vit_tiny, vit_small or vit_base"
        )
    across = math.isqrt(network.patch_embed.num_patches)
    with torch.no_grad():  # the class token has position 0
        places[0, :1] = 0
        places[0, 1:] = positions(across, network.embed_dim)
    places.requires_grad_(requires_grad=False)
    return encoder.image_size // across, int(network.embed_dim)


def encode_visible(
    encoder: Encoder,
    images: Float[Tensor, "batch channels side side"],
    chosen: Int[Tensor, "batch visible"],
) -> Float[Tensor, "batch one_more dim"]:
    """Return the class token and the tokens of the chosen patches, which see nothing else."""
    network: Any = encoder.network
    tokens = network.patch_embed(encoder.normalise(images)) + network.pos_embed[:, 1:]
    tokens = tokens.gather(1, chosen[:, :, None].expand(-1, -1, tokens.shape[2]))
    first = (network.cls_token + network.pos_embed[:, :1]).expand(len(tokens), -1, -1)
    tokens = network.norm_pre(torch.cat([first, tokens], dim=1))
    encoded: Tensor = network.norm(network.blocks(tokens))
    return encoded


class PatchDecoder(nn.Module):
    """A small transformer that draws all patches from the visible ones' tokens."""

    places: Tensor

    def __init__(
        self, features: int, *, patches: int, values: int, width: int, depth: int, heads: int
    ) -> None:
        super().__init__()
        self.narrow = nn.Linear(features, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.normal_(self.mask_token, std=0.02)
        fixed = torch.cat([torch.zeros(1, width), positions(math.isqrt(patches), width)])
        self.register_buffer("places", fixed, persistent=False)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                heads,
                dim_feedforward=4 * width,
                dropout=0.0,
                activation="gelu",
                layer_norm_eps=1e-6,
                batch_first=True,
                norm_first=True,
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.draw = nn.Linear(width, values)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.xavier_uniform_(part.weight)
                nn.init.zeros_(part.bias)
        nn.init.normal_(self.draw.weight, std=0.02)  # the first picture is nearly 0 everywhere

    def forward(
        self, tokens: Float[Tensor, "batch one_more dim"], order: Int[Tensor, "batch patches"]
    ) -> Float[Tensor, "batch patches values"]:
        """Return all patches in their places; `tokens` are the class token and the first ones."""
        narrow = self.narrow(tokens)
        whole = unshuffle(narrow[:, 1:], self.mask_token.to(narrow), order)
        whole = torch.cat([narrow[:, :1], whole], dim=1) + self.places
        for block in self.blocks:
            whole = block(whole)
        drawn: Tensor = self.draw(self.norm(whole[:, 1:]))
        return drawn


def unshuffle(
    tokens: Float[Tensor, "batch visible dim"],
    mask_token: Float[Tensor, "1 1 dim"],
    order: Int[Tensor, "batch patches"],
) -> Float[Tensor, "batch patches dim"]:
    """Return the tokens in the places that the order took them from, the mask token elsewhere."""
    batch, visible, dim = tokens.shape
    rest = mask_token.expand(batch, order.shape[1] - visible, dim)
    places = order.argsort(1)[:, :, None].expand(-1, -1, dim)
    return torch.cat([tokens, rest], dim=1).gather(1, places)
