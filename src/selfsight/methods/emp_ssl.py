"""EMP-SSL: many patches of an image must agree while the vectors of a batch fill the space.

Tong, Chen, Ma, LeCun: EMP-SSL: Towards Self-Supervised Learning in One Training Epoch, 2023
(arXiv 2304.03977). The coding rate is that of Yu, Chan, You, Song, Ma: Learning Diverse and
Discriminative Representations via the Principle of Maximal Coding Rate Reduction, NeurIPS 2020.

All patches of a step pass through the network as one batch.
"""

from collections.abc import Mapping
from math import log, sqrt
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsight.gather import gather
from selfsight.joined import joined
from selfsight.method import Card, Method, Recipe, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.nets.sizes import features_of, small_side
from selfsight.precision import full_precision
from selfsight.ranges import Count, NonNegative, Positive, Several, Share
from selfsight.views.presets import Augmentation, EachOf

Vectors = Float[Tensor, "batch dim"]


@full_precision
def coding_rate(z: Vectors, *, epsilon: float) -> Float[Tensor, ""]:
    """Return R = 1/2 logdet(I + d / (B epsilon) Z'Z) of the normalised rows, in nats.

    It is 1/2 ln(1 + d / epsilon) when all rows are equal and grows as they fill the space.
    `epsilon` is the code's: the square of the paper's.
    """
    z = F.normalize(z, dim=1)
    batch, dim = z.shape
    gram = z @ z.T if batch < dim else z.T @ z  # both have the same determinant
    gram = torch.eye(len(gram), dtype=z.dtype, device=z.device) + dim / (batch * epsilon) * gram
    # half the log determinant: that of the triangle whose square it is
    rate: Tensor = torch.linalg.cholesky(gram).diagonal().log().sum()
    return rate


@full_precision
def emp_ssl_loss(
    views: list[Vectors], *, epsilon: float = 0.2, invariance: float = 200.0
) -> Float[Tensor, ""]:
    """Return -R - `invariance` x cosine with the mean vector of the image; the mean over views.

    The sign matters: with +R the best network gives all images one vector.
    """
    z = [F.normalize(view, dim=1) for view in views]
    middle = torch.stack(z).mean(0)
    rate = torch.stack([coding_rate(view, epsilon=epsilon) for view in z]).mean()
    agreement = torch.stack([F.cosine_similarity(view, middle).mean() for view in z]).mean()
    return -rate - invariance * agreement


def random_rate(batch: int, *, dim: int, epsilon: float) -> float:
    """Return the coding rate of `batch` independent directions in `dim` dimensions, nearly.

    The eigenvalues of d/B Z'Z then follow Marchenko and Pastur's law, for which the mean of
    ln(1 + eigenvalue / epsilon) is known (Verdu, Shamai, IEEE
    Transactions on Information Theory 45, 1999).
    """
    gain, ratio = 1 / epsilon, dim / batch
    inner, outer = (sqrt(gain * (1 + sign * sqrt(ratio)) ** 2 + 1) for sign in (-1, 1))
    common = (outer - inner) ** 2 / 4
    mean = log(1 + gain - common) + log(1 + gain * ratio - common) / ratio - common / (gain * ratio)
    return dim / 2 * mean


class EmpSSL(Method):
    """Few epochs, many patches: the images are seen seldom, and each time often."""

    compares_images = True

    card = Card(
        idea="Many patches are cut from every image and recoloured. Their vectors must lie near "
        "the mean of their image, while the vectors of the batch must fill as large a volume as "
        "they can. With many patches the network learns much from seeing an image once.",
        paper="Tong, Chen, Ma, LeCun: EMP-SSL: Towards Self-Supervised Learning in One Training "
        "Epoch, 2023, arXiv 2304.03977",
        deviations="Patches keep their resolution (paper: enlarged to the image's size), which "
        "costs a quarter. What is kept is the encoder and one whole image gives its features "
        "(paper: a layer of the head). AdamW instead of SGD with LARC.",
        choices="The coding rate enters with a minus and so grows; one library adds it, and its "
        "best network gives all images one vector. epsilon is the code's 0.2, which stands where "
        "the paper has a square. Accuracies of the paper are means over 128 crops and not "
        "comparable. All patches of a step are one batch for batch norm.",
        fails="A step with V patches costs as much as V / 2 steps with two such views: compare "
        "methods at equal time, not at equal epochs. A coding rate near 1/2 ln(1 + d / epsilon) "
        "is a collapse.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)
    remedies: ClassVar[Mapping[str, str]] = {
        "complete": "lower invariance; then lower the learning rate",
        "dimensional": "lower invariance; then lower the learning rate",
    }

    def __init__(
        self,
        encoder: Encoder,
        *,
        patches: Annotated[Several, "patches an image; paper 20 to 200"] = 8,
        area: Annotated[Share, "of a patch, share of the image's; code 0.25"] = 0.25,
        patch_size: Annotated[Share, "side of a patch, share of the image's; code 1"] = 0.5,
        epsilon: Annotated[Positive, "distortion of the coding rate; code 0.2"] = 0.2,
        invariance: Annotated[NonNegative, "weight of the agreement; code 200"] = 200.0,
        hidden: Annotated[Count, "width of the head's hidden layers; code 4096"] = 512,
        projection: Annotated[Count, "width of the compared vectors; code 1024"] = 256,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = mlp([encoder.dim, hidden, hidden, projection])
        self.epsilon, self.invariance = epsilon, invariance
        self.patches, self.dim = patches, projection
        patch = Augmentation(
            small_side(encoder, share=patch_size),
            area=(area, area),
            aspect=(1.0, 1.0),
            jitter=0.8,
            brightness=0.4,
            contrast=0.4,
            saturation=0.4,
            hue=0.2,
            grey=0.2,
            blur=0.1,
            solarise=0.1,
        )
        self.views = EachOf((patch,) * patches)

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the loss over all patches of each image."""
        projections = self.projector(features_of(self.encoder, joined(views))).chunk(len(views))
        z = [gather(view) for view in projections]
        loss = emp_ssl_loss(z, epsilon=self.epsilon, invariance=self.invariance)
        rate = coding_rate(z[0].detach(), epsilon=self.epsilon)
        return Step(loss, watched=projections[0], logs={"coding_rate": rate})

    def knows_nothing(self, batch: int) -> float:
        """Return the loss of independent random directions: V of them have cosine 1 / sqrt(V)."""
        rate = random_rate(batch, dim=self.dim, epsilon=self.epsilon)
        return -rate - self.invariance / sqrt(self.patches)

    def perfect(self, batch: int) -> float:
        """Return the loss when all patches of an image agree, and the images are all orthogonal.

        Fewer images than dimensions span fewer, each of them with more of the volume.
        """
        spanned = min(batch, self.dim)
        volume = 0.5 * spanned * log(1 + self.dim / (spanned * self.epsilon))
        return -volume - self.invariance

    def collapsed(self, batch: int) -> float:  # noqa: ARG002
        """Return the loss when all vectors are equal."""
        return -0.5 * log(1 + self.dim / self.epsilon) - self.invariance
