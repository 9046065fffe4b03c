"""Quality without labels: every measure of an encoder, beside its untrained twin and raw pixels.

The values depend on the number of images, the width and the views. Two encoders can be compared if
all three are equal, which is why the untrained twin is measured on the same images and the same
views, and the difference from it has an interval of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from selfsight.diagnosis.clusters import HALVINGS, cluster_stability
from selfsight.diagnosis.finding import Column, Finding, Row, Table
from selfsight.diagnosis.jackknife import GROUPS, groups_of, jackknife_interval, left_out
from selfsight.diagnosis.measures import (
    ALL,
    MEASURES,
    STABILITY,
    Measure,
    Sample,
    part_of,
)
from selfsight.evaluation.interval import Interval


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
    columns = [*(Column(name, drawn=True) for name in names), Column("over untrained")]
    rows = []
    for place, measure in enumerate(ALL):
        cells = [found[name][place].interval for name in names]
        over = _difference(measure, found["encoder"][place], found["untrained"][place])
        rows.append(_row(measure, (*cells, over), samples["encoder"]))
    return Finding(
        "quality",
        "Quality without labels",
        "measured",
        "neutral",
        _sentence(found),
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


def _sentence(found: Mapping[str, list[Found]]) -> str:
    """Return what the measures say against the untrained twin, without adding them up."""
    warning = (
        "No measure is a verdict, and none sees a shortcut: compare encoders of one width on equal "
        "images and views, and believe a probe on a few labels more."
    )
    said: dict[str, list[str]] = {"Better": [], "Worse": [], "Not clearly different": []}
    for measure, one, other in zip(ALL, found["encoder"], found["untrained"], strict=True):
        difference = _difference(measure, one, other)
        if not (difference.low > 0 or difference.high < 0):
            said["Not clearly different"].append(measure.name)
        elif measure.gain(one.interval.value) > measure.gain(other.interval.value):
            said["Better"].append(measure.name)
        else:
            said["Worse"].append(measure.name)
    parts = [f"{how}: {', '.join(names)}." for how, names in said.items() if names]
    return (
        f"Against its untrained twin, by what each measure calls good. {' '.join(parts)} {warning}"
    )


def _row(measure: Measure, cells: tuple[Interval, ...], sample: Sample) -> Row:
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
        "interval is for itself: of so many, one may miss by chance. "
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
