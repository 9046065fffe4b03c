"""What `compare` and `study` share: from a plan to its results, begun or continued."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from selfsight.commands.files import apart
from selfsight.errors import UserError, reaching
from selfsight.places import placed, vacant
from selfsight.settings import Settings

if TYPE_CHECKING:
    from selfsight.experiments.plan import Plan
    from selfsight.experiments.results import Results


def carried_out(plan: "Plan", *, out: Path, resume: bool, quiet: bool) -> "Results":
    """Make the runs of a plan in `out` and return what they say.

    Raises UserError for a mistake in the input, in one line and before anything is written.
    """
    from selfsight.display import Display
    from selfsight.experiments.checking import (
        check_arms,
        check_material,
        check_same_images,
        continued,
        fingerprint,
    )
    from selfsight.experiments.grid import carry_out, material_of
    from selfsight.experiments.plan import FILE, read_plan, with_encoders, write_plan

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(f"a {plan.kind} trains one run after the other; start it without torchrun")
    plan = with_encoders(plan)
    saved = read_plan(out) if resume else None
    if saved is not None:
        plan = continued(saved, plan)
    elif (out / FILE).exists():
        raise UserError(
            f"{out} holds another experiment; choose another --out, or continue it with --resume"
        )
    else:
        vacant(out)
        apart(plan.images, out)
    check_arms(plan)
    with Display(quiet=quiet) as display:
        material = material_of(plan, seed=0, display=display)
        check_material(material, plan)
        plan = replace(plan, fingerprint=fingerprint(material))
        if saved is None:
            plan = _with_threads(plan)
        else:
            check_same_images(saved, plan)
        with reaching(out, to="write"):
            out.mkdir(parents=True, exist_ok=True)
            write_plan(out, plan)
            return carry_out(out, plan, display=display)


def shared_settings(settings: Settings, *, out: Path) -> Settings:
    """Return settings that mean the same from wherever the experiment is resumed.

    Raises UserError for a seed: an experiment has several, from 0.
    """
    if settings.seed != 0:
        raise UserError(f"seed is {settings.seed}; an experiment takes --seeds N: 0 to N - 1")
    if settings.preset != "none":
        raise UserError(
            f"preset is {settings.preset}; an experiment takes the settings themselves, and runs "
            "with steps (laptop has none: train it, then evaluate it beside the others)"
        )
    beside = str(out.absolute().parent / ".selfsight-cache")
    return placed(replace(settings, cache=beside) if settings.cache == "auto" else settings)


def pairs(settings: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return settings, as Python gives them, as names and texts, as the command line does."""
    return [(name, str(value)) for name, value in settings.items()]


def _with_threads(plan: "Plan") -> "Plan":
    """Return the plan with one number of threads for all runs, or none would be comparable."""
    from selfsight.processors import free_cores

    threads = free_cores()
    arms = tuple(
        replace(arm, settings=replace(arm.settings, threads=threads))
        if arm.settings.threads == "auto"
        else arm
        for arm in plan.arms
    )
    return replace(plan, arms=arms)
