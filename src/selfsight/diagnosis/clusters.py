"""Cluster stability: do two halves of the images fall into the same clusters?

The images are halved at random and k-means (on directions) finds k clusters in each half; all
images are then given to the nearest centre of either half. The adjusted Rand index of the two
assignments is 1 if they agree and 0 on average by chance. Stability under subsampling: Ben-Hur,
Elisseeff and Guyon, 2002; Lange et al., 2004. Adjusted index: Hubert and Arabie, 1985.
"""

import math

import numpy as np
from jaxtyping import Float, Float64
from torch import Tensor

from selfsight.diagnosis.spread import directions, measurable

CLUSTERS = 10
HALVINGS = 10
STARTS = 3  # of k-means


def cluster_stability(rows: Float[Tensor, "n dim"], *, seed: int, k: int = CLUSTERS) -> list[float]:
    """Return the adjusted Rand index of each of 10 halvings, -0.5 to 1.

    The seed decides the halves and the starts of k-means: two encoders
    with one seed are measured on the same halves. NaN where a half has fewer than k distinct rows
    (a collapsed encoder), or if a number is not finite.
    """
    if len(rows) < 2 * k or not measurable(rows):
        return [math.nan] * HALVINGS
    unit = np.round(directions(rows).numpy(), 6)  # float32 features say no more
    return [_agreement(unit, k, np.random.default_rng((seed, run))) for run in range(HALVINGS)]


def _agreement(unit: Float64[np.ndarray, "n dim"], k: int, rng: np.random.Generator) -> float:
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    order = rng.permutation(len(unit))
    assigned = []
    for half in (order[: len(order) // 2], order[len(order) // 2 :]):
        if len(np.unique(unit[half], axis=0)) < k:
            return math.nan
        start = int(rng.integers(2**31))
        model = KMeans(k, n_init=STARTS, random_state=start).fit(unit[half])
        assigned.append(model.predict(unit))
    return float(adjusted_rand_score(*assigned))
