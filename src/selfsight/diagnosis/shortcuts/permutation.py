"""Permutation tests: how often chance does as well, with exchangeable answers and nothing assumed.

If answers have nothing to do with the truth, every order of the truth is as likely as the one that
was found. So the truth is shuffled, and p is the share of orders that do at least as well, the
found one counted among them: a test at level a then raises a false alarm in at most a of all cases,
whatever the distribution (Phipson and Smyth, 2010, arXiv 1603.05766).

Shuffling within strata asks the same of answers whose connection with the stratum is no news: do
features tell the brightness beyond what the class tells?

Of many tests some are extreme by chance. Holm's method (`evaluation.seeds.holm`) corrects: over the
whole family the probability of any false alarm stays below the level, whatever the tests have to do
with one another (Holm, 1979).
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64, Int64

PERMUTATIONS = 1999  # so that 20 tests can still reach 0.01 together
LEVEL = 0.05  # probability of any false alarm in a family of tests
AT_ONCE = 2**22  # numbers in memory


def orders(
    truth: Int64[np.ndarray, "images"],
    *,
    within: Int64[np.ndarray, "images"] | None = None,
    seed: int,
    permutations: int = PERMUTATIONS,
) -> Iterator[Int64[np.ndarray, "some images"]]:
    """Yield `permutations` random orders of `truth`, some at a time.

    within: a stratum for every image; only images of the same stratum change places.
    """
    rng = np.random.default_rng((seed, 0x5EED))
    strata = [np.arange(len(truth))]
    if within is not None:
        strata = [np.flatnonzero(within == stratum) for stratum in np.unique(within)]
    most = max(1, AT_ONCE // max(1, len(truth)))
    for start in range(0, permutations, most):
        count = min(most, permutations - start)
        shuffled = np.empty((count, len(truth)), dtype=np.int64)
        for rows in strata:
            shuffled[:, rows] = rng.permuted(np.tile(truth[rows], (count, 1)), axis=1)
        yield shuffled


def p_value(found: float, by_chance: Float64[np.ndarray, "permutations"]) -> float:
    """Return the share of orders, the found one among them, that do at least as well."""
    as_good = by_chance >= found - 1e-12  # equal sums may differ in their last digit
    return float((1 + as_good.sum()) / (1 + len(by_chance)))


def sign_flip(
    differences: Float64[np.ndarray, "images"], *, seed: int, permutations: int = PERMUTATIONS
) -> float:
    """Return the p-value of a mean difference above 0 between two readings of the same images.

    If the two readings are alike, each difference could as well have the other sign.
    """
    differences = differences[differences != 0]  # those have no sign, and keep their sum
    rng = np.random.default_rng((seed, 0xF11B))
    most = max(1, AT_ONCE // max(1, len(differences)))
    sums = [
        rng.choice((-1.0, 1.0), size=(min(most, permutations - start), len(differences)))
        @ differences
        for start in range(0, permutations, most)
    ]
    return p_value(float(differences.sum()), np.concatenate(sums))
