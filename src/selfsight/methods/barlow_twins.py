"""Barlow Twins: every output number should agree between two views and differ from the others.

Zbontar, Jing, Misra, LeCun, Deny: Barlow Twins: Self-Supervised Learning via Redundancy Reduction,
ICML 2021 (arXiv 2103.03230), equations 1 and 2.

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
from selfsight.ranges import Count, NonNegative, Share
from selfsight.views.presets import EachOf, byol_pair


@full_precision
def barlow_twins_loss(
    za: Float[Tensor, "batch dim"], zb: Float[Tensor, "batch dim"], *, off_diagonal: float = 0.0051
) -> Float[Tensor, ""]:
    """Return sum_i (1 - C_ii)^2 + off_diagonal x sum_{i != j} C_ij^2 (equation 1).

    C is the correlation of the views' dimensions over the batch, normalised as batch norm does
    (biased variance, epsilon 1e-5). All rows equal gives dim.
    """
    c = _correlation(za, zb)
    agreement = c.diagonal()
    others = c - torch.diag(agreement)
    return (1 - agreement).square().sum() + off_diagonal * others.square().sum()


class BarlowTwins(Method):
    """No negatives, no slow copy, no predictor: the correlation of the outputs is the loss."""

    compares_images = True

    card = Card(
        idea="Every image is cut and recoloured twice at random. Each number that the network "
        "gives must be the same for both views, over a batch of images, and tell something that "
        "no other number tells. Equal outputs for all images cannot do that.",
        paper="Zbontar, Jing, Misra, LeCun, Deny: Barlow Twins: Self-Supervised Learning via "
        "Redundancy Reduction, ICML 2021, arXiv 2103.03230",
        deviations="AdamW instead of LARS (rate 0.2, biases 0.0048, decay 1e-6). A projector of "
        "1024 numbers instead of 8192. No blur up to 64 px.",
        choices="Batch norm's biased variance with epsilon 1e-5, as in the authors' code; the "
        "paper's listing divides by the unbiased deviation, so identical views do not reach 1. "
        "Off-diagonal weight 0.0051 (code; paper 0.005), and the loss is not scaled down. The sum "
        "over processes is differentiated; the authors' gradient is smaller by their number. "
        "Each view is one pass through the network.",
        fails="The loss of equal outputs is close to that of chance, so the loss alone does not "
        "show a collapse: the spread of the raw vectors does. Batches well below 64 make the "
        "correlations noisy.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)
    remedies: ClassVar[Mapping[str, str]] = {
        "complete": "lower the learning rate",
        "dimensional": "raise off_diagonal; then lower the learning rate",
    }

    def __init__(
        self,
        encoder: Encoder,
        *,
        off_diagonal: Annotated[
            NonNegative, "weight of the redundancy; paper's code 0.0051"
        ] = 0.0051,
        projection: Annotated[Count, "width of all 3 projector layers; paper 8192"] = 1024,
        crop: Annotated[Share, "smallest share of the area in a crop; paper 0.08"] = 0.08,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = mlp([encoder.dim, projection, projection, projection], last_bias=False)
        self.off_diagonal, self.dim = off_diagonal, projection
        self.views = EachOf(byol_pair(encoder.image_size, area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the loss between the two views, and the mean agreement of the dimensions."""
        raw = [self.projector(self.encoder(view)) for view in views]
        za, zb = (gather(z) for z in raw)
        loss = barlow_twins_loss(za, zb, off_diagonal=self.off_diagonal)
        with torch.no_grad():
            agreement = mean_agreement(za, zb)
        return Step(loss, watched=raw[0], logs={"agreement": agreement})

    def knows_nothing(self, batch: int) -> float:
        """Return the loss of independent views: correlations of variance 1 / (B - 1)."""
        noise = self.dim + self.off_diagonal * self.dim * (self.dim - 1)
        return self.dim + noise / (batch - 1)

    def collapsed(self, batch: int) -> float:  # noqa: ARG002
        """Return the number of dimensions: all correlations 0."""
        return float(self.dim)


@full_precision
def mean_agreement(
    za: Float[Tensor, "batch dim"], zb: Float[Tensor, "batch dim"]
) -> Float[Tensor, ""]:
    """Return the mean of C_ii: 1 where both views always agree."""
    return (_normal(za) * _normal(zb)).mean()


def _correlation(
    za: Float[Tensor, "batch dim"], zb: Float[Tensor, "batch dim"]
) -> Float[Tensor, "dim dim"]:
    return _normal(za).T @ _normal(zb) / len(za)


def _normal(z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
    return F.batch_norm(z, None, None, training=True, eps=1e-5)
