"""Differences between arms, and which of them are more than luck.

A contrast is a weighted sum of arms' accuracies: 1 and -1 for two arms, four weights for "does this
method gain more than that one". It is called a difference where both kinds of luck leave it: over
seeds, by the paired t test of `evaluation/seeds.py` with the noise of all runs of the experiment
and Holm's correction for all its contrasts; and over test images, by the interval for one seed,
which averaging over seeds does not narrow because the seeds may share their test images.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from selfsight.evaluation.difference import reach_over_images
from selfsight.evaluation.seeds import LEVEL, Noise, Paired, holm, noise_of, paired_over_seeds
from selfsight.experiments.cells import Cell
from selfsight.experiments.plan import Plan

Kind = Literal["pair", "change", "gains"]  # of arms; of a method's values; of methods' changes
Call = Literal[
    "difference", "no difference found", ""
]  # the last where a single seed tells nothing


@dataclass(frozen=True, slots=True)
class Contrast:
    """One difference of linear-probe accuracies, in [-1, 1] (or [-2, 2] of four arms)."""

    kind: Kind
    first: str  # arm of a pair, else method
    second: str  # arm of a pair, method of gains, else ""
    what: str  # in words
    paired: Paired  # over the seeds in which all its arms were measured
    over_images: float  # half the width of the interval over test images
    adjusted: float = math.nan  # p with Holm's correction
    call: Call = ""


@dataclass(frozen=True, slots=True)
class Weighted:
    """What is to be contrasted: weights by arm, and what that is called."""

    kind: Kind
    first: str
    second: str
    what: str
    weights: Mapping[str, int]


def pairs(arms: Sequence[str]) -> list[Weighted]:
    """Return every two arms, of which the better ones come first."""
    return [
        Weighted("pair", one, other, f"{one} less {other}", {one: 1, other: -1})
        for one, other in combinations(arms, 2)
    ]


def changes(plan: Plan) -> list[Weighted]:
    """Return each method's change from the first to the last value; then how these differ."""
    ends = {}
    for method in dict.fromkeys(arm.method for arm in plan.arms):
        arms = [arm for arm in plan.arms if arm.method == method]
        ends[method] = (arms[0], arms[-1])
    values = f"{plan.vary} {plan.arms[0].value} to {plan.arms[-1].value}"
    weights = {method: {last.name: 1, first.name: -1} for method, (first, last) in ends.items()}
    return [
        *(Weighted("change", one, "", f"{one}, {values}", weights[one]) for one in ends),
        *(
            Weighted(
                "gains",
                one,
                other,
                f"{one} less {other}, {values}",
                weights[one] | {arm: -weight for arm, weight in weights[other].items()},
            )
            for one, other in combinations(ends, 2)
        ),
    ]


def contrasts_of(cells: Sequence[Cell], wanted: Sequence[Weighted]) -> list[Contrast]:
    """Return the contrasts that any seed has measured, p corrected for their number, and called."""
    noise = noise_of_cells(cells)
    found = [_contrast(cells, one, noise) for one in wanted]
    known = [one for one in found if one is not None]
    adjusted = holm([one.paired.p for one in known])
    return [
        replace(one, adjusted=p, call=_call(one, p)) for one, p in zip(known, adjusted, strict=True)
    ]


def noise_of_cells(cells: Sequence[Cell]) -> Noise:
    """Return how far the runs of an experiment differ by luck."""
    arms = list(dict.fromkeys(cell.arm for cell in cells))
    values = np.full((len(arms), max(cell.seed for cell in cells) + 1), np.nan)
    for cell in cells:
        if cell.rows:
            values[arms.index(cell.arm), cell.seed] = cell.hits.mean()
    return noise_of(values)


def _contrast(cells: Iterable[Cell], wanted: Weighted, noise: Noise) -> Contrast | None:
    """Return a weighted sum of arms, or None if no seed has all of them measured."""
    weights = wanted.weights
    by_seed: dict[int, dict[str, Cell]] = {}
    for cell in cells:
        if cell.arm in weights and cell.rows:
            by_seed.setdefault(cell.seed, {})[cell.arm] = cell
    values, widths = [], []
    for found in by_seed.values():
        if found.keys() != weights.keys():
            continue
        # All arms of a seed answered the same images, so that each image gives one difference.
        each = sum(weight * found[arm].hits.astype(np.float64) for arm, weight in weights.items())
        assert isinstance(each, np.ndarray)
        values.append(each.mean())
        widths.append(reach_over_images(each))
    if not values:
        return None
    squares = float(sum(weight**2 for weight in weights.values()))
    return Contrast(
        wanted.kind,
        wanted.first,
        wanted.second,
        wanted.what,
        paired_over_seeds(np.array(values), noise=noise, squares=squares),
        float(np.mean(widths)),
    )


def _call(found: Contrast, adjusted: float) -> Call:
    if math.isnan(adjusted):
        return ""
    beyond = adjusted < 1 - LEVEL and abs(found.paired.mean) > found.over_images
    return "difference" if beyond else "no difference found"
