"""What an experiment is: some arms, each trained with the same seeds on the same budget.

A comparison has one arm a method; a study has one arm for each method and value of one setting.
All that follows (training, measuring, the page) sees arms and seeds only.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from selfsight import methods
from selfsight.assemble import fitted_encoder
from selfsight.errors import UserError, suggest
from selfsight.settings import Settings, names_of_settings, setting_from_text, settings_from

FILE = "plan.json"
BUDGETS = ("minutes", "images", "steps", "epochs")
NOT_VARIED = {  # a run differs by these, but not by what it is
    *("preset", "method", "seed", "labels", "held_out", "cache", "download"),
    *("looks", "on_collapse", "checkpoint_minutes"),
}
ALIKE = ("data", "device", "precision", "threads")  # for all methods, or their budgets differ


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train. `settings` holds everything but the seed, `own` the method's settings."""

    name: str  # unique, fit for a folder
    settings: Settings
    own: Mapping[str, object]
    value: str = ""  # of the setting that a study varies, as it was written

    @property
    def method(self) -> str:
        """Return the name of the arm's method."""
        return self.settings.method


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment before it is carried out."""

    kind: Literal["comparison", "study"]
    images: str
    seeds: int  # seeds 0, 1, … of every arm
    vary: str  # name of the setting that a study varies, else ""
    budget: tuple[str, float]  # what every run has as much of, one of BUDGETS, and how much
    arms: tuple[Arm, ...]
    fingerprint: str = ""  # of the images and labels, once they are read

    def cells(self) -> list[tuple[Arm, int]]:
        """Return (arm, seed) in the order of the work: seed 0 of every arm, then seed 1, …"""
        return [(arm, seed) for seed in range(self.seeds) for arm in self.arms]


def arm_of(method: str, settings: Settings, *, given: Sequence[tuple[str, str]]) -> Arm:
    """Return the arm of a method with those of the `given` names and values that are its own.

    A name is METHOD.NAME for one method, with NAME a setting of the method or of training; or NAME
    for all methods that have such a setting. Raises UserError as `with_value` does.
    """
    arm = Arm(method, replace(settings, method=method), {})
    known = methods.settings_of(methods.find(method))
    for place, value in given:
        of, dot, name = place.rpartition(".")
        if of == method or (not dot and name in known):
            arm = with_value(arm, name, value)
    return arm


def with_encoders(plan: Plan) -> Plan:
    """Return the plan with each arm's encoder by its name, where it was left to the method."""
    arms = (
        replace(
            arm,
            settings=fitted_encoder(
                arm.settings, kind=methods.find(arm.method), say=lambda _: None
            ),
        )
        for arm in plan.arms
    )
    return replace(plan, arms=tuple(arms))


def check_given(given: Sequence[tuple[str, str]], *, names: Sequence[str], vary: str = "") -> None:
    """Raise UserError for a given name that would change no arm of the methods in `names`.

    vary: the setting that a study varies, which decides itself what it is.
    """
    for place, _ in given:
        of, dot, name = place.rpartition(".")
        if name == vary:
            raise UserError(f"--set {place} has no effect beside --vary {vary}; leave it out")
        if dot and of not in names:
            raise UserError(f"--set {place}: {of!r} is not among {', '.join(names)}")
        if dot and name in {*NOT_VARIED, *BUDGETS, *ALIKE}:
            raise UserError(
                f"--set {place}: {name} must be the same for all, or none can be ranked"
            )
        own = [
            *dict.fromkeys(key for one in names for key in methods.settings_of(methods.find(one)))
        ]
        if not dot and name not in own:
            raise UserError(
                f"--set {name}: none of {', '.join(names)} has a setting {name!r}"
                f"{suggest(name, own)}"
            )


def with_value(arm: Arm, name: str, text: str) -> Arm:
    """Return an arm with one setting changed, be it the training's or the method's own.

    Raises UserError for a name that neither has, and for a value of the wrong type or range.
    """
    kind = methods.find(arm.method)
    if name in methods.settings_of(kind):
        return replace(arm, own={**arm.own, **methods.parse_settings(kind, {name: text})})
    known = [*methods.settings_of(kind), *names_of_settings()]
    if name not in known:
        raise UserError(f"{arm.method} has no setting {name!r}{suggest(name, known)}")
    changed = asdict(arm.settings) | {name: setting_from_text(name, text)}
    return replace(arm, settings=settings_from(changed))


def varied(arm: Arm, *, name: str, value: str) -> Arm:
    """Return the arm of a study for one value. Raises UserError as `with_value` does."""
    if name in NOT_VARIED:
        raise UserError(
            f"--vary {name}: a study varies how a run learns, and {name} is no part of it"
        )
    plain = re.sub(r"[^\w.+-]+", "_", value)
    found = with_value(arm, name, value)
    return replace(found, name=f"{arm.name}-{name}-{plain}", value=value)


def budget_of(settings: Settings, *, images: int | None, vary: str) -> tuple[str, float]:
    """Return what all runs have as much of: the budget that is given, and none beside it.

    images: training images that each run is shown, if that is the budget. A study that varies the
    budget itself has ("", 0). Raises UserError for no budget or several.
    """
    given = {name: getattr(settings, name) for name in BUDGETS if name != "images"}
    given = {
        name: value for name, value in (given | {"images": images}).items() if value is not None
    }
    if vary in BUDGETS:
        if given:
            raise UserError(f"--vary {vary} is the budget: give no --{next(iter(given))} beside it")
        return ("", 0.0)
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "no budget is given"
        raise UserError(
            f"{what}; give --minutes M (equal time) or --images N (equally many images for each)"
        )
    ((name, value),) = given.items()
    if not value > 0:
        raise UserError(f"{name} is {value}; it must be above 0")
    return name, float(value)


def within(arm: Arm, budget: tuple[str, float]) -> Arm:
    """Return an arm with the budget in its settings: images become steps of its batch."""
    name, amount = budget
    if name != "images":
        return arm  # its settings have it already
    settings = arm.settings
    steps = math.ceil(amount / (settings.batch * settings.accumulate))
    return replace(arm, settings=replace(settings, steps=steps))


def check_seeds(seeds: int) -> None:
    """Raise UserError for fewer than one seed."""
    if seeds < 1:
        raise UserError(f"seeds is {seeds}; it must be at least 1, and 3 or more to tell apart")


def write_plan(folder: Path, plan: Plan) -> None:
    """Write the plan to its file in one move."""
    partial = folder / f"{FILE}.part"
    partial.write_text(json.dumps(asdict(plan), indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / FILE)


def read_plan(folder: Path) -> Plan:
    """Return the plan of an experiment. Raises UserError if the folder holds none."""
    try:
        content: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
        arms = [
            Arm(arm["name"], settings_from(arm["settings"]), arm["own"], arm["value"])
            for arm in content.pop("arms")
        ]
        name, amount = content.pop("budget")
        return Plan(**content, budget=(name, amount), arms=tuple(arms))
    except OSError as error:
        raise UserError(f"{folder} holds no experiment: it has no {FILE}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / FILE} cannot be read: {error}") from error
