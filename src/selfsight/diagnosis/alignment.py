"""Alignment and uniformity: are views of one image near, and do images use the whole sphere?

Wang and Isola, ICML 2020 (arXiv 2005.10242), sections 4.1 and 4.2, with their exponents 2 and 2.
Both look at directions only. Either alone is blind: a point is perfectly aligned, and noise is
perfectly uniform.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.diagnosis.spread import directions, measurable

HEAT = 2.0  # t of the Gaussian potential


def alignment(a: Float[Tensor, "n dim"], b: Float[Tensor, "n dim"]) -> float:
    """Return the mean squared distance of the directions of row pairs: 0 to 4, 2 if unrelated."""
    if not (measurable(a) and measurable(b)):
        return math.nan
    return float((directions(a) - directions(b)).square().sum(dim=1).mean())


def uniformity(rows: Float[Tensor, "n dim"]) -> float:
    """Return ln of the mean of exp(-2 d^2) over pairs of distinct rows' directions: -4 to 0.

    d is their distance; 0 when all point the same way, `ideal_uniformity(dim)` when they are spread
    evenly over the sphere.
    """
    if not measurable(rows):
        return math.nan
    unit = directions(rows)
    n = len(unit)
    exponents = -2 * HEAT * (1 - unit @ unit.T)  # d^2 = 2 - 2 cos
    exponents.fill_diagonal_(-math.inf)
    return float(torch.logsumexp(exponents.flatten(), dim=0)) - math.log(n * (n - 1))


def ideal_uniformity(dim: int) -> float:
    """Return the uniformity of the whole sphere in `dim` dimensions: ln 0F1(; dim/2; t^2) - 2t."""
    term, total, k = 1.0, 1.0, 0
    while term > 1e-17 * total:
        term *= HEAT**2 / ((dim / 2 + k) * (k + 1))
        total += term
        k += 1
    return math.log(total) - 2 * HEAT
