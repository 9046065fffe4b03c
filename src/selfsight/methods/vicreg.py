"""VICReg: views agree (invariance), vectors spread (variance), dimensions differ (covariance).

Bardes, Ponce, LeCun: VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
Learning, ICLR 2022 (arXiv 2105.04906), equations 1 to 6, scaled as in the authors' code: the
invariance is a mean over the dimensions too, and the variance term is the mean of both views'.

Each view passes through the network on its own, with its own batch norm statistics.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsight.gather import gather
from selfsight.method import Card, Method, Recipe, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.precision import full_precision
from selfsight.ranges import Count, NonNegative, Positive, Share
from selfsight.views.presets import EachOf, byol_pair

EPSILON = 1e-4  # within the root of the standard deviation


@full_precision
def vicreg_loss(
    za: Float[Tensor, "batch dim"],
    zb: Float[Tensor, "batch dim"],
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Float[Tensor, ""]:
    """Return the weighted sum of the three terms (equation 6, in the scale of the authors' code).

    All rows equal gives 0.99 x variance.
    """
    s, v, c = vicreg_terms(za, zb)
    return invariance * s + variance * v + covariance * c


@full_precision
def vicreg_terms(
    za: Float[Tensor, "batch dim"], zb: Float[Tensor, "batch dim"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the mean squared difference, the mean lack of spread, the sum of both covariances."""
    return (
        F.mse_loss(za, zb),
        (_lack_of_spread(za) + _lack_of_spread(zb)) / 2,
        _covariance(za) + _covariance(zb),
    )


class VICReg(Method):
    """Collapse is forbidden by a term of its own."""

    scale_matters = True
    compares_images = True

    card = Card(
        idea="Every image is cut and recoloured twice at random. Both views must give the same "
        "numbers; each number must vary over the images of the batch; different numbers must vary "
        "independently. The last two forbid the cheap ways to fulfil the first.",
        paper="Bardes, Ponce, LeCun: VICReg: Variance-Invariance-Covariance Regularization for "
        "Self-Supervised Learning, ICLR 2022, arXiv 2105.04906",
        deviations="AdamW instead of LARS (rate 0.2, decay 1e-6). An expander of 512 numbers "
        "instead of 8192. Crops from a fifth of the area, no blur up to 64 px.",
        choices="The scale of the authors' code: the invariance is a mean over dimensions too "
        "(printed: a sum), the variance term the mean of both views (the paper's listing: the "
        "sum). A collapse costs 24.75; 49.5 elsewhere means that the variance term is not halved. "
        "The augmentation is their code's unequal pair (paper: both views alike). Each view "
        "is one pass through the network.",
        fails="A loss that stays at 0.99 x variance (24.75), with the variance term at 0.99: all "
        "vectors equal, usually because the rate is too high. Without the covariance term only a "
        "few dimensions are used.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)
    remedies: ClassVar[Mapping[str, str]] = {
        "complete": "raise variance, or lower invariance; then lower the learning rate",
        "dimensional": "raise covariance; then lower the learning rate",
    }

    def __init__(
        self,
        encoder: Encoder,
        *,
        invariance: Annotated[Positive, "weight of the views' agreement; paper 25"] = 25.0,
        variance: Annotated[Positive, "weight of the spread over images; paper 25"] = 25.0,
        covariance: Annotated[NonNegative, "weight of the dimensions' independence; paper 1"] = 1.0,
        projection: Annotated[Count, "width of all 3 expander layers; paper 8192"] = 512,
        crop: Annotated[Share, "smallest share of the area in a crop; paper 0.08, CIFAR 0.2"] = 0.2,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        sizes = [encoder.dim, projection, projection, projection]
        self.projector = mlp(sizes, hidden_bias=True, last_bias=False)
        self.invariance, self.variance, self.covariance = invariance, variance, covariance
        self.views = EachOf(byol_pair(encoder.image_size, area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the loss between the two views, and its unweighted terms."""
        raw = [self.projector(self.encoder(view)) for view in views]
        za, zb = (gather(z) for z in raw)
        loss = vicreg_loss(
            za,
            zb,
            invariance=self.invariance,
            variance=self.variance,
            covariance=self.covariance,
        )
        terms = vicreg_terms(za.detach(), zb.detach())
        logs = dict(zip(("invariance", "variance", "covariance"), terms, strict=True))
        return Step(loss, watched=raw[0], logs=logs)

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return 0.99 x variance: equal outputs, which disregard the images.

        Random vectors of standard deviation a have 2 invariance a^2 + variance (1 - a), which is
        twice this at full spread and, at best (a = 1/4), an eighth less.
        """
        return float(self.variance * (1 - EPSILON**0.5))

    def collapsed(self, batch: int) -> float:
        """Return 0.99 x variance: no spread at all."""
        return self.knows_nothing(batch)


def _lack_of_spread(z: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """Return the mean over dimensions of 1 - standard deviation, where that is positive."""
    return F.relu(1 - torch.sqrt(z.var(0) + EPSILON)).mean()


def _covariance(z: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """Return the sum of the squared covariances of different dimensions, over their number."""
    centred = z - z.mean(0)
    covariances = centred.T @ centred / (len(z) - 1)
    between = covariances - torch.diag(covariances.diagonal())
    return between.square().sum() / z.shape[1]
