"""NNCLR: the positive is not the image's other view but that view's nearest neighbour.

Dwibedi, Aytar, Tompson, Sermanet, Zisserman: With a Little Help from My Friends: Nearest-Neighbor
Contrastive Learning of Visual Representations, ICCV 2021 (arXiv 2104.14548), equations 2 and 3.

Each view passes through the network on its own, with its own batch norm statistics.
"""

from dataclasses import replace
from math import log
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsight.gather import gather
from selfsight.matching import matching_loss
from selfsight.method import Adjustment, Card, Method, Recipe, Situation, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.precision import full_precision
from selfsight.ranges import Count, NonNegative, Positive, Share
from selfsight.ring import Ring, nearest
from selfsight.suiting import (
    demand_queue_within,
    fitted_queue,
    stronger_colour,
)
from selfsight.views.presets import simclr, two_views


@full_precision
def nearest_neighbour_loss(
    z: Float[Tensor, "batch dim"],
    p: Float[Tensor, "batch dim"],
    queue: Float[Tensor, "length dim"],
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """Return the cross entropy of finding, from each z's neighbour, the image's p, one direction.

    z: projections of one view; only their neighbours in the queue enter. p: predictions for the
    other view, the positive and the negatives. The gradient goes to p only. All p equal gives
    ln(batch).
    """
    _, place = nearest(z, queue)
    neighbours = F.normalize(queue.detach()[place], dim=1)
    p = F.normalize(p, dim=1)
    own = torch.arange(len(p), device=p.device)
    return matching_loss(neighbours, p, own, temperature=temperature)


class NNCLR(Method):
    """Positives from other images: what crops and colours cannot vary, neighbours do."""

    compares_images = True

    card = Card(
        idea="Every image is cut, flipped and recoloured twice at random. One view's vector is "
        "replaced by the most similar one among thousands of earlier images. From this neighbour "
        "the image's other view must be found in the batch, so the network learns what similar "
        "images share.",
        paper="Dwibedi, Aytar, Tompson, Sermanet, Zisserman: With a Little Help from My Friends: "
        "Nearest-Neighbor Contrastive Learning of Visual Representations, ICCV 2021, "
        "arXiv 2104.14548",
        deviations="AdamW instead of LARS. Narrower heads and a shorter queue. The softmax runs "
        "over predictions only, not over neighbours too; both directions are averaged. No blur up "
        "to 64 px.",
        choices="Negatives are predictions for the other view only; one library puts neighbours "
        "and predictions into SimCLR's loss, with terms that the paper does not have. View 1 "
        "joins the queue after the look-up, and nothing needs labels (one library queues them for "
        "a log). Each view is one pass through the network.",
        fails="If the queue is longer than the data, the neighbour is an old view of the image "
        "itself and the method becomes plain contrast. In the first steps the queue is noise and "
        "so are the neighbours: that passes.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)

    def __init__(
        self,
        encoder: Encoder,
        *,
        queue: Annotated[Count, "vectors among which neighbours are sought; ours"] = 4096,
        temperature: Annotated[Positive, "softmax temperature; paper 0.1, CIFAR code 0.2"] = 0.2,
        hidden: Annotated[Count, "width of the projector; paper 2048"] = 1024,
        predicting: Annotated[Count, "width of the predictor's hidden layer; paper 4096"] = 1024,
        projection: Annotated[Count, "width of the compared vectors; paper 256"] = 256,
        crop: Annotated[Share, "smallest share of the area in a crop; SimCLR's paper 0.08"] = 0.08,
        colour: Annotated[
            NonNegative, "strength of the colour jitter; SimCLR's paper 0.5 for CIFAR"
        ] = 0.5,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = mlp(
            [encoder.dim, hidden, hidden, projection], last_bias=False, last_norm="batch"
        )
        self.predictor = mlp([projection, predicting, projection])
        self.queue = Ring(length=queue, dim=projection)
        self.temperature, self.dim = temperature, projection
        augmentation = simclr(encoder.image_size, strength=colour)
        self.views = two_views(replace(augmentation, area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return the mean of both directions; view 1 joins the queue after the look-up."""
        raw = [self.projector(self.encoder(view)) for view in views]
        pa, pb = (gather(self.predictor(z)) for z in raw)
        za, zb = (gather(z) for z in raw)
        old, temperature = self.queue.rows, self.temperature
        loss = (
            nearest_neighbour_loss(za, pb, old, temperature=temperature)
            + nearest_neighbour_loss(zb, pa, old, temperature=temperature)
        ) / 2
        same = (nearest(za, old)[1] == nearest(zb, old)[1]).float().mean()
        self.queue.enqueue(za)
        return Step(loss, watched=raw[0], logs={"same_neighbour": same})

    def knows_nothing(self, batch: int) -> float:
        """Return the loss of independent random directions, ln B + 1 / (2 d t^2) roughly."""
        return log(batch) + 1 / (2 * self.dim * self.temperature**2)

    def collapsed(self, batch: int) -> float:
        """Return ln B: all vectors equal."""
        return log(batch)

    @classmethod
    def suited(cls, situation: Situation) -> list[Adjustment]:
        """Return a queue that does not hold the images themselves, and colours for large ones."""
        return [*fitted_queue(situation, length=4096), *stronger_colour(situation)]

    def demand_fit(self, situation: Situation) -> None:
        """Raise UserError for a queue longer than the data."""
        demand_queue_within(situation, length=len(self.queue.rows))
