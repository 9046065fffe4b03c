"""Differences between arms, and which of them are more than luck.

A contrast is a weighted sum of arms' accuracies: 1 and -1 for two arms, four weights for "does this
arm gain more than that one". It is called a difference where both kinds of luck leave it: over
seeds, by the paired t test of `evaluation/seeds.py` with Holm's correction for all contrasts of the
experiment; and over test images, by a normal interval for one seed, which averaging over seeds does
not narrow because the seeds may share their test images.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from selfsight.evaluation.seeds import LEVEL, Paired, holm, paired_over_seeds
from selfsight.experiments.cells import Cell
from selfsight.experiments.plan import Plan

NORMAL = 1.96  # standard deviations either side that hold 95 %
Kind = Literal["pair", "change", "gains"]  # of arms; of a method's values; of methods' changes
Call = Literal[
    "difference", "no difference found", ""
]  # the last where a single seed tells nothing


@dataclass(frozen=True, slots=True)
class Contrast:
    """One difference of linear-probe accuracies, in [-1, 1] (or [-2, 2] of four arms)."""

    kind: Kind
    first: str
    second: str
    paired: Paired  # over the seeds in which all its arms were measured
    over_images: float  # half the width of the interval over test images
    deviation: float  # of the differences over seeds, NaN for one
    adjusted: float = math.nan  # p with Holm's correction
    call: Call = ""


def contrast(
    cells: Iterable[Cell], weights: Mapping[str, int], *, kind: Kind, first: str, second: str
) -> Contrast | None:
    """Return a weighted sum of arms, or None if no seed has all of them measured.

    weights: by arm. first, second: what the difference is of, in words.
    """
    by_seed: dict[int, dict[str, Cell]] = {}
    for cell in cells:
        if cell.arm in weights and cell.rows:
            by_seed.setdefault(cell.seed, {})[cell.arm] = cell
    values, widths = [], []
    for found in by_seed.values():
        if found.keys() != weights.keys():
            continue
        # Both arms of a seed answered the same images, so that each image gives one difference.
        each = sum(weight * found[arm].hits.astype(np.float64) for arm, weight in weights.items())
        assert isinstance(each, np.ndarray)
        values.append(each.mean())
        widths.append(NORMAL * each.std() / math.sqrt(len(each)))
    if not values:
        return None
    return Contrast(
        kind,
        first,
        second,
        paired_over_seeds(np.array(values)),
        float(np.mean(widths)),
        float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
    )


def pairs(arms: Sequence[str], cells: Sequence[Cell]) -> list[Contrast]:
    """Return the difference of every two arms, of which the better ones come first."""
    found = [
        contrast(cells, {one: 1, other: -1}, kind="pair", first=one, second=other)
        for one, other in combinations(arms, 2)
    ]
    return called([pair for pair in found if pair is not None])


def changes(plan: Plan, cells: Sequence[Cell]) -> list[Contrast]:
    """Return each method's change from the first to the last value; then how these differ."""
    ends = {}
    for method in dict.fromkeys(arm.method for arm in plan.arms):
        arms = [arm for arm in plan.arms if arm.method == method]
        ends[method] = (arms[0], arms[-1])
    of_methods = [
        contrast(
            cells,
            {last.name: 1, first.name: -1},
            kind="change",
            first=f"{method} at {plan.vary} {last.value}",
            second=f"at {first.value}",
        )
        for method, (first, last) in ends.items()
    ]
    between = [
        contrast(
            cells,
            {
                ends[one][1].name: 1,
                ends[one][0].name: -1,
                ends[other][1].name: -1,
                ends[other][0].name: 1,
            },
            kind="gains",
            first=f"gain of {one}",
            second=f"gain of {other}",
        )
        for one, other in combinations(ends, 2)
    ]
    return called([found for found in (*of_methods, *between) if found is not None])


def called(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Return the contrasts with p corrected for their number, and what is made of each."""
    adjusted = holm([found.paired.p for found in contrasts])
    return [
        replace(found, adjusted=p, call=_call(found, p))
        for found, p in zip(contrasts, adjusted, strict=True)
    ]


def _call(found: Contrast, adjusted: float) -> Call:
    if math.isnan(adjusted):
        return ""
    beyond = adjusted < 1 - LEVEL and abs(found.paired.mean) > found.over_images
    return "difference" if beyond else "no difference found"
