"""What an experiment has found so far: a row an arm, the contrasts, and one plain sentence."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selfsight import __version__
from selfsight.evaluation.seeds import Spread, spread_over_seeds
from selfsight.experiments.cells import Cell, read_cells
from selfsight.experiments.contrasts import Contrast, changes, contrasts_of, noise_of_cells, pairs
from selfsight.experiments.leaks import Leak, read_leaks, without_repeats
from selfsight.experiments.plan import Arm, Plan
from selfsight.experiments.wording import (
    TESTED,
    budget_text,
    decided,
    leak_lines,
    sentence_of,
    table_lines,
    word_of,
)

FILE = "results.json"
REFERENCES = ("untrained", "pixels")  # rows of every run's evidence beside the encoder's


@dataclass(frozen=True, slots=True)
class ArmRow:
    """An arm over its seeds. Spreads are None where nothing was measured."""

    name: str
    method: str
    value: str
    linear: Spread | None
    knn: Spread | None
    untrained: Spread | None
    pixels: Spread | None
    fresh: Spread | None  # linear probe without test images that were trained on; None without any
    words: Mapping[str, int]  # verdicts of the runs, with their number
    seconds: float  # means over the ended runs
    steps: float
    images: float
    images_per_second: float


@dataclass(frozen=True, slots=True)
class Results:
    """All that is known of an experiment. path: its folder, where results.json has the same."""

    path: Path
    plan: Plan
    cells: tuple[Cell, ...]
    arms: tuple[ArmRow, ...]  # comparison: best first; study: in the order of the plan
    contrasts: tuple[Contrast, ...]
    leaks: Mapping[int, Leak]  # by seed
    word: str  # the sentence in a word or two
    sentence: str

    @property
    def done(self) -> int:
        """Return the number of runs that have ended or failed."""
        return sum(cell.word != "waiting" for cell in self.cells)

    def table(self) -> list[str]:
        """Return the arms and what they say together as lines of text."""
        return [*table_lines(self), *leak_lines(self)]


def results_of(out: Path, plan: Plan) -> Results:
    """Return what the runs in an experiment's folder say."""
    cells, leaks = read_cells(out, plan), read_leaks(out)
    arms = [
        _arm_row(arm, [cell for cell in cells if cell.arm == arm.name], leaks) for arm in plan.arms
    ]
    if plan.kind == "comparison":
        arms.sort(
            key=lambda row: -math.inf if row.linear is None else row.linear.mean, reverse=True
        )
        wanted = pairs([arm.name for arm in arms if arm.linear is not None])
    else:
        wanted = changes(plan)
    contrasts = contrasts_of(cells, wanted)
    waiting = sum(cell.word == "waiting" for cell in cells)
    return Results(
        out,
        plan,
        tuple(cells),
        tuple(arms),
        tuple(contrasts),
        leaks,
        f"{len(cells) - waiting} of {len(cells)} runs" if waiting else word_of(arms, contrasts),
        sentence_of(plan, arms, contrasts, noise=noise_of_cells(cells)),
    )


def to_json(results: Results) -> dict[str, Any]:
    """Return the content of results.json: plain values, None for what is not known."""
    plan = results.plan
    content = {
        "kind": plan.kind,
        "images": plan.images,
        "seeds": plan.seeds,
        "vary": plan.vary,
        "budget": {"of": plan.budget[0], "amount": plan.budget[1], "words": budget_text(plan)},
        "done": results.done,
        "runs": len(results.cells),
        "word": results.word,
        "decided": decided(results.arms, results.contrasts),
        "sentence": results.sentence,
        "arms": [asdict(arm) for arm in results.arms],
        "contrasts": [asdict(found) for found in results.contrasts],
        "tested": TESTED,
        "cells": [_cell_to_json(cell) for cell in results.cells],
        "leaks": {str(seed): asdict(leak) for seed, leak in results.leaks.items()},
        "settings": asdict(plan.arms[0].settings),
        "encoders": {arm.name: arm.settings.encoder for arm in plan.arms},
        "own": {arm.name: dict(arm.own) for arm in plan.arms if arm.own},
        "differing": differing(plan),
        "protocol": next((cell.protocol for cell in results.cells if cell.protocol), {}),
        "selfsight": __version__,
    }
    plain: dict[str, Any] = json.loads(json.dumps(content), parse_constant=lambda _: None)
    return plain


def differing(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the settings of training that not all arms share, by arm, but for the methods."""
    settings = {arm.name: asdict(arm.settings) for arm in plan.arms}
    first = settings[plan.arms[0].name]
    names = [
        name
        for name in first
        if name != "method" and any(each[name] != first[name] for each in settings.values())
    ]
    return {arm: {name: each[name] for name in names} for arm, each in settings.items() if names}


def _cell_to_json(cell: Cell) -> dict[str, Any]:
    of_run = ("arm", "seed", "folder", "word", "reason", "seconds", "steps", "images", "looks")
    accuracies = {
        f"{name}_{probe}": getattr(row, probe).accuracy.value
        for name, row in cell.rows.items()
        for probe in ("linear", "knn")
    }
    return {name: getattr(cell, name) for name in of_run} | accuracies


def _arm_row(arm: Arm, cells: Sequence[Cell], leaks: Mapping[int, Leak]) -> ArmRow:
    ended = [cell for cell in cells if cell.seconds]
    measured = [cell for cell in cells if cell.rows]

    def mean(values: Sequence[float | int]) -> float:
        return float(np.mean(values)) if len(values) else math.nan

    def over(row: str, probe: str) -> Spread | None:
        values = [getattr(cell.rows[row], probe).accuracy.value for cell in measured]
        return spread_over_seeds(np.array(values)) if values else None

    fresh = [without_repeats(cell, leaks[cell.seed]) for cell in measured if cell.seed in leaks]
    return ArmRow(
        name=arm.name,
        method=arm.method,
        value=arm.value,
        linear=over("encoder", "linear"),
        knn=over("encoder", "knn"),
        untrained=over("untrained", "linear"),
        pixels=over("pixels", "linear"),
        fresh=spread_over_seeds(np.array(fresh)) if fresh else None,
        words=dict(Counter(cell.word for cell in cells)),
        seconds=mean([cell.seconds for cell in ended]),
        steps=mean([cell.steps for cell in ended]),
        images=mean([cell.images for cell in ended]),
        images_per_second=mean([cell.images / cell.seconds for cell in ended if cell.seconds]),
    )
