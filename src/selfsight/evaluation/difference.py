"""Accuracies and paired differences over several seeds and one set of test images.

Two kinds of luck stand behind them: which labels and which first weights a seed drew, and which
images the test part happens to hold. Over seeds the interval is Student's t of the pairs
(`seeds.py`); over images it is Student's for the mean over seeds, from the images and four made-up
ones, two a step above the mean and two a step below: a handful of images that all say the same
would otherwise be certain of it. Both are put together as the root of the sum of their squares,
which holds the nominal share or a little more. With one seed only the images are in it.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from selfsight.evaluation.seeds import paired_over_seeds, spread_over_seeds


@dataclass(frozen=True, slots=True)
class Measured:
    """A mean over seeds, its 95 % interval, and the deviation of one seed (NaN of a single)."""

    mean: float
    low: float
    high: float
    deviation: float
    seeds: int


def accuracy_over(correct: Bool[np.ndarray, "seeds images"]) -> Measured:
    """Return the accuracy, in [0, 1], from whether each image was read right with each seed."""
    found = _measured(correct.astype(np.float64))
    return Measured(
        found.mean, max(0.0, found.low), min(1.0, found.high), found.deviation, found.seeds
    )


def difference_over(
    first: Bool[np.ndarray, "seeds images"], second: Bool[np.ndarray, "seeds images"]
) -> Measured:
    """Return the accuracy of `first` minus that of `second`, in [-1, 1], paired by both."""
    return _measured(first.astype(np.float64) - second)


def reach_over_images(values: Float64[np.ndarray, "images"]) -> float:
    """Return half the width of the 95 % interval of a mean over images, each in [-1, 1]."""
    from scipy.special import stdtrit

    images = len(values)
    variance = (float(np.square(values - values.mean()).sum()) + 4) / (images + 4)
    return float(stdtrit(max(1, images - 1), 0.975)) * math.sqrt(variance / images)


def _measured(values: Float64[np.ndarray, "seeds images"]) -> Measured:
    over_seeds = values.mean(axis=1)
    spread, paired = spread_over_seeds(over_seeds), paired_over_seeds(over_seeds)
    of_seeds = 0.0 if math.isnan(paired.high) else (paired.high - paired.low) / 2
    reach = math.hypot(of_seeds, reach_over_images(values.mean(axis=0)))
    mean = spread.mean
    return Measured(mean, mean - reach, mean + reach, spread.deviation, spread.seeds)
