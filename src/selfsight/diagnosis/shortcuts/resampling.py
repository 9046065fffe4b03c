"""Bootstrap intervals of means: images drawn anew, with replacement. Efron, 1979.

Only the choice of images is resampled: nothing is said of another training or another probe.
"""

import numpy as np
from jaxtyping import Float, Float64

from selfsight.evaluation.interval import LEVEL, Interval

RESAMPLES = 1000


def resampled_means(
    values: Float[np.ndarray, "images"], *, seed: int
) -> Float64[np.ndarray, "resamples"]:
    """Return the means of `values` over images drawn anew."""
    rng = np.random.default_rng((seed, 0xB007))
    rows = rng.integers(len(values), size=(RESAMPLES, len(values)))
    means: Float64[np.ndarray, "resamples"] = values[rows].mean(axis=1, dtype=np.float64)
    return means


def percentiles(value: float, drawn: Float64[np.ndarray, "resamples"]) -> Interval:
    """Return a value with the percentile interval of what resampling made of it."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def mean_interval(values: Float[np.ndarray, "images"], *, seed: int) -> Interval:
    """Return the mean of one value an image with its interval."""
    return percentiles(float(values.mean()), resampled_means(values, seed=seed))
