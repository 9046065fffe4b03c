"""SimCLR: two views of one image attract each other, all other images of the batch repel.

Chen, Kornblith, Norouzi, Hinton: A Simple Framework for Contrastive Learning of Visual
Representations, ICML 2020 (arXiv 2002.05709), equation 1 and algorithm 1.

Both views pass through the network as one batch, so they share batch norm statistics, as in the
authors' code.
"""

from dataclasses import replace
from math import log
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.gather import gather
from selfsight.joined import joined
from selfsight.matching import matching_loss
from selfsight.method import Adjustment, Card, Method, Recipe, Situation, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.precision import full_precision
from selfsight.ranges import Count, NonNegative, Positive, Share
from selfsight.suiting import stronger_colour
from selfsight.views.presets import simclr, two_views


@full_precision
def nt_xent(
    za: Float[Tensor, "batch dim"], zb: Float[Tensor, "batch dim"], *, temperature: float
) -> Float[Tensor, ""]:
    """Return the normalised temperature-scaled cross entropy, the mean over 2 x batch anchors.

    An anchor's positive is its image's other view; its negatives are the 2 x batch - 2 other
    vectors of both views (equation 1). All rows equal gives ln(2 x batch - 1).
    """
    z = F.normalize(torch.cat([za, zb]), dim=1)
    partners = torch.arange(len(z), device=z.device).roll(len(za))
    return matching_loss(z, z, partners, temperature=temperature, but_itself=True)


class SimCLR(Method):
    """The baseline of contrastive learning: simple, and as good as its batch is large."""

    compares_images = True

    card = Card(
        idea="Every image is cut, flipped and recoloured twice at random. A network and a small "
        "head must find an image's other view among all the views of the batch. What survives "
        "cutting and recolouring is what the image shows, so that is what the network keeps.",
        paper="Chen, Kornblith, Norouzi, Hinton: A Simple Framework for Contrastive Learning of "
        "Visual Representations, ICML 2020, arXiv 2002.05709",
        deviations="AdamW instead of LARS (rate 0.3). Brightness is multiplicative, as in the "
        "authors' second version. No blur up to 64 px, as in the authors' CIFAR recipe.",
        choices="The mean over all 2B anchors, as in the paper; Google's code prints twice that, "
        "which is another rate for biases and norms. The denominator has the 2B - 1 other vectors "
        "of both views, the positive too; MoCo v3 and NNCLR compare with the other view only. "
        "Batch norm after the head's hidden layer alone (paper: none, authors' code: after every "
        "layer). Weight decay 1e-4 (their code; paper 1e-6). Both views are one batch "
        "for batch norm.",
        fails="Small batches have few negatives and learn less. A temperature far too high gives "
        "vectors that spread but do not tell images apart. Without colour jitter the network "
        "matches colour histograms.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)

    def __init__(
        self,
        encoder: Encoder,
        *,
        temperature: Annotated[Positive, "softmax temperature; paper 0.1 to 0.5 (CIFAR 0.5)"] = 0.2,
        hidden: Annotated[Count, "width of the head's hidden layer; paper: the encoder's"] = 512,
        projection: Annotated[Count, "width of the compared vectors; paper 128"] = 128,
        crop: Annotated[Share, "smallest share of the area in a crop; paper 0.08"] = 0.08,
        colour: Annotated[NonNegative, "strength of the colour jitter; paper 0.5 for CIFAR"] = 0.5,
        measure_head: Annotated[
            bool, "measure the head's vectors too, to see why the encoder's are kept; ours"
        ] = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = mlp([encoder.dim, hidden, projection])
        self.temperature, self.dim, self.measure_head = temperature, projection, measure_head
        augmentation = simclr(encoder.image_size, strength=colour)
        self.views = two_views(replace(augmentation, area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return NT-Xent between the two views."""
        z = self.projector(self.encoder(joined(views)))
        za, zb = z.chunk(2)
        loss = nt_xent(gather(za), gather(zb), temperature=self.temperature)
        return Step(loss, watched=za, logs={})

    def heads_to_measure(self) -> dict[str, nn.Module]:
        """Return the projection head g, if asked for: the paper finds more in what it is given."""
        return {"head": self.projector} if self.measure_head else {}

    def knows_nothing(self, batch: int) -> float:
        """Return the loss of independent random directions, ln(2B - 1) + 1 / (2 d t^2) roughly."""
        return log(2 * batch - 1) + 1 / (2 * self.dim * self.temperature**2)

    def collapsed(self, batch: int) -> float:
        """Return ln(2B - 1): all vectors equal."""
        return log(2 * batch - 1)

    @classmethod
    def suited(cls, situation: Situation) -> list[Adjustment]:
        """Return stronger colours for large images."""
        return stronger_colour(situation)
