"""Carrying an experiment out: every run in turn, what has ended is not done again.

The order is seed 0 of every arm, then seed 1, …: an hour in which the machine was slow touches all
arms alike, and an experiment that is cut short has whole seeds.
"""

import json
import shutil
import time
import traceback
from dataclasses import replace
from pathlib import Path

from selfsight.conclude import MOST_MEASURED
from selfsight.display import Display
from selfsight.errors import UserError
from selfsight.experiments.cells import FAILURES, ended, read_failures, run_folder
from selfsight.experiments.leaks import find_leak, read_leaks, write_leaks
from selfsight.experiments.plan import Arm, Plan
from selfsight.experiments.results import FILE, Results, results_of, to_json
from selfsight.fit import fit
from selfsight.material import Material, open_material
from selfsight.reporting.experiment import write_experiment
from selfsight.run import Run


def carry_out(out: Path, plan: Plan, *, display: Display) -> Results:
    """Make all runs that have not ended, write what they say after each, and return it.

    A run that fails is written down and does not stop the rest. Raises UserError for images that no
    run could use and for a disk that takes no more; Interrupted for Ctrl-C.
    """
    cells = plan.cells()
    waiting = [cell for cell in cells if not ended(run_folder(out, *cell))]
    spent: list[float] = []
    for arm, seed in waiting:
        _note_leak(out, plan, seed, display)
        number = len(cells) - len(waiting) + len(spent) + 1
        left = _left(plan, spent, runs=len(waiting) - len(spent))
        display.say(f"run {number} of {len(cells)}: {arm.name}, seed {seed}{left}")
        began = time.monotonic()
        _one(out, plan, arm, seed, display)
        spent.append(time.monotonic() - began)
        write_results(out, plan)
    return write_results(out, plan)


def write_results(out: Path, plan: Plan) -> Results:
    """Write results.json and the page from the runs as they are, and return what they say."""
    found = results_of(out, plan)
    partial = out / f"{FILE}.part"
    partial.write_text(json.dumps(to_json(found), indent=1) + "\n", encoding="utf-8")
    partial.replace(out / FILE)
    write_experiment(out)
    return found


def material_of(plan: Plan, *, seed: int, display: Display) -> Material:
    """Return the images of a seed's runs. Raises UserError as `open_material` does."""
    settings = replace(plan.arms[0].settings, seed=seed)
    cache = Path(settings.cache)
    return open_material(plan.images, settings=settings, cache=cache, progress=display.phase)


def _one(out: Path, plan: Plan, arm: Arm, seed: int, display: Display) -> None:
    """Make one run, or continue it; a failure is written down."""
    folder = run_folder(out, arm, seed)
    begun = (folder / "settings.toml").is_file()
    if not begun:
        shutil.rmtree(folder, ignore_errors=True)  # killed while it was made
    failures = read_failures(out)
    failures.pop(folder.name, None)
    try:
        run = Run.open(folder) if begun else None
        fit(
            plan.images,
            out=folder,
            settings=replace(arm.settings, seed=seed) if run is None else run.settings,
            method_settings=dict(arm.own if run is None else run.method_settings),
            resume=begun,
            display=display,
        )
    except Exception as error:  # whatever it is, the night's other runs are worth having
        if isinstance(error.__cause__, OSError):
            raise  # the disk: the next run would fail as well
        reason = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, UserError):
            reason = f"{type(error).__name__}: {reason}"
        failures[folder.name] = {"reason": reason, "traceback": traceback.format_exc()}
        display.end()
        display.say(f"{arm.name}, seed {seed}, failed: {reason}")
    _write_failures(out, failures)


def _write_failures(out: Path, failures: dict[str, dict[str, str]]) -> None:
    if not failures:
        (out / FAILURES).unlink(missing_ok=True)
        return
    partial = out / f"{FAILURES}.part"
    partial.write_text(json.dumps(failures, indent=1) + "\n", encoding="utf-8")
    partial.replace(out / FAILURES)


def _note_leak(out: Path, plan: Plan, seed: int, display: Display) -> None:
    leaks = read_leaks(out)
    if seed not in leaks:
        material = material_of(plan, seed=seed, display=display)
        leaks[seed] = find_leak(material, most=MOST_MEASURED, seed=seed, progress=display.phase)
        write_leaks(out, leaks)


def _left(plan: Plan, spent: list[float], *, runs: int) -> str:
    """Return how long the rest will take, as far as that can be told."""
    name, amount = plan.budget
    if not spent and name != "minutes":
        return ""
    each = sum(spent) / len(spent) if spent else 60 * amount
    return f" (about {max(1, round(each * runs / 60))} min left)"
