"""Training with labels: an encoder and a linear classifier on it, moved together by AdamW.

Fine-tuning starts the classifier as the linear probe's solution on standardised features (Kumar et
al., 2022, arXiv 2202.10054): before the first step the whole is the linear probe, and with every
layer frozen there is nothing left to move. From scratch it starts at zero, on features as they are,
for their statistics are about to change. Rates rise
over the first tenth of the steps and then fall along half a cosine; the classifier has the full
rate, in fine-tuning the encoder's layers less and less towards the pixels (geometrically, as in
BEiT and MAE). Labels are smoothed by 0.1. Everything random in step k is drawn from a generator
seeded by (seed, k).
"""

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from selfsight.data.images import ImageSet
from selfsight.data.splits import endless_rows
from selfsight.evaluation.embed import embed, encoder_function
from selfsight.evaluation.linear import Probe, probe_of
from selfsight.evaluation.logistic import Fitted
from selfsight.nets.encoder import Encoder
from selfsight.nets.layers import freeze, layers_of, train_but_frozen
from selfsight.optim import build_optimiser
from selfsight.randomness import own_randomness
from selfsight.schedule import warm_up_cosine
from selfsight.views.augmentation import Augmentation

WEIGHT_DECAY = 0.05
WARM_UP = 0.1
SMOOTHING = 0.1
LONGEST_GRADIENT = 1.0
SHORTEST_MEMORY = 5.0  # of a course's steps over the time that batch norm's averages reach back
CROP = (0.35, 1.0)  # share of the image in a view
JITTERED, TONE, HUE = 0.8, 0.3, 0.03  # share of views; by how much
VIEWS = ("crop and flip", "crop", "crop, flip and colour")  # the first is the default


@dataclass(frozen=True, slots=True)
class Classifier:
    """An encoder with a linear classifier on its features, which the probe standardises."""

    encoder: Encoder
    probe: Probe

    def predict(self, images: ImageSet) -> Int64[np.ndarray, "images"]:
        """Return the class of every image, seen whole and without augmentation."""
        return self.probe.predict(self._features(images))

    def judged(self, images: ImageSet) -> tuple[float, float]:
        """Return the accuracy on labelled images and minus the mean loss: larger is better."""
        scores, labels = self.probe.scores(self._features(images)), images.labels.index
        loss = F.cross_entropy(scores, torch.from_numpy(labels))
        return float((scores.numpy().argmax(axis=1) == labels).mean()), -float(loss)

    def _features(self, images: ImageSet) -> Float32[np.ndarray, "images dim"]:
        encode = encoder_function(self.encoder, str(self.encoder.mean.device))
        return embed(encode, images).features


@dataclass(frozen=True, slots=True)
class Course:
    """How a training goes: `steps` batches of views, the peak rate, what moves and how fast.

    views: a name of VIEWS. size: the side of a view in px. lowest: the share of the rate at the
    layer that sees the pixels. frozen: layers that do not move, counted from the pixels.
    precision: "fp32" or "bf16", of the encoder.
    """

    steps: int
    batch: int
    rate: float
    views: str
    size: int
    lowest: float
    frozen: int
    precision: str
    seed: int


def probed(encoder: Encoder, images: ImageSet, *, seed: int, device: str) -> Classifier:
    """Return the encoder with the linear probe of its features as classifier."""
    features = embed(encoder_function(encoder, device), images)
    return Classifier(encoder, probe_of(features, seed=seed))


def blank(encoder: Encoder, images: ImageSet, *, seed: int, device: str) -> Classifier:  # noqa: ARG001
    """Return the encoder with a classifier that is zero, of its features as they are.

    The statistics of features that are about to change would only be in the way.
    """
    encoder.to(device)
    classes = int(images.labels.index.max()) + 1
    nothing = Fitted(
        torch.zeros(encoder.dim, classes, dtype=torch.float64),
        torch.zeros(classes, dtype=torch.float64),
        converged=True,
    )
    centre, scale = np.zeros(encoder.dim, np.float32), np.ones(encoder.dim, np.float32)
    return Classifier(encoder, Probe(centre, scale, nothing, 0.0, ()))


def trained(
    start: Classifier, images: ImageSet, *, course: Course
) -> Iterator[tuple[int, Classifier]]:
    """Yield the number of steps taken and the classifier after each step of a course.

    All images have labels. `start` stays as it is; what is yielded goes on changing, so whoever
    keeps one copies it. With every layer frozen the probe is the solution already, and nothing is
    yielded.
    """
    encoder = deepcopy(start.encoder).requires_grad_(requires_grad=True)
    layers = layers_of(encoder)
    assert 0 <= course.frozen <= len(layers)
    freeze(layers[: course.frozen])
    if course.frozen == len(layers) or course.steps == 0:
        return
    _hasten_statistics(encoder, steps=course.steps)
    head = _Head(start.probe).to(encoder.mean.device)
    optimiser = _optimiser(layers[course.frozen :], head, depth=len(layers), course=course)
    for step in range(course.steps):
        share = warm_up_cosine((step + 0.5) / course.steps, warm_up=WARM_UP)
        for group in optimiser.param_groups:
            group["lr"] = course.rate * share * group["share"]
        train_but_frozen(encoder)  # every time: the holder may have looked in between
        with own_randomness(encoder.mean.device):
            torch.manual_seed(int(np.random.SeedSequence((course.seed, step)).generate_state(1)[0]))
            loss = _loss(encoder, head, images, course=course, step=step)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        length = nn.utils.clip_grad_norm_(weights, LONGEST_GRADIENT)
        if math.isfinite(float(length)):
            optimiser.step()
        yield step + 1, Classifier(encoder, head.as_probe())


def augmentation(course: Course) -> Augmentation:
    """Return what makes the views of a course."""
    assert course.views in VIEWS
    crop = Augmentation(course.size, area=CROP, flip=0.5 if "flip" in course.views else 0.0)
    if "colour" not in course.views:
        return crop
    return replace(crop, jitter=JITTERED, brightness=TONE, contrast=TONE, saturation=TONE, hue=HUE)


class _Head(nn.Module):
    """The classifier as a module, on the device, in float32."""

    centre: Tensor
    scale: Tensor

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self._probe = probe
        self.weights = nn.Parameter(probe.fitted.weights.float())
        self.offsets = nn.Parameter(probe.fitted.offsets.float())
        self.register_buffer("centre", torch.from_numpy(probe.centre))
        self.register_buffer("scale", torch.from_numpy(probe.scale))

    def forward(self, h: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch classes"]:
        return (h.float() - self.centre) * self.scale @ self.weights + self.offsets

    def as_probe(self) -> Probe:
        weights, offsets = (part.detach().double().cpu() for part in (self.weights, self.offsets))
        return replace(self._probe, fitted=Fitted(weights, offsets, converged=True))


def _hasten_statistics(encoder: Encoder, *, steps: int) -> None:
    """Let batch norm forget the statistics of the start within few steps."""
    for part in encoder.modules():
        if isinstance(part, _BatchNorm) and part.momentum is not None:
            part.momentum = max(part.momentum, min(1.0, SHORTEST_MEMORY / steps))


def _loss(
    encoder: Encoder, head: _Head, images: ImageSet, *, course: Course, step: int
) -> Float[Tensor, ""]:
    rows = endless_rows(step, images=len(images), batch=course.batch, seed=course.seed)
    device = encoder.mean.device
    views = augmentation(course)(torch.from_numpy(images.batch(rows)).to(device))
    labels = torch.from_numpy(images.labels.index[rows]).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=course.precision == "bf16"):
        features = encoder(views)
    return F.cross_entropy(head(features), labels, label_smoothing=SMOOTHING)


def _optimiser(
    layers: list[list[nn.Parameter]], head: _Head, *, depth: int, course: Course
) -> Optimizer:
    """Return AdamW over the layers that move; each group has its `share` of the rate."""
    groups = [{"params": list(head.parameters()), "share": 1.0}]
    for above, layer in enumerate(reversed(layers), start=1):  # layers down from the classifier
        groups.append({"params": layer, "share": course.lowest ** (above / depth)})
    return build_optimiser("adamw", groups, weight_decay=WEIGHT_DECAY)
