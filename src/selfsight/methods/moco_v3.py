"""MoCo v3: find a picture's other view among the batch, as a slow copy of the network sees it.

Chen, Xie, He: An Empirical Study of Training Self-Supervised Vision Transformers, ICCV 2021
(arXiv 2104.02057), equation 1 and algorithm 1.

Each view passes through the networks on its own, with its own batch norm statistics.
"""

from math import log
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.ema import Ema
from selfsight.gather import gather
from selfsight.matching import matching_loss
from selfsight.method import Adjustment, Card, Method, Recipe, Situation, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.precision import full_precision
from selfsight.ranges import Count, Momentum, Positive, Share
from selfsight.schedule import rising_momentum
from selfsight.suiting import slower_teacher
from selfsight.views.presets import EachOf, byol_pair


@full_precision
def contrastive_loss(
    q: Float[Tensor, "batch dim"], k: Float[Tensor, "batch dim"], *, temperature: float
) -> Float[Tensor, ""]:
    """Return 2 t times the cross entropy of finding each query's key among all keys, one way.

    Negatives are the other images' keys, never a vector of the same view. The gradient goes to
    the queries only. All rows equal gives 2 t ln(batch).
    """
    q, k = F.normalize(q, dim=1), F.normalize(k.detach(), dim=1)
    own = torch.arange(len(q), device=q.device)
    return 2 * temperature * matching_loss(q, k, own, temperature=temperature)


class MoCoV3(Method):
    """Contrast within the batch, with a predictor and a slow copy; made for transformers."""

    compares_images = True

    card = Card(
        idea="Every image is cut and recoloured twice at random. From one view the network must "
        "predict what a slow copy of it says about the other view, and tell that from what the "
        "copy says about all other images of the batch. The copy makes the target steady.",
        paper="Chen, Xie, He: An Empirical Study of Training Self-Supervised Vision Transformers, "
        "ICCV 2021, arXiv 2104.02057",
        deviations="The heads are those of the paper's ResNet, narrower (1024 instead of 4096), "
        "for transformers too. The slow copy moves after the step, not before the next. A "
        "transformer keeps its own position codes; its patch projection stays random, as in the "
        "paper. The paper's recipe: LARS 0.3 to 0.6 for ResNets; AdamW 1.5e-4, decay 0.1 for "
        "transformers. No blur up to 64 px.",
        choices="The denominator holds the other view's keys only, never a vector of the same "
        "view, unlike SimCLR's. Both directions are summed, each times 2 t. The slow copy "
        "averages weights and keeps batch norm statistics of its own. Each view is one pass "
        "through the networks.",
        fails="A small batch has few negatives and learns less. In transformers, sudden dips of "
        "the accuracy in training cost a few percent of quality unnoticed.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)

    def __init__(
        self,
        encoder: Encoder,
        *,
        temperature: Annotated[Positive, "softmax temperature; paper 0.2 (ResNet 1.0)"] = 0.2,
        momentum: Annotated[
            Momentum, "of the slow copy at the start, rises to 1; paper 0.99"
        ] = 0.99,
        hidden: Annotated[Count, "width of the heads' hidden layer; paper 4096"] = 1024,
        projection: Annotated[Count, "width of the compared vectors; paper 256"] = 256,
        crop: Annotated[Share, "smallest share of the area in a crop; paper 0.2 (ResNet)"] = 0.2,
    ) -> None:
        super().__init__()
        if hasattr(encoder.network, "patch_embed"):
            encoder.network.patch_embed.requires_grad_(requires_grad=False)  # section 4.2
        self.encoder = encoder
        self.projector = mlp(
            [encoder.dim, hidden, projection], last_bias=False, last_norm="batch_no_affine"
        )
        self.predictor = mlp([projection, hidden, projection], last_bias=False)
        self.slow = Ema(self._online)
        self.temperature, self.momentum, self.dim = temperature, momentum, projection
        self.views = EachOf(byol_pair(encoder.image_size, area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the sum of both directions."""
        za, zb = (self._online(view) for view in views)
        qa, qb = (gather(self.predictor(z)) for z in (za, zb))
        ka, kb = (gather(self.slow(view)) for view in views)
        loss = contrastive_loss(qa, kb, temperature=self.temperature) + contrastive_loss(
            qb, ka, temperature=self.temperature
        )
        return Step(loss, watched=za, logs={})

    def after_step(self, progress: float) -> None:
        """Move the slow copy."""
        momentum = rising_momentum(progress, start=self.momentum)
        self.slow.update(self._online, momentum=momentum)

    def knows_nothing(self, batch: int) -> float:
        """Return the loss of independent random directions, 4 t (ln B + 1 / (2 d t^2)) roughly."""
        return 4 * self.temperature * (log(batch) + 1 / (2 * self.dim * self.temperature**2))

    def collapsed(self, batch: int) -> float:
        """Return 4 t ln B: all vectors equal."""
        return 4 * self.temperature * log(batch)

    @classmethod
    def suited(cls, situation: Situation) -> list[Adjustment]:
        """Return a momentum for small batches."""
        return slower_teacher(situation, momentum=0.99)

    @property
    def _online(self) -> nn.Sequential:
        return nn.Sequential(self.encoder, self.projector)
