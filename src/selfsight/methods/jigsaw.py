"""Jigsaw: nine tiles of an image are shuffled; say in which of P known ways.

Noroozi, Favaro: Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles,
ECCV 2016 (arXiv 1603.09246).

The encoder sees each tile alone (`nets.sizes` enlarges them for a network of one fixed size), so
that its features can be shuffled instead of the tiles: several shuffles of an image cost one. All
tiles of a step are one batch for it.
"""

from dataclasses import replace
from functools import cache
from itertools import chain, permutations
from math import factorial, log
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.errors import UserError
from selfsight.gather import gather
from selfsight.method import Adjustment, Card, Method, Recipe, Situation, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.nets.sizes import SMALLEST, features_of, in_pixels
from selfsight.precision import full_precision
from selfsight.ranges import Count, Fraction, NonNegative, Several, Share, Whole
from selfsight.views.patches import cut_patches, mosaic, normalise_patches, random_tiles
from selfsight.views.presets import light, one_view

TILES = 9
CELL = 0.4  # side of a cell, share of the encoder's image side: 13 px of 32, so 39 px in all


@full_precision
def jigsaw_loss(
    logits: Float[Tensor, "puzzles permutations"], index: Int[Tensor, "puzzles"]
) -> Float[Tensor, ""]:
    """Return the cross entropy of the permutation's number; knowing nothing gives ln P."""
    return F.cross_entropy(logits, index)


@cache
def permutation_set(count: int, *, tiles: int = TILES, seed: int = 0) -> Int[Tensor, "count tiles"]:
    """Return `count` permutations, each as far from all earlier ones as any that is left.

    Far means the least Hamming distance to the chosen ones; equals are taken in the order of a
    shuffle by `seed`, so the set is the same everywhere. Treat it as read-only. Raises UserError
    unless 2 <= count <= tiles!.
    """
    if not 2 <= count <= factorial(tiles):
        raise UserError(f"permutations is {count}; use 2 to {factorial(tiles)}")
    candidates = _shuffled_permutations(tiles, seed=seed)
    nearest = torch.full_like(candidates[0], tiles + 1)
    chosen = []
    for _ in range(count):
        furthest = candidates[:, nearest.argmax()]  # the first of equals
        chosen.append(furthest)
        distance = (candidates != furthest[:, None]).sum(0, dtype=torch.uint8)
        nearest = torch.minimum(nearest, distance)
    return torch.stack(chosen).long()


class Jigsaw(Method):
    """Nine towers with the same weights, and a head that puts the pieces together."""

    card = Card(
        idea="An image is cut into nine tiles, which are shuffled in one of a few dozen ways. The "
        "network must say which. To put the tiles back it has to recognise parts and know where "
        "they belong.",
        paper="Noroozi, Favaro: Unsupervised Learning of Visual Representations by Solving Jigsaw "
        "Puzzles, ECCV 2016, arXiv 1603.09246",
        deviations="Any encoder instead of AlexNet; tiles always keep a gap; several shuffles of "
        "the same tiles in a step. The shift of colour channels is 1 px, for small images.",
        choices="Every tile is normalised by itself, as the paper says; the released code has "
        "that switched off, and one library leaves it out. Half of the images are grey (code 50 "
        "%, others 30 to 66 %); the code's colour projection of others is left out.",
        fails="Brightness, colour and lines that continue from tile to tile solve the puzzle "
        "without knowledge; each is blocked. Permutations that are too alike cannot be told "
        "apart, too many are too hard: then the loss stays at ln P.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)
    vectors_tell = False
    permutations: Tensor

    def __init__(
        self,
        encoder: Encoder,
        *,
        permutations: Annotated[Several, "ways to shuffle; paper up to 1000"] = 32,
        shuffles: Annotated[Count, "puzzles made from the tiles of one image in a step; ours"] = 4,
        tile: Annotated[Share, "side of a tile, share of its cell; code 64 / 85"] = 0.7,
        gap: Annotated[NonNegative, "between tiles, share of a cell, at least 2 px; code 0"] = 0.16,
        shift: Annotated[Whole, "largest shift of a colour channel, px; code 2 at 64 px"] = 1,
        grey: Annotated[Fraction, "share of images made grey; code 0.5"] = 0.5,
        normalise: Annotated[
            bool, "give every tile mean 0 and the same contrast; paper: yes"
        ] = True,
        width: Annotated[Count, "width of a tile's vector in the head; paper 1024"] = 128,
        hidden: Annotated[Count, "width of the head's hidden layer; paper 4096"] = 512,
        crop: Annotated[Share, "smallest share of the area that tiles are cut from; ours"] = 0.5,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        cell = round(CELL * encoder.image_size)
        side, space = int(tile * cell), max(2, int(gap * cell))
        if side < SMALLEST or side + space + shift > cell:
            raise UserError(
                f"tiles of {side} px, a gap of {space} px and a shift of {shift} px do not fit "
                f"into cells of {cell} px (tiles need {SMALLEST} px); change tile, gap or shift, "
                "or use larger images"
            )
        self.grid = {"cell": cell, "tile": side, "gap": space, "shift": shift}
        self.normalise, self.shuffles = normalise, shuffles
        self.register_buffer("permutations", permutation_set(permutations).clone())
        self.tower = nn.Linear(encoder.dim, width)
        self.head = mlp([TILES * width, hidden, permutations])
        self.views = one_view(replace(light(3 * cell), area=(crop, 1.0), grey=grey))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the cross entropy over `shuffles` puzzles of each image."""
        (images,) = views
        h = features_of(self.encoder, self.cut(images).flatten(0, 1))
        tiles = F.relu(self.tower(h)).view(len(images), TILES, -1).repeat(self.shuffles, 1, 1)
        index = torch.randint(len(self.permutations), (len(tiles),), device=h.device)
        puzzle = torch.arange(len(tiles), device=h.device)[:, None]
        logits = self.head(tiles[puzzle, self.permutations[index]].flatten(1))
        loss = jigsaw_loss(gather(logits), gather(index))
        accuracy = (logits.argmax(1) == index).float().mean()
        return Step(loss, watched=h, logs={"accuracy": accuracy})

    def cut(
        self, images: Float[Tensor, "batch channels size size"]
    ) -> Float[Tensor, "batch 9 channels side side"]:
        """Return the tiles of each image in their order, as the encoder sees them."""
        tiles = cut_patches(images, *random_tiles(images, **self.grid), side=self.grid["tile"])
        return in_pixels(self.encoder, normalise_patches(tiles)) if self.normalise else tiles

    def pictured(self, views: Views) -> Views:
        """Return the tiles in their places, and as one puzzle."""
        (images,) = views
        tiles = self.cut(images)
        index = torch.randint(len(self.permutations), (len(tiles),), device=images.device)
        puzzle = torch.arange(len(tiles), device=images.device)[:, None]
        return [mosaic(tiles), mosaic(tiles[puzzle, self.permutations[index]])]

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return ln P: all permutations, equally likely."""
        return log(len(self.permutations))

    def collapsed(self, batch: int) -> float:
        """Return the same: equal outputs cannot tell the permutations apart."""
        return self.knows_nothing(batch)

    @classmethod
    def suited(cls, situation: Situation) -> list[Adjustment]:
        """Return the shift of channels that large tiles need, 2 px of 64 as in the code."""
        side = int(0.7 * round(CELL * situation.image_size))
        shift = max(1, round(2 * side / 64))
        reason = f"tiles of {side} px; the released code shifts channels by 2 of 64 px"
        return [Adjustment("shift", shift, reason)] if shift > 1 else []


@cache
def _shuffled_permutations(tiles: int, *, seed: int) -> UInt8[Tensor, "tiles all_of_them"]:
    """Return all permutations of the tiles, each a column, in the order of a shuffle."""
    flat = np.fromiter(chain.from_iterable(permutations(range(tiles))), np.uint8)
    columns = torch.from_numpy(flat).view(-1, tiles)
    order = torch.randperm(len(columns), generator=torch.Generator().manual_seed(seed))
    return columns[order].T.contiguous()
