"""How far a cloud of vectors spreads: the numbers in which a collapse shows.

Two kinds of collapse need two kinds of number. A complete collapse (all rows alike) shows in
`spread`, which falls to 0, and in `mean_cosine`, which rises to 1. A dimensional collapse (rows in
a thin subspace) leaves both as they were and shows in the ranks only. None of them sees a shortcut:
a code that reads a watermark has a high rank.

Every function takes a matrix of n rows on any device and in any precision, works in float64 on the
CPU, and returns a float. Compare values only at equal n. Three inputs are out of the ordinary:
- a row that is not finite makes every answer NaN, and so does a matrix without two rows;
- a row of zeros has no direction: its normalised row is zeros too;
- a cloud without any extent (all rows alike) has rank 1, the least that an entropy can say.
  Extent below the rounding of the input's own precision counts as none, because otherwise the dust
  of a collapsed network, which points everywhere, would read as a high rank.

RankMe: Garrido et al., 2022 (arXiv 2210.02885). Spread of normalised rows: Chen and He, 2020
(arXiv 2011.10566). Effective rank: Roy and Vetterli, 2007.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def spread(rows: Float[Tensor, "n dim"]) -> float:
    """Return the mean over dimensions of the standard deviation (n - 1) of normalised rows.

    0 when all rows point the same way, `ideal_spread(dim)` when they point everywhere alike.
    """
    if not measurable(rows):
        return math.nan
    return float(directions(rows).std(dim=0).mean())


def ideal_spread(dim: int) -> float:
    """Return 1/sqrt(dim), the spread of directions drawn evenly from the sphere."""
    return 1 / math.sqrt(dim)


def mean_cosine(rows: Float[Tensor, "n dim"]) -> float:
    """Return the mean cosine over all pairs of distinct rows: 1 at collapse, about 0 at best."""
    if not measurable(rows):
        return math.nan
    unit = directions(rows)
    n = len(unit)
    # The squared length of the sum holds every ordered pair once, and every row with itself.
    pairs = unit.sum(dim=0).square().sum() - unit.square().sum()
    return float(pairs / (n * (n - 1)))


def rankme(rows: Float[Tensor, "n dim"]) -> float:
    """Return exp of the entropy of the singular values of the rows, not centred: 1 to min(n, dim).

    Equation 2 of arXiv 2210.02885, with its epsilon of 1e-7 added to every share.
    """
    if not measurable(rows):
        return math.nan
    values = _singular_values(exact(rows))
    if float(values.sum()) == 0:
        return 1.0
    shares = values / values.sum() + 1e-7
    return float(torch.exp(-(shares * shares.log()).sum()))


def effective_rank(rows: Float[Tensor, "n dim"]) -> float:
    """Return exp of the entropy of the eigenvalues of the covariance: 1 to min(n - 1, dim)."""
    if not measurable(rows):
        return math.nan
    eigenvalues = covariance_eigenvalues(rows)
    if float(eigenvalues.sum()) == 0:
        return 1.0
    shares = eigenvalues / eigenvalues.sum()
    return float(torch.exp(-torch.special.xlogy(shares, shares).sum()))


def participation_ratio(rows: Float[Tensor, "n dim"]) -> float:
    """Return (sum of eigenvalues)^2 / sum of their squares, of the covariance: k equal ones give k.

    It follows the largest eigenvalues more closely than `effective_rank` does.
    """
    if not measurable(rows):
        return math.nan
    eigenvalues = covariance_eigenvalues(rows)
    if float(eigenvalues.sum()) == 0:
        return 1.0
    return float(eigenvalues.sum().square() / eigenvalues.square().sum())


def measurable(rows: Float[Tensor, "n dim"]) -> bool:
    """Return whether there are two rows and all of them finite."""
    return len(rows) >= 2 and bool(torch.isfinite(rows).all())


def exact(rows: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
    """Return the rows in float64 on the CPU, scaled to a largest number of 1."""
    # First to the CPU, then to float64: some accelerators have no float64.
    rows = rows.detach().cpu().double()
    # No measure here depends on the scale; at a size of 1 no square can over- or underflow.
    largest = rows.abs().max()
    return rows / largest if float(largest) > 0 else rows


def directions(rows: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
    """Return the rows divided by their lengths, in float64; a row of zeros stays zeros."""
    return functional.normalize(exact(rows), dim=1, eps=1e-300)


def _singular_values(rows: Float[Tensor, "n dim"]) -> Float[Tensor, "values"]:
    # The eigenvalues of the smaller of the two Gram matrices are their squares: many times faster
    # than a decomposition, and exact to 1e-8 of the largest, a tenth of RankMe's epsilon.
    gram = rows @ rows.T if rows.shape[0] < rows.shape[1] else rows.T @ rows
    values: Float[Tensor, "values"] = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    return values


def covariance_eigenvalues(rows: Float[Tensor, "n dim"]) -> Float[Tensor, "values"]:
    """Return the eigenvalues of the covariance, rising, of rows scaled as `exact` does it.

    min(n, dim) of them; what is below the rounding of the rows' own precision is 0.
    """
    moved = exact(rows)
    values = _singular_values(moved - moved.mean(dim=0))
    rounding = max(torch.finfo(rows.dtype).eps, 10 * torch.finfo(torch.float64).eps)
    values[values < rounding * torch.linalg.matrix_norm(moved)] = 0
    return values.square() / (len(rows) - 1)
