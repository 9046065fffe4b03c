"""Neighbour agreement: does another view of an image have the same neighbours?

Every image is seen twice. Its k nearest among the other images are looked up within the first view
of all images, and within the second; the share that both lists have in common is averaged. The
overlap of mutual nearest neighbours is that of Huh et al., 2024 (arXiv 2405.07987, section 2),
there between two networks, here between two views of one.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from selfsight.diagnosis.spread import directions, measurable

NEIGHBOURS = 10
ROUNDING = 1e-6  # cosines that differ by less are equal: float32 features say no more


def neighbour_agreement(
    a: Float[Tensor, "n dim"], b: Float[Tensor, "n dim"], *, k: int = NEIGHBOURS
) -> float:
    """Return the mean share of k nearest neighbours (cosine) common to both views, 0 to 1.

    Chance is k / (n - 1). Equal cosines are ordered at random and differently in each view, so that
    a collapsed encoder agrees by chance only. NaN for k + 1 images or fewer, or if a number is not
    finite.
    """
    n = len(a)
    if n <= k + 1 or not (measurable(a) and measurable(b)):
        return math.nan
    first, second = (
        torch.zeros(n, n, dtype=torch.bool).scatter_(1, _nearest(rows, k=k, seed=seed), value=True)
        for seed, rows in enumerate((a, b))
    )
    return float((first & second).sum()) / (n * k)


def _nearest(rows: Float[Tensor, "n dim"], *, k: int, seed: int) -> Int[Tensor, "n k"]:
    unit = directions(rows)
    cosines = (unit @ unit.T / ROUNDING).round()
    cosines.fill_diagonal_(-math.inf)
    generator = torch.Generator().manual_seed(seed)
    jitter = torch.rand(cosines.shape, generator=generator, dtype=torch.float64)
    return (cosines + 0.5 * jitter).topk(k, dim=1).indices
