"""Rank correlation: whether two maps put the same pixels first."""

import numpy as np
from jaxtyping import Float


def rank_correlation(first: Float[np.ndarray, "n"], second: Float[np.ndarray, "n"]) -> float:
    """Return Spearman's correlation in [-1, 1], equal values sharing their mean rank.

    NaN if all values of either are equal: such a map says nothing.
    """
    one, other = (ranks(values) - (len(values) - 1) / 2 for values in (first, second))
    length = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / length if length else float("nan")


def ranks(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Return the rank of every value from 0, smallest first; equal ones share the mean rank."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: Float[np.ndarray, "n"] = ((ends - counts + ends - 1) / 2)[group]
    return means
