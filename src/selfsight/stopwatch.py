"""What the time of a step is spent on."""

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")

READING, VIEWS, MODEL, UPDATE = "reading", "views", "model", "update"  # the parts of a step


class Stopwatch:
    """Sorts time by what it was spent on, from its making on.

    An accelerator computes while Python goes on: with `waits` each lap waits for it, so that its
    time is counted where it belongs.
    """

    def __init__(self, device: torch.device, *, waits: bool) -> None:
        self._device = device if waits and device.type != "cpu" else None
        self._since = time.perf_counter()
        self.spent: dict[str, float] = {}  # seconds by part

    def lap(self, part: str) -> None:
        """Count the time since the last lap for `part`."""
        now = self._now()
        self._count(part, now - self._since)
        self._since = now

    def counted(self, part: str, function: Callable[P, R]) -> Callable[P, R]:
        """Return the function; whenever it is called its time is that of `part`, not of a lap."""

        def timed(*given: P.args, **named: P.kwargs) -> R:
            began = self._now()
            found = function(*given, **named)
            took = self._now() - began
            self._count(part, took)
            self._since += took
            return found

        return timed

    def _now(self) -> float:
        if self._device is not None:
            torch.accelerator.synchronize(self._device)
        return time.perf_counter()

    def _count(self, part: str, seconds: float) -> None:
        self.spent[part] = self.spent.get(part, 0.0) + seconds
