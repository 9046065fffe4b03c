"""What a person sees while a run goes on: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

PLAIN_SECONDS = 15.0  # between two plain progress lines
WORTH_A_LINE = 3.0  # seconds that a phase takes before plain lines speak of it


class Display:
    """Shows phases and steps on standard error; silent if told so.

    `phase` has the signature that long functions take as `progress`.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._live: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last_plain: dict[str, float] = {}
        self._phases: dict[str, float] = {}

    def __enter__(self) -> "Display":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()  # whatever happened, or the terminal's cursor stays hidden

    def say(self, line: str) -> None:
        """Print one line, above the live line if there is one."""
        console = self._live.console if self._live else self._console
        console.print(line, markup=False)

    def phase(self, name: str, done: int, total: int) -> None:
        """Show that `done` of `total` parts of a phase are finished; a total of 0 is unknown."""
        spent = time.monotonic() - self._phases.setdefault(name, time.monotonic())
        ended = 0 < total <= done
        if ended:
            self._phases.pop(name)
        if self._console.is_terminal:
            self._bar(name, done, total, "")
            if ended:
                self.end()
        elif spent > WORTH_A_LINE and (ended or self._due(name)):
            parts = f"{done:,} of {total:,}" if total else f"{done:,}"
            left = f", {duration(spent / done * (total - done))} left" if done and total else ""
            self.say(f"{name}: {parts}" + (f", in {duration(spent)}" if ended else left))

    def step(self, state: Mapping[str, Any]) -> None:
        """Show the state of the training: step, progress, loss, images_per_second, seconds_left."""
        text = (
            f"step {state['step']:,}  {state['images_per_second']:,.0f} images/s  "
            f"loss {state['loss']:.4g}{state['look']}"
        )
        if self._console.is_terminal:
            self._bar("training", int(1000 * state["progress"]), 1000, text)
        elif self._due("training"):
            left = duration(state["seconds_left"])
            self.say(f"training: {state['progress']:.0%}  {text}  {left} left")

    def end(self) -> None:
        """Remove the live line."""
        if self._live:
            self._live.stop()
            self._live = None
            self._tasks = {}

    def _bar(self, name: str, done: int, total: int, text: str) -> None:
        if self._live is None:
            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.fields[text]}", markup=False),
                console=self._console,
                transient=True,
            )
            self._live.start()
        if name not in self._tasks:
            self._tasks[name] = self._live.add_task(name, total=total or None, text=text)
        self._live.update(self._tasks[name], completed=done, total=total or None, text=text)

    def _due(self, name: str) -> bool:
        now = time.monotonic()
        due = now - self._last_plain.get(name, 0.0) > PLAIN_SECONDS
        if due:
            self._last_plain[name] = now
        return due


def look_text(look: Mapping[str, Any]) -> str:
    """Return a look at the run in a few words for the progress line."""
    share = look["spread"] / look["spread_ideal"]
    knn = "" if look["knn"] is None else f"  kNN {look['knn']:.1%}"
    return (
        f"  {look['loss_share']:z.0%} of the way  spread {share:.2f} of ideal"
        f"  rank {look['effective_rank']:.0f}{knn}"
    )


def print_out(text: str) -> None:
    """Print a result on standard output, whatever characters file names hold."""
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def duration(seconds: float) -> str:
    """Return a length of time for a reader."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
