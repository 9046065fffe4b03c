"""How far a training is: progress from steps or from the clock."""

import math
from collections.abc import Callable
from time import monotonic as now

from selfsight.settings import DEFAULT_EPOCHS, Settings


def step_budget(settings: Settings, *, images: int) -> int | None:
    """Return the number of optimiser steps that settings ask for, or None for a time budget."""
    if settings.minutes is not None:
        return None
    if settings.steps is not None:
        return settings.steps
    epochs = settings.epochs or DEFAULT_EPOCHS
    return max(1, math.ceil(epochs * images / (settings.batch * settings.accumulate)))


def progress_by_steps(total: int) -> Callable[[int], float]:
    """Return progress as a function of the steps done."""
    return lambda step: step / total if total else 1.0


def progress_by_clock(
    minutes: float, *, spent: float, agreed: Callable[[float], float]
) -> Callable[[int], float]:
    """Return progress as the share of `minutes` that has passed; `spent` seconds had already.

    agreed: makes of each process's share one for all, or they would stop at different steps.
    """
    began = now() - spent

    def progress(step: int) -> float:  # noqa: ARG001
        return agreed((now() - began) / (60 * minutes))

    return progress
