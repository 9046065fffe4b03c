"""Autoencoder: press an image through a vector, and draw it again.

Hinton, Salakhutdinov: Reducing the Dimensionality of Data with Neural Networks, Science 313, 2006.
The loss is the mean over all elements of (D(E(x)) - x)^2, in pixels with mean 0 and variance 1 by
the encoder's statistics: a constant mean image has 1.

The crop is cut once and is both input and target.
"""

from dataclasses import replace
from typing import Annotated

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsight.method import Card, Method, Recipe, Step, Views
from selfsight.nets.decoders import vector_decoder
from selfsight.nets.encoder import Encoder
from selfsight.precision import full_precision
from selfsight.ranges import Count, Share
from selfsight.views.presets import light, one_view


@full_precision
def reconstruction_loss(
    predicted: Float[Tensor, "batch *shape"], images: Float[Tensor, "batch *shape"]
) -> Float[Tensor, ""]:
    """Return the mean squared error over all elements (any unit, squared)."""
    return F.mse_loss(predicted, images)


class Autoencoder(Method):
    """The oldest idea and a weak one: a floor for the other methods, not a rival."""

    card = Card(
        idea="An encoder presses an image into a short vector and a decoder draws the image again "
        "from it. The network keeps what helps to draw most pixels: brightness, coarse shapes, "
        "large areas of colour. What an object is matters little for that, so the features are "
        "often no better than the pixels themselves.",
        paper="Hinton, Salakhutdinov: Reducing the Dimensionality of Data with Neural Networks, "
        "Science 313, 2006",
        deviations="Convolutions with batch norm trained at once, instead of layers trained one "
        "by one as restricted Boltzmann machines. Squared error of standardised pixels. The code "
        "is the encoder's whole vector.",
        fails="The squared error is mostly about low frequencies: pictures come out blurred and a "
        "linear probe gains little over raw pixels. Made linear, it is a principal component "
        "analysis. It cannot collapse while the loss is below 1, what a constant image has.",
    )
    recipe = Recipe(optimiser="adamw", lr=2e-3, weight_decay=1e-4)
    vectors_tell = False

    def __init__(
        self,
        encoder: Encoder,
        *,
        crop: Annotated[Share, "smallest share of the area in a crop; ours"] = 0.5,
        width: Annotated[Count, "most channels in the decoder; ours"] = 64,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = vector_decoder(
            encoder.dim, channels=encoder.channels, side=encoder.image_size, width=width
        )
        self.views = one_view(replace(light(encoder.image_size), area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the squared error of the redrawn images."""
        (images,) = views
        h = self.encoder(images)
        # a mean over equally many elements in every process: nothing to gather
        loss = reconstruction_loss(self.decoder(h), self.encoder.normalise(images))
        return Step(loss, watched=h, logs={})

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return 1: the mean of the data everywhere, against pixels of variance 1."""
        return 1.0

    def collapsed(self, batch: int) -> float:
        """Return 1: equal vectors draw equal images, at best the mean."""
        return self.knows_nothing(batch)
