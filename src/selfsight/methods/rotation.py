"""Rotation prediction (RotNet): which way up was the image?

Gidaris, Singh, Komodakis: Unsupervised Representation Learning by Predicting Image Rotations,
ICLR 2018 (arXiv 1803.07728), equations 1 to 3.

All four rotations of every image are in one batch. The order is crop, flip, rotate: a flip after
the rotation would swap the labels 90 and 270 for half of the images and cap the accuracy at 75 %.
"""

from dataclasses import replace
from math import log
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.gather import gather
from selfsight.method import Card, Method, Recipe, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.precision import full_precision
from selfsight.ranges import Share
from selfsight.views.presets import light, one_view


@full_precision
def rotation_loss(
    logits: Float[Tensor, "four_batches 4"], quarters: Int[Tensor, "four_batches"]
) -> Float[Tensor, ""]:
    """Return the cross entropy of the number of quarter turns; knowing nothing gives ln 4."""
    return F.cross_entropy(logits, quarters)


def four_rotations(
    images: Float[Tensor, "batch channels side side"],
) -> Float[Tensor, "four_batches channels side side"]:
    """Return the images turned by 0, 1, 2 and 3 quarters counter-clockwise, one block a turn.

    Only transposes and flips: interpolation would leave traces that give the answer away.
    """
    return torch.cat([images.rot90(quarter, dims=(2, 3)) for quarter in range(4)])


class Rotation(Method):
    """The simplest pretext task: it makes its own labels and compares nothing."""

    card = Card(
        idea="Every image is turned by 0, 90, 180 and 270 degrees. The network must say which "
        "turn it sees. To know which way is up it has to recognise what is shown, its parts and "
        "where they belong.",
        paper="Gidaris, Singh, Komodakis: Unsupervised Representation Learning by Predicting "
        "Image Rotations, ICLR 2018, arXiv 1803.07728",
        deviations="Any encoder instead of NIN; crops of random size instead of padded shifts. "
        "The paper's best features come from the middle of the network, not from its end.",
        choices="The order is crop, flip, rotate; one library flips last, which swaps two labels "
        "for half of the images and caps the accuracy at 75 %. All four turns of an image are in "
        "one batch (there: one). Turns are counter-clockwise.",
        fails="Images without an up and down (cells, textures, aerial views) teach it nothing: "
        "the loss stays near ln 4. It cannot collapse, but it can memorise: then the accuracy on "
        "held-out images falls behind.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)
    vectors_tell = False

    def __init__(
        self,
        encoder: Encoder,
        *,
        crop: Annotated[Share, "smallest share of the area in a crop; ours"] = 0.5,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(encoder.dim, 4)
        self.views = one_view(replace(light(encoder.image_size), area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the cross entropy over the four rotations of each image."""
        (upright,) = views
        h = self.encoder(four_rotations(upright))
        logits = self.classifier(h)
        quarters = torch.arange(4, device=h.device).repeat_interleave(len(upright))
        loss = rotation_loss(gather(logits), gather(quarters))
        accuracy = (logits.argmax(1) == quarters).float().mean()
        return Step(loss, watched=h[: len(upright)], logs={"accuracy": accuracy})

    def pictured(self, views: Views) -> Views:
        """Return the four turns of each image."""
        (upright,) = views
        return list(four_rotations(upright).chunk(4))

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return ln 4: four turns, equally likely."""
        return log(4)

    def collapsed(self, batch: int) -> float:
        """Return the same: equal outputs cannot tell the turns apart."""
        return self.knows_nothing(batch)
