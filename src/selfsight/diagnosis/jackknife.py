"""How sure a number about a set of images is: the grouped jackknife.

A bootstrap draws images twice, and a rank or a nearest neighbour takes the copies for what they
are. So groups of images are left out instead: with K groups the deviation of a value is

    sqrt((K - 1) / K x sum of (value without a group - mean of the K such values)^2)

and the interval is the value plus and minus that deviation times the t quantile for K - 1 degrees
of freedom. That the values without a group are of fewer images moves all of them alike and drops
out. Quenouille, 1956; Tukey, 1958; in groups: Kott, 2001. Only the choice of images is in it, not
what another training run would give.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from selfsight.evaluation.interval import Interval

GROUPS = 10
QUANTILE = 2.262  # t, 9 degrees of freedom, 97.5 %


def groups_of(n: int, *, seed: int) -> Int[np.ndarray, "n"]:
    """Return the group of each of n images, 0 to 9, of sizes as equal as can be."""
    return np.random.default_rng(seed).permutation(np.arange(n) % GROUPS)


def left_out(
    value: Callable[[Bool[np.ndarray, "n"]], float], groups: Int[np.ndarray, "n"]
) -> Float[np.ndarray, "groups"]:
    """Return the value without each group; `value` takes a mask of the images to use."""
    return np.array([value(groups != group) for group in range(GROUPS)])


def jackknife_interval(value: float, without: Float[np.ndarray, "groups"]) -> Interval:
    """Return a value with its 95 % interval; the ends are NaN where a value without a group is."""
    deviation = _deviation(without)
    return Interval(value, value - QUANTILE * deviation, value + QUANTILE * deviation)


def jackknife_p(value: float, without: Float[np.ndarray, "groups"]) -> float:
    """Return the two-sided p-value of a value that is 0 but for the choice of images.

    From the same deviation and t distribution as the interval; NaN where a value is NaN.
    """
    from scipy.special import stdtr  # comes with scikit-learn

    deviation = _deviation(without)
    if deviation == 0:
        return float(value == 0)
    return 2 * float(stdtr(len(without) - 1, -abs(value) / deviation))


def _deviation(without: Float[np.ndarray, "groups"]) -> float:
    count = len(without)
    return float(np.sqrt((count - 1) / count * np.square(without - without.mean()).sum()))
