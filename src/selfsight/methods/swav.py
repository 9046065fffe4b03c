"""SwAV: predict from one view to which prototypes another view of the image is assigned.

Caron, Misra, Mairal, Goyal, Bojanowski, Joulin: Unsupervised Learning of Visual Features by
Contrasting Cluster Assignments, NeurIPS 2020 (arXiv 2006.09882), equations 1 to 4 and section 3.2.

Views of one size pass through the encoder as one batch, and all of them through the head as one,
as in the authors' code. Small views are predicted but never assign.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import log
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from selfsight.gather import gather
from selfsight.method import Adjustment, Card, Method, Recipe, Situation, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.nets.prototypes import Prototypes, assignment_logs, fitting_count
from selfsight.nets.sizes import features_of_all, small_side
from selfsight.precision import full_precision
from selfsight.ranges import Count, Fraction, NonNegative, Positive, Several, Share, Whole
from selfsight.suiting import demand, demand_queue_within, fitted_queue, stronger_colour
from selfsight.views.presets import EachOf, simclr

Scores = Float[Tensor, "batch prototypes"]
CROWD = 4  # prototypes for each vector that is assigned, at most


@torch.no_grad()
@full_precision
def sinkhorn(scores: Scores, *, epsilon: float, iterations: int) -> Scores:
    """Return codes: softmax(scores / epsilon) spread evenly over the prototypes (Sinkhorn-Knopp).

    Prototypes, then samples are normalised in turn, so each row sums to 1 and each column to about
    batch / prototypes. In logarithms: exp(1 / 0.05) is beyond half precision. No gradient flows.
    """
    logs = scores / epsilon
    for _ in range(iterations):
        logs = logs.log_softmax(0).log_softmax(1)
    return logs.exp()


@full_precision
def swapped_prediction(
    scores: list[Scores], codes: list[Scores], *, temperature: float
) -> Float[Tensor, ""]:
    """Return the cross entropy of each view's code under every other view's softmax (equation 2).

    scores: cosines with the prototypes, one matrix a view; codes: of the first views, which assign.
    The mean is over batch, other views and codes.
    """
    predicted = [view.div(temperature).log_softmax(1) for view in scores]
    terms = [
        -(code * log_share).sum(1).mean()
        for assigning, code in enumerate(codes)
        for view, log_share in enumerate(predicted)
        if view != assigning
    ]
    return torch.stack(terms).mean()


class SwAV(Method):
    """Online clustering: no negatives, and an even use of all clusters instead."""

    compares_images = True

    card = Card(
        idea="Learnt prototypes are cluster centres on a sphere. Each view of an image is assigned "
        "to them so that all prototypes are used alike. The network must predict one view's "
        "assignment from another view, often a small one.",
        paper="Caron, Misra, Mairal, Goyal, Bojanowski, Joulin: Unsupervised Learning of Visual "
        "Features by Contrasting Cluster Assignments, NeurIPS 2020, arXiv 2006.09882",
        deviations="AdamW instead of SGD with LARC (paper: 0.6 at batch 256, weight decay 1e-6). "
        "Fewer prototypes, a shorter queue and 2 small views, for small images. Prototypes are "
        "normalised where they are used, with a gradient, not in place. Large views are crops of "
        "0.2 to 1 of the area (paper 0.14), small ones of 0.08 to 0.5 (paper 0.05 to 0.14). No "
        "blur of views up to 64 px, be they small views of larger images.",
        choices="Prototypes have no bias, so that scores are cosines (one library has one). The "
        "queue is filled from queue_from on and used when it is full: a queue that is partly "
        "zeros would claim prototypes. Biases and norms are not decayed (the authors' LARC decays "
        "them). Views of one size are one batch for batch norm.",
        fails="Prototypes far more than images or batch and queue cannot be used alike. Collapse: "
        "the loss stays at ln K, and mean_assignment_entropy equals assignment_entropy. Then lower "
        "epsilon to 0.03, keep the prototypes frozen longer or set small_views to 0.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)
    remedies: ClassVar[Mapping[str, str]] = {
        "one-prototype": "raise iterations, so that codes are even; then raise epsilon",
        "cluster": "raise iterations, so that codes are even; then use fewer prototypes",
        "uniform": "lower epsilon (0.03); then keep prototypes frozen for longer, or set "
        "small_views to 0",
        "complete": "lower epsilon (0.03); then lower the learning rate",
    }
    queue: Tensor
    filled: Tensor

    def __init__(
        self,
        encoder: Encoder,
        *,
        prototypes: Annotated[Several, "cluster centres; paper 3000"] = 256,
        temperature: Annotated[Positive, "softmax temperature of the prediction; paper 0.1"] = 0.1,
        epsilon: Annotated[Positive, "softness of the assignment; paper 0.05"] = 0.05,
        iterations: Annotated[Count, "of Sinkhorn-Knopp; paper 3"] = 3,
        frozen: Annotated[
            Fraction, "first share of training with fixed prototypes; code 1 epoch"
        ] = 0.02,
        queue: Annotated[
            Whole, "earlier vectors a view that join the assignment; code 3840"
        ] = 1024,
        queue_from: Annotated[Fraction, "share of training before the queue; code epoch 15"] = 0.1,
        hidden: Annotated[Count, "width of the head's hidden layer; paper 2048"] = 512,
        projection: Annotated[Count, "width of the compared vectors; paper 128"] = 64,
        small_views: Annotated[Whole, "views of a small part, besides 2 large ones; paper 6"] = 2,
        small_size: Annotated[Share, "side of a small view, share of a large; paper 96/224"] = 0.5,
        colour: Annotated[
            NonNegative, "strength of the colour jitter; paper 1, SimCLR CIFAR 0.5"
        ] = 0.5,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = mlp([encoder.dim, hidden, projection])
        self.prototypes = Prototypes(prototypes, dim=projection)
        self.register_buffer("queue", torch.zeros(2, queue, projection))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))
        self.temperature, self.epsilon, self.iterations = temperature, epsilon, iterations
        self.frozen, self.queue_from = frozen, queue_from
        large = replace(simclr(encoder.image_size, strength=colour), area=(0.2, 1.0))
        side = small_side(encoder, share=small_size)
        small = replace(simclr(side, strength=colour), area=(0.08, 0.5))
        self.views = EachOf((large, large, *[small] * small_views))

    def forward(self, views: Views, progress: float) -> Step:
        """Return the swapped prediction between the two large views, and from the small ones."""
        projections = self.projector(features_of_all(self.encoder, views)).chunk(len(views))
        z = [gather(view) for view in projections]
        scores = [self.prototypes(view, frozen=progress < self.frozen) for view in z]
        codes = [self._codes(scores[place], self.queue[place]) for place in range(2)]
        loss = swapped_prediction(scores, codes, temperature=self.temperature)
        if progress >= self.queue_from:
            self._enqueue(z[:2])
        # as the codes would be if nothing made them even
        logs = assignment_logs((scores[0] / self.epsilon).softmax(1))
        return Step(loss, watched=projections[0], logs=logs)

    def _codes(self, scores: Scores, queue: Float[Tensor, "length dim"]) -> Scores:
        """Return the codes of a view's scores; a full queue is assigned along with them."""
        rows = scores.detach()
        if self.filled >= len(queue):  # zeros of a partly filled one would claim prototypes
            with torch.no_grad():
                rows = torch.cat([rows, self.prototypes(queue, frozen=True)])
        codes: Tensor = sinkhorn(rows, epsilon=self.epsilon, iterations=self.iterations)
        return codes[: len(scores)]

    @torch.no_grad()
    def _enqueue(self, z: Views | list[Tensor]) -> None:
        """Put the two assigning views' vectors in front and drop the oldest."""
        newest = F.normalize(torch.stack(z).float(), dim=2)
        length = self.queue.shape[1]
        self.filled = (self.filled + newest.shape[1]).clamp(max=length)
        self.queue = torch.cat([newest, self.queue], dim=1)[:, :length]

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return the loss of independent random directions, ln K + 1 / (2 d t^2) roughly."""
        count, dim = self.prototypes.weight.shape
        return log(count) + 1 / (2 * dim * self.temperature**2)

    def collapsed(self, batch: int) -> float:  # noqa: ARG002
        """Return ln K: all vectors equal, and as near to one prototype as to any other."""
        return log(len(self.prototypes.weight))

    @classmethod
    def suited(cls, situation: Situation) -> list[Adjustment]:
        """Return fewer prototypes than images, a queue that fits, and colours for large images."""
        suiting = [*fitted_queue(situation, length=1024), *stronger_colour(situation)]
        fewer = fitting_count(256, images=situation.images)
        reason = f"256 would be more than a quarter of the {situation.images:,} images"
        if CROWD * situation.batch < fewer:  # which is assigned alone until the queue is full
            fewer = CROWD * situation.batch
            reason = (
                f"256 would be more than {CROWD} for each vector of a batch of {fewer // CROWD}"
            )
        return suiting if fewer == 256 else [Adjustment("prototypes", fewer, reason), *suiting]

    def demand_fit(self, situation: Situation) -> None:
        """Raise UserError for a queue longer than the data, or prototypes that cannot be used.

        What is assigned at once, batch and queue, is to be spread evenly over the prototypes.
        """
        queue, prototypes = self.queue.shape[1], len(self.prototypes.weight)
        demand_queue_within(situation, length=queue)
        most = CROWD * (situation.batch + queue)
        demand(
            prototypes <= most,
            setting="prototypes",
            value=prototypes,
            wanted=f"at most {most}, {CROWD} for each vector of the batch of {situation.batch} and "
            f"the queue of {queue}; lengthen the queue or the batch",
        )
