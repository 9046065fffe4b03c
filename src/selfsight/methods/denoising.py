"""Denoising autoencoder: draw the clean image from a spoilt one.

Vincent, Larochelle, Bengio, Manzagol: Extracting and Composing Robust Features with Denoising
Autoencoders, ICML 2008, and Stacked Denoising Autoencoders, JMLR 11, 2010. With x~ drawn anew from
q(x~ | x) at every step the loss is the mean of (D(E(x~)) - x)^2, in standardised pixels: the
target is the clean image. Without noise this is the autoencoder.
"""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfsight.errors import UserError
from selfsight.method import Card, Method, Recipe, Step, Views
from selfsight.nets.decoders import vector_decoder
from selfsight.nets.encoder import Encoder
from selfsight.precision import full_precision
from selfsight.ranges import Count, NonNegative, Share
from selfsight.views.presets import light, one_view

Noise = Literal["gaussian", "masking", "salt_and_pepper"]


@full_precision
def denoising_loss(
    predicted: Float[Tensor, "batch channels height width"],
    images: Float[Tensor, "batch channels height width"],
    corrupted: Bool[Tensor, "batch 1 height width"],
    *,
    untouched: float,
) -> Float[Tensor, ""]:
    """Return the squared error, the mean with weight 1 on corrupted pixels, `untouched` on others.

    The weights' sum divides, so a constant prediction has one value whatever the emphasis.
    """
    weights = torch.where(corrupted, 1.0, untouched).to(predicted).expand_as(predicted)
    return (weights * (predicted - images).square()).sum() / weights.sum()


def corrupt(
    images: Float[Tensor, "batch channels height width"], *, noise: Noise, amount: float
) -> tuple[Float[Tensor, "batch channels height width"], Bool[Tensor, "batch 1 height width"]]:
    """Return spoilt copies of images in [0, 1], and the pixels that the noise was put on.

    gaussian: noise of standard deviation `amount` on every value, not clipped. masking: the share
    `amount` of each image's pixels, all channels of them, becomes 0. salt_and_pepper: the same, 0
    or 1 by a toss. The share is exact in every image.
    """
    if noise == "gaussian":
        noisy = images + amount * torch.randn_like(images)
        return noisy, torch.ones_like(images[:, :1], dtype=torch.bool)
    order = torch.rand_like(images[:, 0]).flatten(1).argsort(1)
    corrupted = (order < round(amount * order.shape[1])).view_as(images[:, :1])
    value = torch.zeros_like(images[:, :1])
    if noise == "salt_and_pepper":
        value = torch.rand_like(value).round()
    return torch.where(corrupted, value, images), corrupted


class Denoising(Method):
    """An autoencoder that cannot copy: to clean an image one has to know what images look like."""

    card = Card(
        idea="Noise is put on an image, and an autoencoder must draw the image without it. "
        "Copying pixels no longer helps. The network has to know which pixels go together, so it "
        "learns edges and shapes before it learns to copy.",
        paper="Vincent, Larochelle, Bengio, Manzagol: Extracting and Composing Robust Features "
        "with Denoising Autoencoders, ICML 2008; Stacked Denoising Autoencoders, JMLR 11, 2010",
        deviations="One convolutional network trained at once instead of stacked layers; squared "
        "error of standardised pixels. Masking and salt-and-pepper noise hit whole pixels, because "
        "the other colours of a pixel would give the missing one away.",
        fails="Too little noise and it is a plain autoencoder; too much and only the mean image "
        "is left to draw. Batch norm sees spoilt images in training and clean ones afterwards: "
        "large noise makes features of clean images unlike those that it learned with.",
    )
    recipe = Recipe(optimiser="adamw", lr=2e-3, weight_decay=1e-4)
    vectors_tell = False

    def __init__(
        self,
        encoder: Encoder,
        *,
        noise: Annotated[Noise, "kind of noise, drawn anew at every step; paper: all"] = (
            "gaussian"
        ),
        amount: Annotated[
            NonNegative,
            "deviation of the Gaussian (pixels in 0..1) or share of pixels; usual .1 to .5",
        ] = 0.25,
        untouched: Annotated[
            NonNegative, "weight of pixels without noise, others have 1; ours"
        ] = 1.0,
        crop: Annotated[Share, "smallest share of the area in a crop; ours"] = 0.5,
        width: Annotated[Count, "most channels in the decoder; ours"] = 64,
    ) -> None:
        super().__init__()
        if noise != "gaussian" and amount >= 1:
            raise UserError(f"amount = {amount} of {noise} noise; choose 0 or more and less than 1")
        nothing = round(amount * encoder.image_size**2) == 0
        if untouched != 1 and (noise == "gaussian" or nothing):
            raise UserError(
                f"untouched = {untouched} with {noise} noise of {amount}; it must be 1 for "
                "Gaussian noise or none, where it has no effect"
            )
        self.encoder = encoder
        self.noise, self.amount, self.untouched = noise, amount, untouched
        self.decoder = vector_decoder(
            encoder.dim, channels=encoder.channels, side=encoder.image_size, width=width
        )
        self.views = one_view(replace(light(encoder.image_size), area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the squared error of the images drawn from spoilt ones."""
        (images,) = views
        noisy, corrupted = corrupt(images, noise=self.noise, amount=self.amount)
        h = self.encoder(noisy)
        # every image has equally many corrupted pixels, so processes' means have equal weight
        target = self.encoder.normalise(images)
        loss = denoising_loss(self.decoder(h), target, corrupted, untouched=self.untouched)
        return Step(loss, watched=h, logs={})

    def pictured(self, views: Views) -> Views:
        """Return the spoilt images, and the clean ones that are to be drawn."""
        (images,) = views
        noisy, _ = corrupt(images, noise=self.noise, amount=self.amount)
        return [noisy, images]

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return 1: the mean of the data everywhere, against pixels of variance 1."""
        return 1.0

    def collapsed(self, batch: int) -> float:
        """Return 1: equal vectors draw equal images, at best the mean."""
        return self.knows_nothing(batch)
