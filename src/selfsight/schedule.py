"""Schedules: pure functions of progress (the trained fraction, in [0, 1]), with nothing to save."""

from math import cos, pi


def warm_up_cosine(progress: float, *, warm_up: float) -> float:
    """Return the share of the peak rate: a linear rise over `warm_up`, then half a cosine to 0."""
    if progress < warm_up:
        return progress / warm_up
    return 0.5 * (1 + cos(pi * (progress - warm_up) / (1 - warm_up)))


def rising_momentum(progress: float, *, start: float) -> float:
    """Return a teacher's momentum, rising from `start` to 1 along a cosine (BYOL, section 3.2)."""
    return 1 - (1 - start) * 0.5 * (1 + cos(pi * progress))
