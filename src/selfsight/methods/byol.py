"""BYOL: predict what a slow copy of oneself says about the other view; nothing repels.

Grill et al.: Bootstrap Your Own Latent, NeurIPS 2020 (arXiv 2006.07733), equations 1 and 2.

Each view passes through the networks on its own, with its own batch norm statistics.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.ema import Ema
from selfsight.gather import gather
from selfsight.method import Adjustment, Card, Method, Recipe, Situation, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.precision import full_precision
from selfsight.ranges import Count, Momentum, Share
from selfsight.schedule import rising_momentum
from selfsight.suiting import slower_teacher
from selfsight.views.presets import EachOf, byol_pair


@full_precision
def cosine_distance(
    p: Float[Tensor, "batch dim"], z: Float[Tensor, "batch dim"]
) -> Float[Tensor, ""]:
    """Return the mean of 2 - 2 cos(p, z), one direction: the squared distance of unit vectors.

    The gradient goes to `p` only. 0 for equal directions, 2 for independent ones, 4 for opposite.
    """
    return 2 - 2 * F.cosine_similarity(p, z.detach(), dim=1).mean()


class BYOL(Method):
    """No negatives: a predictor and a slow target keep it from collapsing."""

    compares_images = True

    card = Card(
        idea="Every image is cut and recoloured twice at random. From one view the network must "
        "predict what a slow copy of it says about the other view. Nothing pushes images apart: "
        "that only one side has a predictor, and the other moves slowly, is enough.",
        paper="Grill, Strub, Altché, Tallec, Richemond, Buchatskaya, Doersch, Avila Pires, Guo, "
        "Azar, Piot, Kavukcuoglu, Munos, Valko: Bootstrap Your Own Latent, NeurIPS 2020, "
        "arXiv 2006.07733",
        deviations="SGD instead of LARS (rate 0.2 to 0.45, decay 1e-6). Narrower heads (1024 "
        "instead of 4096). No blur up to 64 px. The target starts as a copy of the network, as in "
        "the paper; the authors' code draws it anew.",
        choices="The sum of 2 - 2 cos over both directions; one library takes minus half the mean "
        "cosine, a gradient four times smaller. The last layers have no bias. The target moves "
        "after the optimiser's step, by weights, and keeps batch norm statistics of its own. Each "
        "view is one pass through the networks.",
        fails="It can collapse: the loss falls to 0 at once and all vectors become equal. A loss "
        "that falls is no sign of quality, because the target moves; look at spread and kNN.",
    )
    recipe = Recipe(optimiser="sgd", lr=0.1, weight_decay=5e-4)  # AdamW: fewer dimensions
    remedies: ClassVar[Mapping[str, str]] = {
        "complete": "raise momentum towards 0.99 or above, so that the target is slow; then lower "
        "the learning rate",
        "dimensional": "raise momentum towards 0.99 or above; then lower the learning rate",
    }

    def __init__(
        self,
        encoder: Encoder,
        *,
        momentum: Annotated[Momentum, "of the target at the start, rises to 1; paper 0.996"] = 0.99,
        hidden: Annotated[Count, "width of the heads' hidden layer; paper 4096"] = 1024,
        projection: Annotated[Count, "width of the compared vectors; paper 256"] = 256,
        crop: Annotated[Share, "smallest share of the area in a crop; paper 0.08"] = 0.08,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        sizes = [hidden, projection]
        self.projector = mlp([encoder.dim, *sizes], hidden_bias=True, last_bias=False)
        self.predictor = mlp([projection, *sizes], hidden_bias=True, last_bias=False)
        self.target = Ema(self._online)
        self.momentum = momentum
        self.views = EachOf(byol_pair(encoder.image_size, area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the sum of both directions (equation 2 and its symmetric loss)."""
        za, zb = (self._online(view) for view in views)
        pa, pb = (gather(self.predictor(z)) for z in (za, zb))
        target_a, target_b = (gather(self.target(view)) for view in views)
        loss = cosine_distance(pa, target_b) + cosine_distance(pb, target_a)
        return Step(loss, watched=za, logs={})

    def after_step(self, progress: float) -> None:
        """Move the target (equation 1, right)."""
        momentum = rising_momentum(progress, start=self.momentum)
        self.target.update(self._online, momentum=momentum)

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return 4: predictions that are orthogonal to the targets, in both directions."""
        return 4.0

    def collapsed(self, batch: int) -> float:  # noqa: ARG002
        """Return 0, which is the loss of a perfect network too."""
        return 0.0

    @classmethod
    def suited(cls, situation: Situation) -> list[Adjustment]:
        """Return a momentum for small batches."""
        return slower_teacher(situation, momentum=0.99)

    @property
    def _online(self) -> nn.Sequential:
        return nn.Sequential(self.encoder, self.projector)
