"""MoCo v2: find a picture's other view among the views of many earlier batches.

He, Fan, Wu, Xie, Girshick: Momentum Contrast for Unsupervised Visual Representation Learning,
CVPR 2020 (arXiv 1911.05722), equations 1 and 2, algorithm 1; Chen, Fan, Girshick, He: Improved
Baselines with Momentum Contrastive Learning, 2020 (arXiv 2003.04297).

Queries and keys pass through two networks, so they share no batch norm statistics; within each,
batch norm works in groups, with the keys shuffled (`nets/split_batch_norm.py`).
"""

from dataclasses import replace
from math import log
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from selfsight.ema import Ema
from selfsight.gather import gather, world_size
from selfsight.method import Adjustment, Card, Method, Recipe, Situation, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.split_batch_norm import (
    SplitBatchNorm,
    demand_groups,
    shuffled,
    split_batch_norms,
    with_whole_batch_norms,
)
from selfsight.precision import full_precision
from selfsight.ranges import Count, Momentum, NonNegative, Positive, Share
from selfsight.ring import Ring, nearest
from selfsight.suiting import (
    demand_queue_within,
    fitted_queue,
    fitted_splits,
    slower_teacher,
)
from selfsight.views.presets import simclr, two_views


@full_precision
def info_nce(
    q: Float[Tensor, "batch dim"],
    k: Float[Tensor, "batch dim"],
    queue: Float[Tensor, "length dim"],
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """Return the cross entropy of finding each query's key among it and the queue (equation 1).

    The gradient goes to the queries only. All rows equal gives ln(length + 1).
    """
    q, k, queue = (F.normalize(rows, dim=1) for rows in (q, k.detach(), queue.detach()))
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.T], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long, device=q.device))


class MoCo(Method):
    """Contrast without a large batch: the negatives come from a queue."""

    compares_images = True

    card = Card(
        idea="Every image is cut, flipped and recoloured twice at random. A network must find an "
        "image's other view among thousands of views of other images. Those are kept from earlier "
        "batches, and made by a slow copy of the network so that they stay comparable.",
        paper="He, Fan, Wu, Xie, Girshick: Momentum Contrast for Unsupervised Visual "
        "Representation Learning, CVPR 2020, arXiv 1911.05722; Chen, Fan, Girshick, He: Improved "
        "Baselines with Momentum Contrastive Learning, 2020, arXiv 2003.04297",
        deviations="AdamW instead of SGD (rate 0.03, decay 1e-4). Biases and norms are not decayed "
        "(authors' code: all weights are). A queue of 4096 and momentum "
        "0.99, as in the authors' CIFAR demonstration. The slow copy moves after the step, not "
        "before the next. Batch norm is split within a process, keys are shuffled there only. "
        "No blur up to 64 px.",
        choices="With directions = both, keys join the queue after both losses, so that no key is "
        "a negative of its own image (a popular library enqueues in between), and the loss is the "
        "mean (the authors' demonstration: the sum). The queue is a ring: a batch that crosses "
        "its end goes on at its start. The slow copy averages weights and keeps batch norm "
        "statistics of its own.",
        fails="At the start the queue is noise: the loss falls fast, then rises while real keys "
        "fill it. If batch norm gives the key away, the loss falls and the features stay poor. A "
        "momentum far too low makes keys of different age incomparable.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)

    def __init__(
        self,
        encoder: Encoder,
        *,
        queue: Annotated[Count, "vectors kept as negatives; paper 65536, CIFAR 4096"] = 4096,
        temperature: Annotated[Positive, "softmax temperature; paper 0.2 (v1 0.07)"] = 0.2,
        momentum: Annotated[Momentum, "of the slow copy; paper 0.999, CIFAR 0.99"] = 0.99,
        directions: Annotated[
            Literal["one", "both"],
            "one: view 1 asks, view 2 answers; both: each does both; paper one",
        ] = "one",
        splits: Annotated[Count, "groups of batch norm, as on that many devices; paper 8"] = 4,
        hidden: Annotated[Count, "width of the head's hidden layer; paper 2048"] = 512,
        projection: Annotated[Count, "width of the compared vectors; paper 128"] = 128,
        crop: Annotated[Share, "smallest share of the area in a crop; paper 0.2"] = 0.2,
        colour: Annotated[NonNegative, "strength of the colour jitter; paper 0.5"] = 0.5,
    ) -> None:
        super().__init__()
        if splits > 1:
            split_batch_norms(encoder, splits=splits)
        self.encoder = encoder
        self.projector = nn.Sequential(  # without batch norm, unlike the heads of `mlp`
            nn.Linear(encoder.dim, hidden), nn.ReLU(), nn.Linear(hidden, projection)
        )
        self.slow = Ema(self._online)
        self.queue = Ring(length=queue, dim=projection)
        self.temperature, self.momentum, self.directions = temperature, momentum, directions
        self.splits = splits
        augmentation = simclr(encoder.image_size, strength=colour)
        self.views = two_views(replace(augmentation, area=(crop, 1.0)))

    def forward(self, views: Views, progress: float) -> Step:  # noqa: ARG002
        """Return InfoNCE of view 1 against keys of view 2, or the mean of both directions.

        Keys join the queue after every loss of the step: no key is compared with its own image.
        """
        pairs = [views] if self.directions == "one" else [views, views[::-1]]
        raw = [self._online(asking) for asking, _ in pairs]
        queries = [gather(z) for z in raw]
        keys = [gather(shuffled(self.slow, answering)) for _, answering in pairs]
        old = self.queue.rows
        losses = [
            info_nce(q, k, old, temperature=self.temperature)
            for q, k in zip(queries, keys, strict=True)
        ]
        distractor, _ = nearest(queries[0], old)
        found = F.cosine_similarity(queries[0].detach(), keys[0]) >= distractor
        self.queue.enqueue(torch.cat(keys))
        return Step(
            torch.stack(losses).mean(), watched=raw[0], logs={"accuracy": found.float().mean()}
        )

    def after_step(self, progress: float) -> None:  # noqa: ARG002
        """Move the slow copy (equation 2)."""
        self.slow.update(self._online, momentum=self.momentum)

    @property
    def groups(self) -> int:
        """Return the groups of batch norm."""
        return self.splits

    @property
    def exported(self) -> Encoder:
        """Return a copy of the encoder with ordinary batch norm."""
        return with_whole_batch_norms(self.encoder)

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return the loss of independent random directions, ln(K + 1) + 1 / (2 d t^2) roughly."""
        length, dim = self.queue.rows.shape
        return log(length + 1) + 1 / (2 * dim * self.temperature**2)

    def collapsed(self, batch: int) -> float:  # noqa: ARG002
        """Return ln(K + 1): all vectors equal, those in the queue too."""
        return log(len(self.queue.rows) + 1)

    @classmethod
    def suited(cls, situation: Situation) -> list[Adjustment]:
        """Return a queue that suits the images, a momentum and splits that suit the batch."""
        return [
            *fitted_queue(situation, length=4096),
            *slower_teacher(situation, momentum=0.99),
            *fitted_splits(situation, splits=4),
        ]

    def demand_fit(self, situation: Situation) -> None:
        """Raise UserError for a queue longer than the data, or groups that do not cut the batch."""
        demand_queue_within(situation, length=len(self.queue.rows))
        for part in self.encoder.modules():  # a network without batch norm has no groups
            if isinstance(part, SplitBatchNorm):
                demand_groups(situation.batch // world_size(), splits=part.splits)

    @property
    def _online(self) -> nn.Sequential:
        return nn.Sequential(self.encoder, self.projector)
