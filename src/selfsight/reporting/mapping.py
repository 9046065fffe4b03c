"""A map of vectors on two axes: PaCMAP where it is installed, else principal components.

PaCMAP: Wang et al., 2021 (arXiv 2012.04456). Both see directions only (rows of length 1), because
that is what cosine neighbours see. Distances between far groups mean little in such a map.
"""

import logging
import warnings

import numpy as np
from jaxtyping import Float, Float32

from selfsight.errors import UserError

LEAST_IMAGES = 30  # PaCMAP looks at 10 neighbours and at pairs further away
ALIKE = 1e-3  # rows of length 1 that differ less than this in all are one point


def map_2d(
    features: Float[np.ndarray, "images dim"], *, seed: int
) -> tuple[Float32[np.ndarray, "images 2"], str]:
    """Return a place on the map for every row, and the name of the method that found it.

    Raises UserError if there is nothing to map: fewer than two rows, rows that are not finite, or
    rows that all point the same way.
    """
    if len(features) < 2:
        raise UserError("one image alone has no map")
    if not np.isfinite(features).all():
        raise UserError("some features are not finite numbers, so there is no map of them")
    rows = directions(features)
    if alike(rows):
        raise UserError(
            "the features of all images are nearly the same, so there is no map of them"
        )
    if len(rows) >= LEAST_IMAGES and rows.shape[1] > 2:
        try:
            return _pacmap(rows, seed), "PaCMAP"
        except ImportError:
            pass  # the extra "map" is not installed
    return _principal(rows), "PCA"


def directions(features: Float[np.ndarray, "images dim"]) -> Float[np.ndarray, "images dim"]:
    """Return the rows scaled to length 1; a row of zeros stays zeros."""
    exact = features.astype(np.float64)
    exact /= max(float(np.abs(exact).max()), 1e-300)  # no square can over- or underflow now
    exact /= np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-12)
    return exact


def alike(rows: Float[np.ndarray, "images dim"]) -> bool:
    """Return whether rows of length 1 differ so little that their neighbours mean nothing."""
    return bool(np.sqrt(rows.var(axis=0).sum()) < ALIKE)


def _pacmap(rows: Float[np.ndarray, "images dim"], seed: int) -> Float32[np.ndarray, "images 2"]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages beneath it, while they are imported
        import pacmap

    log = logging.getLogger("pacmap")
    level = log.level
    log.setLevel(logging.ERROR)  # it warns of the fixed seed that it is given on purpose
    try:
        chart = pacmap.PaCMAP(n_components=2, random_state=seed)
        places = chart.fit_transform(rows.astype(np.float32), init="pca")
    finally:
        log.setLevel(level)
    return np.asarray(places, dtype=np.float32)


def _principal(rows: Float[np.ndarray, "images dim"]) -> Float32[np.ndarray, "images 2"]:
    left, values, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    # The sign of an axis is arbitrary: let its largest weight be positive, so that it repeats.
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    places = (left * values * signs)[:, :2]
    if places.shape[1] < 2:
        places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    return np.asarray(places, dtype=np.float32)
