"""What a cue's number is tied to: to nothing, or to the label of its image.

All are pure functions of a seed. Numbers tied to the label are class numbers, so images of a set
have to be limited to as many classes as the cue has kinds.
"""

import numpy as np
from jaxtyping import Int64

Numbers = Int64[np.ndarray, "images"]


def to_nothing(images: int, *, kinds: int, seed: int) -> Numbers:
    """Return a number for every image, each drawn by itself: what can be read of it is the cue."""
    return np.random.default_rng((seed, 1)).integers(kinds, size=images)


def to_label(labels: Numbers, *, kinds: int, agreement: float = 1.0, seed: int) -> Numbers:
    """Return the label of every image with the probability `agreement`, else another number."""
    agrees = np.random.default_rng((seed, 3)).random(len(labels)) < agreement
    return np.where(agrees, labels, against_label(labels, kinds=kinds, seed=seed))


def against_label(labels: Numbers, *, kinds: int, seed: int) -> Numbers:
    """Return a number other than the label for every image, all others being as likely."""
    steps = np.random.default_rng((seed, 4)).integers(1, kinds, size=len(labels))
    return (labels + steps) % kinds


def changed(numbers: Numbers, *, kinds: int, seed: int) -> Numbers:
    """Return another number than the present one for every image."""
    return against_label(numbers, kinds=kinds, seed=seed + 1)
