"""How sure an accuracy is: percentile bootstrap intervals over the test images.

Efron, 1979. Only the choice of test images is resampled: an interval says nothing of what another
training run, another seed or another training set would give.

Drawing n images with replacement from n, of which a share p was read right, finds a number of right
ones that is binomial (n, p). So the counts are drawn directly: it is the bootstrap itself, without
ever making n x resamples indices. A predictor that is right (or wrong) on all images has an
interval of no width; that is the bootstrap's known fault, worst when test images are few.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

RESAMPLES = 10_000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured value and the ends of its interval."""

    value: float
    low: float
    high: float


def accuracy_interval(
    correct: Bool[np.ndarray, "images"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Return the accuracy and its interval, in [0, 1], from whether each image was read right."""
    n = len(correct)
    assert n > 0
    share = float(correct.mean())
    drawn = np.random.default_rng(seed).binomial(n, share, size=resamples) / n
    return _interval(share, drawn, level)


def difference_interval(
    first: Bool[np.ndarray, "images"],
    second: Bool[np.ndarray, "images"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Return the accuracy of `first` minus that of `second`, in [-1, 1], and its interval.

    Paired: both answer the same images, and every resample draws images with both answers.
    """
    n = len(first)
    assert n > 0
    assert n == len(second)
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    shares = np.array([only_first, only_second, n - only_first - only_second]) / n
    counts = np.random.default_rng(seed).multinomial(n, shares, size=resamples)
    return _interval((only_first - only_second) / n, (counts[:, 0] - counts[:, 1]) / n, level)


def _interval(value: float, drawn: Float64[np.ndarray, "resamples"], level: float) -> Interval:
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value, float(low), float(high))
