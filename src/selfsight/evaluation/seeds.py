"""What several training runs say together: differences over seeds, and which are more than luck.

Runs of the same seed are a pair: they hold out the same images and draw the same batches. A
difference is the mean over pairs with its Student t interval (Student, 1908); with two pairs it is
six times as wide as with very many, which is honest. Of several comparisons the least p values are
raised as Holm does (Holm, 1979, Scandinavian Journal of Statistics 6, 65-70), so that the chance of
even one false call stays at 1 - LEVEL. Whoever compares with the best has compared all pairs to
find it, so all pairs count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Spread:
    """The mean over seeds and the standard deviation of one run, NaN where a single one is."""

    mean: float
    deviation: float
    seeds: int


@dataclass(frozen=True, slots=True)
class Paired:
    """A difference over seeds. Ends and p are NaN where there are fewer than two pairs."""

    mean: float
    low: float
    high: float
    p: float  # two-sided, of no difference
    seeds: int


def spread_over_seeds(values: Float[np.ndarray, "seeds"]) -> Spread:
    """Return mean and sample standard deviation of one number a seed; there is at least one."""
    assert len(values) > 0
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    return Spread(float(np.mean(values)), deviation, len(values))


def paired_over_seeds(differences: Float[np.ndarray, "seeds"], *, level: float = LEVEL) -> Paired:
    """Return the mean of one difference a seed with its t interval and p; there is at least one.

    Differences that are equal to the last digit have an interval of no width: p is 0, or 1 where
    they are 0.
    """
    from scipy.special import stdtr, stdtrit

    found = spread_over_seeds(differences)
    if found.seeds < 2:
        return Paired(found.mean, math.nan, math.nan, math.nan, found.seeds)
    error, freedom = found.deviation / math.sqrt(found.seeds), found.seeds - 1
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    certain = float(found.mean == 0)
    p = 2 * float(stdtr(freedom, -abs(found.mean) / error)) if error > 0 else certain
    return Paired(found.mean, found.mean - reach, found.mean + reach, p, found.seeds)


def holm(values: Sequence[float]) -> list[float]:
    """Return p values raised for their number, in their order; NaN is no comparison and stays."""
    adjusted = list(values)
    tested = sorted((p, place) for place, p in enumerate(values) if not math.isnan(p))
    most = 0.0
    for rank, (p, place) in enumerate(tested):
        most = max(most, min(1.0, p * (len(tested) - rank)))
        adjusted[place] = most
    return adjusted


def smallest_found(
    deviations: Sequence[float], *, seeds: int, comparisons: int, level: float = LEVEL
) -> float:
    """Return the difference that the hardest of `comparisons` would have had to reach; or NaN.

    deviations: standard deviations over seeds of the paired differences; their root mean square
    stands for a comparison whose deviation is not known.
    """
    from scipy.special import stdtrit

    known = [value for value in deviations if not math.isnan(value)]
    if seeds < 2 or not known:
        return math.nan
    deviation = math.sqrt(sum(value**2 for value in known) / len(known))
    tail = (1 - level) / comparisons
    return float(stdtrit(seeds - 1, 1 - tail / 2)) * deviation / math.sqrt(seeds)
