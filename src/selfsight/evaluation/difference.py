"""Accuracies and paired differences over several seeds and one set of test images.

Two kinds of luck stand behind them: which labels and which first weights a seed drew, and which
images the test part happens to hold. Over seeds the interval is Student's t of the pairs
(`seeds.py`); over images it is the normal one for the mean over seeds. Both are put together as the
root of the sum of their squares, which holds the nominal share or a little more. With one seed only
the images are in it.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from selfsight.evaluation.seeds import paired_over_seeds, spread_over_seeds

NORMAL = 1.959964  # deviations either side of the mean that hold 95 %


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


def _measured(values: Float64[np.ndarray, "seeds images"]) -> Measured:
    over_seeds = values.mean(axis=1)
    spread, paired = spread_over_seeds(over_seeds), paired_over_seeds(over_seeds)
    of_seeds = 0.0 if math.isnan(paired.high) else (paired.high - paired.low) / 2
    of_images = NORMAL * float(values.mean(axis=0).std()) / math.sqrt(values.shape[1])
    reach = math.hypot(of_seeds, of_images)
    mean = spread.mean
    return Measured(mean, mean - reach, mean + reach, spread.deviation, spread.seeds)
