"""What the time of a step is spent on."""

import time

import torch

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
        if self._device is not None:
            torch.accelerator.synchronize(self._device)
        now = time.perf_counter()
        self.spent[part] = self.spent.get(part, 0.0) + now - self._since
        self._since = now
