"""Colourisation: which colours had this grey image?

Zhang, Isola, Efros: Colorful Image Colorization, ECCV 2016 (arXiv 1603.08511). At a quarter of the
resolution every pixel's a and b (CIE Lab) are to be classified among the bins of a grid of 10. The
loss is equation 2, a cross entropy with soft targets, weighted for rare colours by equation 4.

The encoder has three channels and must take colour images afterwards. So its first convolution is
made equal for all three, and it is trained on images that are equal in all three: then the kernels
stay equal (see `nets.grey`). It sees only the mean of the standardised channels, before export and
after: a colour image has exactly the features of its grey version.

How frequent colours are is learned from the images as they pass: a running mean, in a buffer.
"""

from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.errors import UserError
from selfsight.gather import gather
from selfsight.method import Card, Method, Recipe, Situation, Step, Views
from selfsight.nets.decoders import map_decoder, map_width, pooled
from selfsight.nets.encoder import Encoder
from selfsight.nets.grey import grey, see_grey_only
from selfsight.precision import full_precision
from selfsight.ranges import Count, Positive, Share
from selfsight.views.colour_bins import colour_bins, rarity, soft_code
from selfsight.views.lab import srgb_to_lab
from selfsight.views.presets import light, one_view

GRID = 10.0  # side of a bin in Lab units
COLOURFUL = 5.0  # an image with no |a| or |b| above this is grey and counts for nothing
SLOWEST = 0.01  # least share of a new batch in the running mean of colours


@full_precision
def colour_cross_entropy(
    logits: Float[Tensor, "batch bins rows columns"],
    codes: Float[Tensor, "batch bins rows columns"],
    weights: Float[Tensor, "batch rows columns"],
) -> Float[Tensor, "batch"]:
    """Return each image's mean over pixels of weight x cross entropy with the soft code."""
    entropy = -(codes * logits.log_softmax(1)).sum(1)
    return (weights * entropy).mean((1, 2))


class Colourisation(Method):
    """To give a thing its colour one must know what it is."""

    card = Card(
        idea="Images are turned grey and the network must say which colour every place had. "
        "Grass is green and sky is blue, so it has to recognise them. Colours are classes rather "
        "than numbers, because the mean of all that an apple can be is brown.",
        paper="Zhang, Isola, Efros: Colorful Image Colorization, ECCV 2016, arXiv 1603.08511",
        deviations="The input is the mean of the standardised channels instead of L, so that the "
        "exported encoder gives a colour image exactly the features of its grey version. 260 bins "
        "that sRGB reaches, computed, instead of the authors' 313. The frequencies of colours are "
        "a running mean of the soft targets. The log `unweighted` is what the released code "
        "prints. Any convolutional encoder, no dilation.",
        choices="Soft targets have 5 neighbours (released code: 10); the other five weigh next to "
        "nothing. The weights of rare colours are in the printed loss (the released code: in its "
        "gradient only), with the same gradient.",
        fails="The features know no colours: where classes differ by colour they are blind. Grey "
        "images teach nothing and are left out; `colourful` is the share of the others. A loss "
        "that stays at knowing nothing has learned which colours are frequent, and no more.",
    )
    recipe = Recipe(optimiser="adamw", lr=2e-3, weight_decay=1e-4)
    vectors_tell = False
    prior: Tensor
    batches: Tensor
    bins: Tensor

    def __init__(
        self,
        encoder: Encoder,
        *,
        neighbours: Annotated[Count, "bins that share a pixel's target; released code 10"] = 5,
        sigma: Annotated[Positive, "width of a target in Lab units; paper 5"] = 5.0,
        uniform: Annotated[Share, "evenness of colours' weights, 1 is none; paper 0.5"] = 0.5,
        stride: Annotated[Count, "targets are every so many px; paper 4"] = 4,
        crop: Annotated[Share, "smallest share of the area in a crop; ours"] = 0.5,
        width: Annotated[Count, "most channels in the decoder; ours"] = 128,
    ) -> None:
        super().__init__()
        if stride > encoder.image_size:
            raise UserError(f"stride = {stride} px; choose 1 to the image's {encoder.image_size}")
        bins = colour_bins(grid=GRID)
        if neighbours > len(bins):
            raise UserError(f"neighbours = {neighbours}; choose 1 to {len(bins)}, all colours")
        features = map_width(encoder, method="colourisation")
        see_grey_only(encoder, method="colourisation")
        self.encoder = encoder
        self.sigma, self.neighbours = sigma, neighbours
        self.uniform, self.stride = uniform, stride
        side = len(range(0, encoder.image_size, stride))
        self.decoder = map_decoder(features, channels=len(bins), side=side, width=width)
        self.register_buffer("bins", bins.clone(), persistent=False)
        self.register_buffer("prior", torch.full((len(bins),), 1 / len(bins)))
        self.register_buffer("batches", torch.tensor(0))
        self.views = one_view(replace(light(encoder.image_size), area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the weighted cross entropy of colours, the mean over images that have some."""
        (images,) = views
        ab = srgb_to_lab(images)[:, 1:]
        colourful = gather((ab.abs() > COLOURFUL).flatten(1).any(1).float())
        codes = self._code(ab[:, :, :: self.stride, :: self.stride])
        if self.training:
            self._count(gather(codes.mean((2, 3))), colourful)
        places = self.encoder.feature_map(grey(self.encoder, images))
        logits = self.decoder(places)
        weights = rarity(self.prior, uniform=self.uniform)[codes.argmax(1)]
        errors = gather(colour_cross_entropy(logits, codes, weights))
        plain = gather(colour_cross_entropy(logits.detach(), codes, torch.ones_like(weights)))
        share = colourful / colourful.sum().clamp(min=1)
        logs = {"unweighted": (plain * share).sum(), "colourful": colourful.mean()}
        return Step((errors * share).sum(), watched=pooled(places), logs=logs)

    def pictured(self, views: Views) -> Views:
        """Return the grey images, and the coloured ones that are to be guessed."""
        (images,) = views
        seen = grey(self.encoder, images).mean(1, keepdim=True)  # without the tint of the means
        return [seen.expand_as(images), images]

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return the least loss of one guess for all pixels; before any image, ln(bins).

        That guess is the frequency of colours, weighted: the network knows nothing of the image.
        """
        guess = self.prior * rarity(self.prior, uniform=self.uniform)
        return float(torch.special.entr(guess).sum())

    def demand_fit(self, situation: Situation) -> None:
        """Raise UserError if there are no colours to learn."""
        if situation.grey:
            raise UserError("colourisation: all images are grey; use another method")

    def perfect(self, batch: int) -> float:  # noqa: ARG002
        """Return the mean entropy of targets within a bin, which no prediction can go below."""
        line = torch.linspace(-GRID / 2, GRID / 2, 11)
        within = torch.stack(torch.meshgrid(line, line, indexing="ij")).to(self.bins)
        return float(torch.special.entr(self._code(within[None])).sum(1).mean())

    def collapsed(self, batch: int) -> float:
        """Return the same: equal features give one guess."""
        return self.knows_nothing(batch)

    def _code(self, ab: Tensor) -> Tensor:
        return soft_code(ab, self.bins, neighbours=self.neighbours, sigma=self.sigma)

    @torch.no_grad()
    def _count(
        self, shares: Float[Tensor, "batch bins"], colourful: Float[Tensor, "batch"]
    ) -> None:
        """Move the running mean of colours towards the batch's; the first hundred count alike."""
        if colourful.any():
            self.batches = self.batches + 1
            seen = shares[colourful > 0].mean(0)
            self.prior = self.prior.lerp(seen, (1 / self.batches).clamp(min=SLOWEST))
        elif self.batches == 0:
            raise UserError("colourisation: the first images are all grey; use another method")
