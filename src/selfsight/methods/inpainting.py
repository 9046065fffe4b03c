"""Inpainting (context encoder): draw what is missing in the hole of an image.

Pathak, Krahenbuhl, Donahue, Darrell, Efros: Context Encoders: Feature Learning by Inpainting, CVPR
2016 (arXiv 1604.07379). The loss is the mean squared error inside the hole (equation 1) and, if
asked for, an adversarial part (equations 2 and 3).

The network must know where the hole is, and the encoder must stay a plain one of three channels.
So the hole is painted in a colour that is learned, starting from the paper's mean colour. To the
first layer this is a fourth, binary channel whose kernel is a combination of the three others; an
image without a hole is untouched, so the exported encoder needs nothing.

The critic has no optimiser of its own: its own loss sees the picture detached, the picture's
loss sees the critic's weights detached, and one step moves both.
"""

from dataclasses import replace
from math import log
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from selfsight.errors import UserError
from selfsight.method import Card, Method, Recipe, Step, Views
from selfsight.nets.decoders import critic, map_decoder, map_width, pooled
from selfsight.nets.encoder import Encoder
from selfsight.precision import full_precision
from selfsight.ranges import Count, Range, Share
from selfsight.views.holes import Region, draw_holes
from selfsight.views.presets import light, one_view

UNSEEN = 3.0  # standard deviations from the mean colour: outside what pixels can be


@full_precision
def hole_loss(
    predicted: Float[Tensor, "batch channels height width"],
    images: Float[Tensor, "batch channels height width"],
    hole: Bool[Tensor, "batch 1 height width"],
) -> Float[Tensor, ""]:
    """Return the mean squared error over the elements in holes; all others count for nothing."""
    errors = (predicted - images).square() * hole
    return errors.sum() / hole.expand_as(errors).sum()


@full_precision
def fooling_loss(scores: Float[Tensor, "batch"]) -> Float[Tensor, ""]:
    """Return -ln of the critic's belief that its pictures are real; not knowing gives ln 2."""
    return softplus(-scores).mean()


class Inpainting(Method):
    """Drawing a missing part takes knowing what the rest belongs to."""

    card = Card(
        idea="A region of every image is cut out, and the network must draw it from what is left. "
        "Near the border copying the surroundings helps. Further in, the network has to know what "
        "is shown and how such things go on.",
        paper="Pathak, Krahenbuhl, Donahue, Darrell, Efros: Context Encoders: Feature Learning by "
        "Inpainting, CVPR 2016, arXiv 1604.07379",
        deviations="A small decoder draws the whole image from the encoder's map of features; no "
        "overlap of hole and context with extra weight. Every random hole has the same area. The "
        "hole's colour is learned, so that the network sees where it is. The adversarial part is "
        "off; when on, the critic sees the whole picture and shares optimiser and rate.",
        choices="Holes begin in a colour that no image has; the paper fills them with the mean, "
        "and the released code writes its three numbers into the wrong channels.",
        fails="A hole that is always in the centre teaches the network to look there only. Holes "
        "that are small are filled by smearing their border; pictures are blurred, because the "
        "squared error asks for the mean of all that could be there.",
    )
    recipe = Recipe(optimiser="adamw", lr=2e-3, weight_decay=1e-4)
    vectors_tell = False

    def __init__(
        self,
        encoder: Encoder,
        *,
        region: Annotated[
            Region, "where holes are: anywhere or always in the centre; paper: both"
        ] = "random",
        hole: Annotated[
            float, Range(above=0.0, below=1.0), "share of the image that is cut out; paper 0.25"
        ] = 0.25,
        adversarial: Annotated[
            float,
            Range(at_least=0.0, below=1.0),
            "weight of fooling a critic, 0 is none; paper 0.001",
        ] = 0.0,
        crop: Annotated[Share, "smallest share of the area in a crop; ours"] = 0.5,
        width: Annotated[Count, "most channels in decoder and critic; ours"] = 64,
    ) -> None:
        super().__init__()
        size, channels = encoder.image_size, encoder.channels
        if not 0 < round(hole * size**2) < size**2:
            raise UserError(f"hole = {hole} of an image of {size} px; choose between 0 and 1")
        self.encoder = encoder
        self.region, self.share, self.adversarial = region, hole, adversarial
        features = map_width(encoder, method="inpainting")
        self.decoder = map_decoder(features, channels=channels, side=size, width=width)
        up_and_down = torch.tensor([UNSEEN, -UNSEEN]).repeat(channels)[:channels]
        self.paint = nn.Parameter(up_and_down[:, None, None].clone())
        self.critic = critic(channels, width=width) if adversarial > 0 else None
        self.views = one_view(replace(light(size), area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the squared error in the holes, and the critic's part if there is one."""
        (images,) = views
        hole = draw_holes(images, region=self.region, share=self.share)
        places = self.encoder.feature_map(self._with(hole, images))
        predicted, target = self.decoder(places), self.encoder.normalise(images)
        # holes are equally large in every process, so the mean of processes' means is the mean
        loss = drawing = hole_loss(predicted, target, hole)
        logs = {}
        if self.critic is not None:
            picture = torch.where(hole, predicted.to(target), target)
            frozen = {name: weight.detach() for name, weight in self.critic.named_parameters()}
            fooling = fooling_loss(functional_call(self.critic, frozen, picture))
            real, drawn = self.critic(target), self.critic(picture.detach())
            judging = fooling_loss(real) + fooling_loss(-drawn)
            loss = (1 - self.adversarial) * drawing + self.adversarial * fooling
            loss = loss + judging - judging.detach()  # its gradient, not its value
            logs = {"drawing": drawing, "fooling": fooling, "judging": judging}
        return Step(loss, watched=pooled(places), logs=logs)

    def pictured(self, views: Views) -> Views:
        """Return the images with a hole, and the whole ones that are to be drawn."""
        (images,) = views
        hole = draw_holes(images, region=self.region, share=self.share)
        return [self._with(hole, images), images]

    def _with(self, hole: Tensor, images: Tensor) -> Tensor:
        """Return the images with the hole painted over."""
        paint = self.paint * self.encoder.std[:, None, None] + self.encoder.mean[:, None, None]
        return torch.where(hole, paint, images)

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return 1 for the mean colour in the hole; a critic that cannot tell adds ln 2."""
        return 1 - self.adversarial + self.adversarial * log(2)

    def collapsed(self, batch: int) -> float | None:
        """Return the same: equal features draw equal images, at best the mean."""
        return None if self.adversarial else self.knows_nothing(batch)
