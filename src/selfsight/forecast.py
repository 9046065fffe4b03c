"""What a run will take, from its first steps: time, memory, and what they are spent on."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfsight.display import duration
from selfsight.loop import MEASURED, Record
from selfsight.memory import in_words, peak_memory

WORTH_SAYING = 60.0  # seconds that a run must still take


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast steps are.

    seconds: of a step, the median. images: of a step, in this process. shares: of the time of all
    measured steps, by part, largest first; they may leave a rest.
    """

    seconds: float
    images: int
    shares: Mapping[str, float]

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Pace":
        """Return the pace of some steps, less the first, which prepares things for the others."""
        counted = records[1:] or records
        total = sum(record.seconds for record in counted)
        parts: dict[str, float] = {}
        for record in counted:
            for part, seconds in record.spent.items():
                parts[part] = parts.get(part, 0.0) + seconds / total
        return cls(
            seconds=statistics.median(record.seconds for record in counted),
            images=counted[-1].images,
            shares=dict(sorted(parts.items(), key=lambda item: -item[1])),
        )

    @property
    def spent_on(self) -> str:
        """Return in words what a step's time is spent on, in whole per cents."""
        words = [f"{share:.0%} {part}" for part, share in self.shares.items() if share >= 0.005]
        return ", ".join(words)


class Forecaster:
    """Takes the records of a run as they come, and says once what is to be expected."""

    def __init__(self, *, processes: int, images: int, minutes: float | None) -> None:
        """Images: that are trained on. minutes: the budget, if it is one of time."""
        self._processes, self._images, self._minutes = processes, images, minutes
        self._records: list[Record] = []

    def add(self, record: Record) -> str:
        """Return the line after the step that completes the measurement of a long run, else ""."""
        if len(self._records) >= MEASURED:
            return ""
        self._records.append(record)
        if len(self._records) < MEASURED:
            return ""
        pace = Pace.of(self._records)
        gained = (record.progress - self._records[0].progress) / (MEASURED - 1)
        left = (1 - record.progress) / max(gained, 1e-12)  # steps
        if left * pace.seconds < WORTH_SAYING:
            return ""
        whole = self._processes * pace.images
        speed = f"{whole / pace.seconds:,.0f} images/s"
        if self._minutes is None:
            ahead = f"about {duration(left * pace.seconds)} to go, {left:,.0f} steps at {speed}"
        else:
            passes = (left + record.step) * whole / self._images
            ahead = (
                f"about {left:,.0f} more in the {self._minutes:g} min, at {speed}: "
                f"{passes:.2g} passes over the images"
            )
        return (
            f"measured on {MEASURED} steps: {ahead}; "
            f"{in_words(peak_memory(record.watched.device))} of memory; of a step {pace.spent_on}"
        )
