"""What a run keeps of its training: records, looks, checkpoints, and the line on the screen."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch.optim import Optimizer

from selfsight.data.images import ImageSet
from selfsight.diagnosis.collapse import find_collapse
from selfsight.display import Display, look_text
from selfsight.errors import UserError
from selfsight.forecast import Forecaster
from selfsight.gather import world_size
from selfsight.look import looker
from selfsight.loop import Record
from selfsight.material import Material
from selfsight.method import Method
from selfsight.run import Run

EARLY_LOOKS = (0.0, 0.01, 0.03, 0.06)  # of the progress: the first step, and where collapses show
APART = 5  # steps between two looks, at least: what looking costs is a share of what steps cost
ASKING_SHARE = 0.03  # of the time may go into asking neighbours
ASKING = 6.0  # times a look without them, which is what asking them costs until it was measured


@dataclass(slots=True)
class State:
    """What changes while a run is trained, apart from the weights."""

    step: int = 0
    seconds: float = 0.0
    finite: bool = True
    asked: float = 0.0  # seconds that asking neighbours took so far
    asking: float = 0.0  # and will take the next time, as far as is known
    last_look: dict[str, Any] = field(default_factory=dict)
    collapse: str = ""  # what the last look shows, in words; empty if nothing
    losses: list[float] = field(default_factory=list)
    saved_at: float = 0.0
    ended: bool = False  # whatever the reason: not one step more is to be taken


class Keeper:
    """Takes what the loop yields, one record at a time."""

    def __init__(
        self,
        run: Run,
        method: Method,
        optimiser: Optimizer,
        *,
        material: Material,
        state: State,
        display: Display,
    ) -> None:
        self.run, self.method, self.optimiser, self.state = run, method, optimiser, state
        self.display, self.fingerprint = display, fingerprint(material.train)
        settings = run.settings
        self.look = looker(material, batch=settings.batch, groups=method.groups, seed=settings.seed)
        self.processes = world_size()
        self.forecast = Forecaster(
            processes=self.processes, images=len(material.train), minutes=settings.minutes
        )
        self.began = time.monotonic() - state.seconds
        self.pending: list[dict[str, Any]] = []
        self.images, self.rate_since, self.written = 0, time.monotonic(), time.monotonic()
        self.due = [*EARLY_LOOKS, *(i / settings.looks for i in range(1, settings.looks + 1))]

    def record(self, record: Record) -> None:
        """Note one step; look, show and save where it is time to."""
        now, state = time.monotonic(), self.state
        state.step, state.seconds = record.step, now - self.began
        state.losses.append(record.loss)
        images = record.images * self.processes
        self.images += images
        if expected := self.forecast.add(record):
            self.display.say(expected)
        speed = self.images / max(now - self.rate_since, 1e-9)
        if _kept(record.step):
            self.pending.append(
                _step_line(record, seconds=state.seconds, images=images, speed=speed)
            )
        while self.due and self.due[0] <= state.last_look.get("progress", 0.0) + 1e-9:
            self.due.pop(0)  # a resumed run does not repeat its looks
        due = bool(self.due) and record.progress >= self.due[0] - 1e-9
        due = due and record.step >= state.last_look.get("step", -APART) + APART
        last = record.progress >= 1 or not record.finite
        if due or last:
            early = record.progress < 1 / self.run.settings.looks - 1e-9
            while self.due and record.progress >= self.due[0] - 1e-9:
                self.due.pop(0)
            asks = not early and state.asked + state.asking < ASKING_SHARE * state.seconds
            self._look(record, neighbours=last or asks)
        left = state.seconds / max(record.progress, 1e-9) * (1 - record.progress)
        shown = look_text(state.last_look) if state.last_look else ""
        self.display.step(
            {
                "step": record.step,
                "progress": record.progress,
                "loss": record.loss,
                "images_per_second": speed,
                "seconds_left": left,
                "look": shown,
            }
        )
        if now - self.written > 1:
            self._flush()
        if state.seconds - state.saved_at > 60 * self.run.settings.checkpoint_minutes:
            self.checkpoint()
        if now - self.rate_since > 30:
            self.images, self.rate_since = 0, now

    def checkpoint(self) -> None:
        """Save all that a resumed run needs."""
        self._flush()
        state = self.state
        state.saved_at = state.seconds
        self.run.save_checkpoint(
            state.step,
            {
                "state": asdict(state),
                "images": self.fingerprint,
                "method": self.method.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
        )

    def end(self) -> None:
        """Save the last step, as the last."""
        self.state.ended = True
        self.checkpoint()
        self.display.end()

    def _look(self, record: Record, *, neighbours: bool) -> None:
        began, state = time.monotonic(), self.state
        loss = sum(state.losses) / len(state.losses)
        state.losses = []
        before, state.last_look = state.last_look, self.look(self.method, record, loss, neighbours)
        state.last_look["seconds"] = state.seconds
        if record.finite:
            self._watch(before)
        self.pending.append(state.last_look)
        spent = time.monotonic() - began
        if neighbours:
            state.asked, state.asking = state.asked + spent, spent
        elif not state.asked:
            state.asking = ASKING * spent
        self.rate_since += spent  # looking is not training: the shown speed leaves it out
        state.seconds = time.monotonic() - self.began

    def _watch(self, look_before: Mapping[str, Any]) -> None:
        found = find_collapse(self.state.last_look, look_before)
        found = found.treated(self.method.remedies) if found else None
        before, self.state.collapse = self.state.collapse, str(found) if found else ""
        if self.state.collapse != before and found:
            self.display.say(f"after step {self.state.step}: {found}")
        elif before and not found:
            self.display.say(f"after step {self.state.step}: the run has recovered")

    def _flush(self) -> None:
        self.run.append(self.pending)
        self.pending, self.written = [], time.monotonic()


def _kept(step: int) -> bool:
    """Whether a step's record is written: all at first, then every 10th, then every 100th."""
    return step <= 2_000 or (step <= 20_000 and step % 10 == 0) or step % 100 == 0


def _step_line(record: Record, *, seconds: float, images: int, speed: float) -> dict[str, Any]:
    return {
        "kind": "step",
        "step": record.step,
        "progress": record.progress,
        "loss": record.loss,
        "lr": record.lr,
        "seconds": seconds,
        "images": images,
        "images_per_second": speed,
        "spent": {part: round(seconds, 6) for part, seconds in record.spent.items()},
        "logs": record.logs,
    }


def restore(run: Run, method: Method, optimiser: Optimizer, images: ImageSet) -> State:
    """Load the newest checkpoint into the method and the optimiser and return where it stood.

    Records of later steps are still there: `Run.forget_after` is for one process only.
    """
    saved = run.latest_checkpoint()
    if saved is None:
        return State()
    if saved["images"] != fingerprint(images):
        raise UserError(
            f"the images in {run.images} are not those that the run in {run.path} began with; "
            "restore them, or start a new run with another --out"
        )
    try:
        method.load_state_dict(saved["method"])
        optimiser.load_state_dict(saved["optimiser"])
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"the checkpoint in {run.path} does not fit the network of these settings: another "
            "version of selfsight has written it; resume with that one, or start a new run"
        ) from error
    return State(**saved["state"])


def fingerprint(images: ImageSet) -> str:
    """Return a word that tells these images, in this order, from others."""
    names = hashlib.sha256()
    for path in images.paths:
        names.update(path.encode("utf-8", "surrogateescape") + b"\0")
    return f"{len(images)} {names.hexdigest()}"
