"""SimSiam: predict the other view's vector, and do not let that vector come to meet you.

Chen, He: Exploring Simple Siamese Representation Learning, CVPR 2021 (arXiv 2011.10566),
equations 1 to 4.

Each view passes through the network on its own, with its own batch norm statistics.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsight.gather import gather
from selfsight.method import Card, Method, Recipe, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.precision import full_precision
from selfsight.ranges import Count, NonNegative, Several, Share
from selfsight.suiting import demand
from selfsight.views.presets import simclr, two_views


@full_precision
def negative_cosine(
    p: Float[Tensor, "batch dim"], z: Float[Tensor, "batch dim"]
) -> Float[Tensor, ""]:
    """Return minus the mean cosine of `p` and `z`, one direction (equations 1 and 3).

    The gradient goes to `p` only. In [-1, 1]; 0 for independent directions.
    """
    return -F.cosine_similarity(p, z.detach(), dim=1).mean()


class SimSiam(Method):
    """The least that works: no negatives, no slow copy, no large batch."""

    compares_images = True

    card = Card(
        idea="Every image is cut, flipped and recoloured twice at random. From one view a network "
        "and a small predictor must say what the same network says about the other view. That "
        "other side gets no gradient, which is all that keeps the vectors from becoming equal.",
        paper="Chen, He: Exploring Simple Siamese Representation Learning, CVPR 2021, "
        "arXiv 2011.10566",
        deviations="A projector of 2 layers, as in the paper for CIFAR (3 for ImageNet), and "
        "narrower (1024 instead of 2048). AdamW instead of SGD (rate 0.05, decay 1e-4; CIFAR "
        "0.03, 5e-4). Biases and norms are not decayed (authors' code: all weights are). The "
        "residual blocks begin as the encoder makes them. No blur up to 64 px, as in the paper for "
        "CIFAR.",
        choices="The projector's last batch norm has no weights of its own, as in the authors' "
        "code (one library gives it some). Each view is one pass through the network, so views "
        "share no statistics.",
        fails="It can collapse: the loss falls to -1 at once and the vectors become equal or lie "
        "on a line (effective rank near 1). It learns more slowly than methods with a target.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)
    remedies: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("complete", "dimensional"),
        "lower the learning rate; then see that the predictor learns and that its targets get no "
        "gradient",
    )

    def __init__(
        self,
        encoder: Encoder,
        *,
        projection: Annotated[Several, "width of the projector and its vectors; paper 2048"] = 1024,
        bottleneck: Annotated[Count, "width of the predictor's hidden layer; paper 512"] = 256,
        crop: Annotated[Share, "smallest share of the area in a crop; paper 0.2"] = 0.2,
        colour: Annotated[NonNegative, "strength of the colour jitter; paper 0.5"] = 0.5,
    ) -> None:
        super().__init__()
        demand(
            0 < bottleneck < projection,
            setting="bottleneck",
            value=bottleneck,
            wanted=f"narrower than the projection ({projection}), such as a quarter of it",
        )
        self.encoder = encoder
        self.projector = mlp(
            [encoder.dim, projection, projection], last_bias=False, last_norm="batch_no_affine"
        )
        self.predictor = mlp([projection, bottleneck, projection])
        augmentation = simclr(encoder.image_size, strength=colour)
        self.views = two_views(replace(augmentation, area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the mean of both directions (equation 4)."""
        za, zb = (self.projector(self.encoder(view)) for view in views)
        pa, pb = (gather(self.predictor(z)) for z in (za, zb))
        loss = (negative_cosine(pa, gather(zb)) + negative_cosine(pb, gather(za))) / 2
        return Step(loss, watched=za, logs={})

    def param_groups(self) -> list[dict[str, object]]:
        """Return two groups: the predictor's rate stays, so that it follows the moving vectors."""
        learning = [*self.encoder.parameters(), *self.projector.parameters()]
        return [
            {"params": [weight for weight in learning if weight.requires_grad]},
            {"params": list(self.predictor.parameters()), "fixed_rate": True},
        ]

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return 0: predictions that are orthogonal to the vectors."""
        return 0.0

    def perfect(self, batch: int) -> float:  # noqa: ARG002
        """Return -1: both predictions hit."""
        return -1.0

    def collapsed(self, batch: int) -> float:  # noqa: ARG002
        """Return -1, which is the loss of a perfect network too."""
        return -1.0
