"""Quality without labels: every measure of an encoder, beside its untrained twin and raw pixels.

The values depend on the number of images, the width and the views. Two encoders can be compared if
all three are equal, which is why the untrained twin is measured on the same images and the same
views, and the difference from it has an interval of its own. Whether that is better or worse is
said after a correction for so many comparisons. Cluster stability has no such test: its halvings
overlap, so what is said is in how many of them it is higher.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from selfsight.diagnosis.cells import Cell
from selfsight.diagnosis.clusters import HALVINGS, cluster_stability
from selfsight.diagnosis.finding import Column, Finding, Row, Table
from selfsight.diagnosis.jackknife import (
    GROUPS,
    groups_of,
    jackknife_interval,
    jackknife_p,
    left_out,
)
from selfsight.diagnosis.measures import (
    ALL,
    MEASURES,
    STABILITY,
    Measure,
    Sample,
    part_of,
)
from selfsight.evaluation.interval import LEVEL, Interval
from selfsight.evaluation.seeds import holm


@dataclass(frozen=True, slots=True)
class Found:
    """One measure of one encoder: its interval, and the values whose spread made it."""

    interval: Interval
    spread: Float[np.ndarray, "parts"]


def quality(
    samples: Mapping[str, Sample],
    *,
    views: str,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> Finding:
    """Return all measures of all samples as a finding.

    samples: by name, "encoder" and "untrained" among them, all of the same images and views in the
    same order. views: what made the views, in words. The seed decides the groups of the jackknife
    and the halves.
    """
    names = list(samples)
    found: dict[str, list[Found]] = {}
    for done, name in enumerate(names):
        progress("measuring without labels", done, len(names))
        found[name] = measured(samples[name], seed=seed)
    progress("measuring without labels", len(names), len(names))
    columns = [
        *(Column(name, drawn=True) for name in names),
        Column("over untrained"),
        Column("p", "p", about="of better or worse"),
    ]
    p_values = better_or_worse(found["encoder"], found["untrained"])
    rows = []
    for place, measure in enumerate(ALL):
        cells = [found[name][place].interval for name in names]
        over = _difference(measure, found["encoder"][place], found["untrained"][place])
        p = p_values.get(measure.name)
        rows.append(_row(measure, (*cells, over, p), samples["encoder"]))
    return Finding(
        "quality",
        "Quality without labels",
        "measured",
        "neutral",
        _sentence(found["encoder"], found["untrained"]),
        tables=(Table("measures", "Measures", tuple(columns), tuple(rows), _caption(), "measure"),),
        protocol=_protocol(samples, views=views, seed=seed),
    )


def measured(sample: Sample, *, seed: int) -> list[Found]:
    """Return what each of `ALL` says of a sample, in their order."""
    groups = groups_of(len(sample.features), seed=seed)
    found = []
    for measure in MEASURES:

        def value(kept: Bool[np.ndarray, "n"], measure: Measure = measure) -> float:
            return measure.value(part_of(sample, torch.from_numpy(kept)))

        without = left_out(value, groups)
        found.append(Found(jackknife_interval(measure.value(sample), without), without))
    halvings = np.array(cluster_stability(sample.features, seed=seed))
    found.append(Found(_extent(halvings), halvings))
    return found


def _difference(measure: Measure, one: Found, other: Found) -> Interval:
    """Return how much more the first is than the second; paired, for both left out the same."""
    if measure is STABILITY:
        return _extent(one.spread - other.spread)
    value = one.interval.value - other.interval.value
    return jackknife_interval(value, one.spread - other.spread)


def _extent(values: Float[np.ndarray, "parts"]) -> Interval:
    return Interval(float(values.mean()), float(values.min()), float(values.max()))


def better_or_worse(one: Sequence[Found], other: Sequence[Found]) -> dict[str, float]:
    """Return the p-value of each measure's difference in what it calls good, by its name.

    Corrected over the measures by Holm's method; NaN where one could not be measured. Cluster
    stability is not among them. one, other: as `measured` returns them.
    """
    p_values = {}
    for measure, found, beside in zip(MEASURES, one, other, strict=False):
        gain = measure.gain(found.interval.value) - measure.gain(beside.interval.value)
        gains = [
            measure.gain(value) - measure.gain(less)
            for value, less in zip(found.spread, beside.spread, strict=True)
        ]
        p_values[measure.name] = jackknife_p(gain, np.array(gains))
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))


def _sentence(one: Sequence[Found], other: Sequence[Found]) -> str:
    """Return what the measures say against the untrained twin, without adding them up."""
    ways = ("Better", "Worse", "Not surely different", "Not measured")
    said: dict[str, list[str]] = {way: [] for way in ways}
    for place, (name, p) in enumerate(better_or_worse(one, other).items()):
        gain = MEASURES[place].gain
        if math.isnan(p):
            said["Not measured"].append(name)
        elif p > 1 - LEVEL:
            said["Not surely different"].append(name)
        elif gain(one[place].interval.value) > gain(other[place].interval.value):
            said["Better"].append(name)
        else:
            said["Worse"].append(name)
    parts = [f"{how}: {', '.join(names)}." for how, names in said.items() if names]
    return (
        "Against its untrained twin, by what each measure calls good, corrected for "
        f"{len(MEASURES)} comparisons. {' '.join(parts)} {_stability(one[-1], other[-1])} "
        "No measure is a verdict, and none sees a shortcut: compare encoders of one width on equal "
        "images and views, and believe a probe on a few labels more."
    )


def _stability(one: Found, other: Found) -> str:
    if not np.isfinite(one.spread + other.spread).all():
        return "Cluster stability could not be measured."
    higher = int((one.spread > other.spread).sum())
    return f"Clusters are more stable in {higher} of {len(one.spread)} halvings."


def _row(measure: Measure, cells: tuple[Cell, ...], sample: Sample) -> Row:
    part = sample.features if measure.of == "features" else sample.views
    images, dim = len(part), part.shape[-1]
    facts = (
        ("Range", measure.bounds(images, dim)),
        ("Called good", measure.better),
        ("Blind to", measure.blind),
        ("Source", measure.source),
    )
    levels = () if measure.level is None else (measure.level(images),)
    return Row(measure.name, cells, note=measure.means, facts=facts, levels=levels)


def _caption() -> str:
    return (
        f"In brackets: 95 % intervals by leaving out each of {GROUPS} groups of images (jackknife, "
        f"paired for the difference); for cluster stability the least and greatest of {HALVINGS} "
        "halvings. The choice of images is in them, the spread over training runs is not. Each "
        "interval is for itself: of so many, one may miss by chance. p is of the same paired "
        "difference, in what the measure calls good, corrected over the measures by Holm's method; "
        "the halvings overlap, so that cluster stability has none. "
        "Compare values only at equal numbers of images, equal widths and equal views."
    )


def _protocol(samples: Mapping[str, Sample], *, views: str, seed: int) -> dict[str, object]:
    sample = samples["encoder"]
    return {
        "feature": "output of the frozen encoder, before any projection head",
        "images": len(sample.features),
        "images with views": sample.views.shape[0],
        "views of each": sample.views.shape[1],
        "views": views,
        "width": {name: found.features.shape[1] for name, found in samples.items()},
        "seed": seed,
    }
