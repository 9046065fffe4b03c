"""What is known of the runs of an experiment, each read from its own directory.

A cell of the grid is an arm with a seed; its run lives in `runs/ARM-SEED`. Why a run could not be
made stands in `failures.json`, because such a run may have no directory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from selfsight.evaluation.rows import Row, hits, row_from_json
from selfsight.experiments.plan import Arm, Plan
from selfsight.run import Run

FAILURES = "failures.json"


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the grid, as far as it has come."""

    arm: str
    seed: int
    folder: str  # beneath the experiment's
    word: str  # of the verdict; "failed" for a run that could not be made, "waiting" before its end
    reason: str  # of a verdict that says no more than its word: the sentence, else ""
    rows: Mapping[str, Row]  # of the evidence, by name; empty where nothing could be measured
    protocol: Mapping[str, Any]  # of the evidence
    seconds: float  # of training
    steps: int
    images: int  # shown to the network, with repetition
    looks: tuple[tuple[float, float], ...]  # (seconds of training, live kNN accuracy)

    @property
    def hits(self) -> Bool[np.ndarray, "images"]:
        """Return whether the linear probe read each test image right."""
        return hits(self.rows["encoder"].linear)


def run_folder(out: Path, arm: Arm, seed: int) -> Path:
    """Return the directory of a run."""
    return out / "runs" / f"{arm.name}-{seed}"


def ended(folder: Path) -> bool:
    """Return whether a run is whole: the report is the last file that it writes."""
    return (folder / "settings.toml").is_file() and (folder / "report.html").is_file()


def read_cells(out: Path, plan: Plan) -> list[Cell]:
    """Return all cells of the grid, in the order of the work."""
    failures = read_failures(out)
    return [_cell(out, arm, seed, failures) for arm, seed in plan.cells()]


def read_failures(out: Path) -> dict[str, dict[str, str]]:
    """Return reason and traceback of every run that could not be made, by its directory's name."""
    try:
        found: dict[str, dict[str, str]] = json.loads((out / FAILURES).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return found


def _cell(out: Path, arm: Arm, seed: int, failures: Mapping[str, Mapping[str, str]]) -> Cell:
    folder = run_folder(out, arm, seed)
    run = Run.open(folder) if (folder / "settings.toml").is_file() else None
    evidence = run.evidence if run is not None and ended(folder) else {}
    word, reason = "waiting", ""
    if evidence:
        word, reason = evidence["verdict"]["word"], evidence["verdict"]["sentence"]
    elif folder.name in failures:
        word, reason = "failed", failures[folder.name]["reason"]
    settings = arm.settings if run is None else run.settings
    steps = int(evidence.get("steps", 0))
    looks = [] if run is None else run.records("look")
    return Cell(
        arm=arm.name,
        seed=seed,
        folder=str(folder.relative_to(out)),
        word=word,
        reason=reason if word in ("collapsed", "diverged", "failed") else "",
        rows=_rows(evidence),
        protocol=evidence.get("protocol", {}),
        seconds=float(evidence.get("seconds", 0.0)),
        steps=steps,
        images=steps * settings.batch * settings.accumulate,
        looks=tuple((look["seconds"], look["knn"]) for look in looks if look["knn"] is not None),
    )


def _rows(evidence: Mapping[str, Any]) -> dict[str, Row]:
    return {row["name"]: row_from_json(row, evidence) for row in evidence.get("rows", [])}
