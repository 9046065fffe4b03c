"""Class by class: how many of each are read right, and what they are taken for."""

from typing import Any

import numpy as np
from jaxtyping import Int64

PICTURED = 40  # classes in a confusion picture at most
LISTED = 20  # of the confusions that are most frequent


def balanced(
    predicted: Int64[np.ndarray, "seeds images"], truth: Int64[np.ndarray, "images"]
) -> list[float]:
    """Return, for every seed, the mean over classes of the share of their images read right."""
    found = [(predicted[:, truth == label] == label).mean(axis=1) for label in np.unique(truth)]
    return [float(share) for share in np.mean(found, axis=0)]


def recalls(
    predicted: Int64[np.ndarray, "seeds images"], truth: Int64[np.ndarray, "images"]
) -> dict[int, float]:
    """Return the share of the images of every class read right, over all seeds."""
    return {
        int(label): float((predicted[:, truth == label] == label).mean())
        for label in np.unique(truth)
    }


def confusion(
    predicted: Int64[np.ndarray, "seeds images"],
    truth: Int64[np.ndarray, "images"],
    names: tuple[str, ...],
) -> dict[str, Any]:
    """Return what images of each class were taken for, as shares over all seeds.

    `matrix` (rows: the true class; columns: the answer) only of up to PICTURED classes; `most` has
    the most frequent confusions as [true class, answer, share of the true class].
    """
    shown = np.unique(np.concatenate([truth, predicted.ravel()]))
    place = np.searchsorted(shown, np.stack([np.broadcast_to(truth, predicted.shape), predicted]))
    counts = np.zeros((len(shown), len(shown)))
    np.add.at(counts, (place[0].ravel(), place[1].ravel()), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    wrong = np.where(np.eye(len(shown), dtype=bool), 0, shares)
    order = np.argsort(-wrong, axis=None, kind="stable")[:LISTED]
    most = [
        [names[shown[row]], names[shown[column]], float(wrong[row, column])]
        for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[row, column] > 0
    ]
    matrix = shares.round(4).tolist() if len(shown) <= PICTURED else None
    return {"classes": [names[label] for label in shown], "matrix": matrix, "most": most}
