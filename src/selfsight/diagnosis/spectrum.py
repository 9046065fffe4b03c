"""What the eigenvalues of the features' covariance say: how fast they fall, how one of them rules.

Features are centred and not normalised, as in both papers. Compare values only at equal numbers of
images and equal widths; what is out of the ordinary is treated as in `spread.py`.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.diagnosis.spread import covariance_eigenvalues, measurable

DUST = 1e-13  # of the largest eigenvalue: what float32 features leave where there is nothing


def nesum(rows: Float[Tensor, "n dim"]) -> float:
    """Return the sum of the eigenvalues divided by the largest: 1 to min(n - 1, dim).

    He and Ozay, ICML 2022 (the normalised eigenvalue sum).
    """
    if not measurable(rows):
        return math.nan
    eigenvalues = covariance_eigenvalues(rows)
    largest = float(eigenvalues.max())
    return float(eigenvalues.sum()) / largest if largest > 0 else 1.0


def alpha_req(rows: Float[Tensor, "n dim"], *, first: int = 1, last: int | None = None) -> float:
    """Return alpha of the power law i^-alpha that eigenvalue number i follows.

    Least squares of log eigenvalue on log number, unweighted, over the numbers `first` to `last`
    (the largest is number 1; None is the end). The choice of the range changes the value: say it.
    NaN if fewer than two eigenvalues of the range are more than dust.

    Agrawal, Mondal, Ghosh and Richards, NeurIPS 2022 (alpha-ReQ).
    """
    assert first >= 1
    if not measurable(rows):
        return math.nan
    falling = covariance_eigenvalues(rows).flip(0)
    number = torch.arange(1, len(falling) + 1, dtype=torch.float64)
    fitted = (number >= first) & (number <= (last or len(falling)))
    fitted &= falling > DUST * falling[0]
    if int(fitted.sum()) < 2:
        return math.nan
    x, y = number[fitted].log(), falling[fitted].log()
    x, y = x - x.mean(), y - y.mean()
    return -float((x * y).sum() / x.square().sum())
