"""Which ways of classifying are held against each other, and from where supervision overtakes.

A way is an arm by a protocol. Every way of the encoder is held against training from scratch, and
against the same protocol on every other arm; the same labels, seeds and test images make a pair.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from selfsight.evaluation.difference import Measured, difference_over

Way = tuple[str, str]  # arm and protocol
SCRATCH: Way = ("scratch", "scratch")
ARMS = {
    "encoder": "encoder",
    "scratch": "training from scratch",
    "untrained": "an untrained encoder",
    "pixels": "raw pixels",
}
PROTOCOLS = {"knn": "kNN", "linear": "linear probe", "finetune": "fine-tuned"}


@dataclass(frozen=True, slots=True)
class Contrast:
    """One way against another, by amount of labels; labels: the number of each amount."""

    first: Way
    second: Way
    labels: tuple[int, ...]
    points: tuple[Measured, ...]


def title(way: Way) -> str:
    """Return a way in words: "encoder, linear probe"; "training from scratch"."""
    arm, protocol = way
    name = ARMS.get(arm, arm)
    return name if way == SCRATCH else f"{name}, {PROTOCOLS[protocol]}"


def contrasts(
    correct: Mapping[Way, Sequence[Bool[np.ndarray, "seeds images"]]], labels: Sequence[int]
) -> list[Contrast]:
    """Return the encoder's ways against all others. correct: by amount, as `labels`."""
    found = []
    for first in correct:
        if first[0] != "encoder":
            continue
        for second in correct:
            if second == SCRATCH or (second[0] != "encoder" and second[1] == first[1]):
                points = tuple(
                    difference_over(one, other)
                    for one, other in zip(correct[first], correct[second], strict=True)
                )
                found.append(Contrast(first, second, tuple(labels), points))
    return found


def overtaking(contrast: Contrast) -> tuple[float, bool] | None:
    """Return at how many labels the second way comes to lead for good, and whether surely.

    The number lies between two amounts, on a line through both differences over the logarithm of
    the labels; it is the first amount where the second way leads from the beginning. None: within
    this data it never does. Surely: from the next amount on every interval lies below 0.
    """
    means = [point.mean for point in contrast.points]
    if means[-1] >= 0:
        return None
    start = next((i + 1 for i in reversed(range(len(means))) if means[i] >= 0), 0)
    sure = all(point.high < 0 for point in contrast.points[start:])
    if start == 0:
        return float(contrast.labels[0]), sure
    (before, after), (above, below) = (
        contrast.labels[start - 1 : start + 1],
        means[start - 1 : start + 1],
    )
    share = above / (above - below)
    return math.exp(math.log(before) + share * (math.log(after) - math.log(before))), sure
