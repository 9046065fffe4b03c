"""What a run will take, from its first steps: time, memory, and what they are spent on."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from selfsight.display import Display, duration
from selfsight.loop import MEASURED, Record
from selfsight.memory import in_words, peak_memory

WORTH_SAYING = 60.0  # seconds that a run must still take
LISTENED = 3.0  # seconds of a phase after which it is known how fast it is


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
        self._said = False

    def add(self, record: Record) -> str:
        """Return the line after the step that completes the measurement of a long run, else ""."""
        if self._said:
            return ""
        self._records.append(record)
        if len(self._records) < MEASURED:
            return ""
        pace = Pace.of(self._records)
        gained = (record.progress - self._records[0].progress) / (MEASURED - 1)
        self._said, self._records = True, []
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


class BeginningForecaster:
    """Shows the phases by which an encoder is found, and says once what a long one will take."""

    def __init__(self, display: Display, *, device: torch.device, minutes: float | None) -> None:
        """Minutes: that were asked for, if any; a beginning is not cut short."""
        self._display, self._device, self._minutes = display, device, minutes
        self._began = time.monotonic()
        self._first: tuple[float, int] | None = None  # when, and how many parts there were
        self._said = self._warned = False

    def phase(self, name: str, done: int, total: int) -> None:
        """Note that `done` of `total` parts of a phase are finished; a total of 0 is unknown."""
        self._display.phase(name, done, total)
        now = time.monotonic()
        if not total:
            if self._said:  # plain lines say nothing of a phase of unknown length
                self._display.say(name)
            return
        self._first = self._first or (now, done)
        took, counted = now - self._first[0], done - self._first[1]
        if self._said or not counted or took < LISTENED:
            return
        left = took / counted * (total - done)
        self._warned = self._is_beyond(now - self._began + left)
        if left >= WORTH_SAYING or self._warned:
            self._said = True
            more = f"more, beyond the {self._minutes:g} min asked for" if self._warned else "more"
            self._display.say(
                f"measured on {counted:,} of {total:,} pairs: {name} takes about {duration(left)} "
                f"{more}; {in_words(peak_memory(self._device))} of memory"
            )

    def end(self) -> None:
        """Say that it took longer than was asked for, where that was not foreseen."""
        took = time.monotonic() - self._began
        if self._is_beyond(took) and not self._warned:
            self._display.say(
                f"finding the encoder took {duration(took)}, beyond the {self._minutes:g} min "
                "asked for: it is not cut short"
            )

    def _is_beyond(self, seconds: float) -> bool:
        return self._minutes is not None and seconds > 60 * self._minutes
