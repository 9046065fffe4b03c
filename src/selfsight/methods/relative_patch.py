"""Relative patch location: say where the second patch lies, as seen from the first.

Doersch, Gupta, Efros: Unsupervised Visual Representation Learning by Context Prediction,
ICCV 2015 (arXiv 1505.05192).

The encoder sees patches, not images: a convolutional network takes them as they are, a network of
one fixed size gets them enlarged (`nets.sizes`). All patches of a step are one batch for it. Every
pair is asked in both orders; neighbour d of the first patch has the first as its neighbour 7 - d.
"""

from dataclasses import replace
from math import log
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from selfsight.errors import UserError
from selfsight.gather import gather
from selfsight.method import Card, Method, Recipe, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.nets.sizes import SMALLEST, features_of, in_pixels
from selfsight.precision import full_precision
from selfsight.ranges import Count, NonNegative, Share
from selfsight.views import patches as cutting
from selfsight.views.presets import light, one_view


@full_precision
def location_loss(
    logits: Float[Tensor, "pairs 8"], directions: Int[Tensor, "pairs"]
) -> Float[Tensor, ""]:
    """Return the cross entropy of the eight directions; knowing nothing gives ln 8."""
    return F.cross_entropy(logits, directions)


class RelativePatch(Method):
    """The first pretext task of its kind: a puzzle of two pieces."""

    card = Card(
        idea="Two neighbouring patches are cut from an image. The network must say in which of "
        "eight directions the second lies from the first. To know that an ear is above an eye it "
        "has to recognise both.",
        paper="Doersch, Gupta, Efros: Unsupervised Visual Representation Learning by Context "
        "Prediction, ICCV 2015, arXiv 1505.05192",
        deviations="Independent pairs instead of all pairs of a grid, so that the eight directions "
        "are equally frequent; the loss is a mean, not a sum; a head of one hidden layer. Patches "
        "are not blurred by down-scaling now and then: at 10 px there is nothing to spare.",
        choices="Patches keep their gap and never touch; one library lets them touch, and lines "
        "that go on then give the answer away. Colours are dropped or projected, as in the paper; "
        "that library makes images grey now and then.",
        fails="It looks for any trace of the place: lines that continue across the gap, colour "
        "fringes of the lens (colour = project leaves a trace of them), brightness. Each is "
        "blocked, but the features remain weak, above all on small images. Images without parts "
        "(textures) teach it nothing: the loss stays at ln 8.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)
    vectors_tell = False

    def __init__(
        self,
        encoder: Encoder,
        *,
        patch: Annotated[Share, "side of a patch, share of the image's side; ours"] = 0.33,
        gap: Annotated[
            NonNegative, "between patches, share of the image's side; paper: patch / 2"
        ] = 0.1,
        jitter: Annotated[
            NonNegative, "largest move of a patch, share of the image's side; code: patch / 14"
        ] = 0.035,
        pairs: Annotated[
            Count, "pairs of patches an image and step, each in both orders; ours"
        ] = 4,
        colour: Annotated[
            Literal["drop", "project", "keep"],
            "against colour fringes: one channel and noise, no green-magenta, nothing; paper: drop",
        ] = "drop",
        normalise: Annotated[
            bool, "give every patch mean 0 and the same contrast; paper: yes"
        ] = True,
        hidden: Annotated[Count, "width of the head's hidden layer; paper 4096"] = 512,
        crop: Annotated[Share, "smallest share of the area that patches are cut from; ours"] = 0.5,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = mlp([2 * encoder.dim, hidden, cutting.DIRECTIONS])
        shares = {"side": patch, "gap": gap, "jitter": jitter}
        self.grid = {name: int(share * encoder.image_size) for name, share in shares.items()}
        self.pairs, self.colour, self.normalise = pairs, colour, normalise
        _check(self.grid, size=encoder.image_size)
        if colour == "project" and encoder.channels != 3:
            raise UserError("colour is 'project', which needs three channels; use 'keep'")
        self.views = one_view(replace(light(encoder.image_size), area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the cross entropy over `pairs` pairs of patches of each image, in both orders."""
        (images,) = views
        first_second, directions = self.cut(images.repeat(self.pairs, 1, 1, 1))
        h = features_of(self.encoder, first_second.flatten(0, 1)).reshape(len(directions), -1)
        swapped = h.view(len(h), 2, -1).flip(1).flatten(1)
        logits = self.head(torch.cat([h, swapped]))
        targets = torch.cat([directions, cutting.DIRECTIONS - 1 - directions])
        loss = location_loss(gather(logits), gather(targets))
        accuracy = (logits.argmax(1) == targets).float().mean()
        return Step(loss, watched=h[:, : self.encoder.dim], logs={"accuracy": accuracy})

    def cut(
        self, images: Float[Tensor, "batch channels size size"]
    ) -> tuple[Float[Tensor, "batch 2 channels side side"], Int[Tensor, "batch"]]:
        """Return a pair of patches of each image, as the encoder sees them, and the direction."""
        top, left, directions = cutting.random_neighbours(
            images, size=self.encoder.image_size, **self.grid
        )
        places = [start[..., None].expand(-1, -1, images.shape[1]) for start in (top, left)]
        pairs = cutting.cut_patches(images, *places, side=self.grid["side"])
        if self.colour == "drop":
            pairs = cutting.drop_colours(pairs)
        elif self.colour == "project":
            pairs = cutting.project_colours(pairs)
        if self.normalise:
            pairs = in_pixels(self.encoder, cutting.normalise_patches(pairs))
        return pairs, directions

    def pictured(self, views: Views) -> Views:
        """Return the pair of patches as they lie to one another, the first in the middle."""
        (images,) = views
        pairs, directions = self.cut(images)
        nine = torch.full_like(pairs[:, :1], 0.5).repeat(1, 9, 1, 1, 1)
        nine[:, 4] = pairs[:, 0]
        cell = directions + (directions >= cutting.DIRECTIONS // 2)
        nine[torch.arange(len(nine)), cell] = pairs[:, 1]
        return [cutting.mosaic(nine)]

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return ln 8: eight directions, equally likely."""
        return log(cutting.DIRECTIONS)

    def collapsed(self, batch: int) -> float:
        """Return the same: equal outputs cannot tell the directions apart."""
        return self.knows_nothing(batch)


def _check(grid: dict[str, int], *, size: int) -> None:
    side, gap, jitter = grid["side"], grid["gap"], grid["jitter"]
    asked = f"patches of {side} px, a gap of {gap} px and a jitter of {jitter} px"
    if 2 * (side + jitter + cutting.BORDER) + gap > size:
        raise UserError(f"{asked} do not fit into {size} px; make patch or gap smaller")
    if side < SMALLEST:
        raise UserError(f"{asked}: the patches are too small; use larger images or patch")
    if gap <= 2 * jitter:
        raise UserError(f"{asked} let patches touch; make gap larger or jitter smaller")
