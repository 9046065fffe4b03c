"""The evidence as panels: one a measure, its rows on one axis, and what guessing would give."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup

from selfsight.reporting.axes import nice_ticks
from selfsight.reporting.reading import HeldOut, number
from selfsight.reporting.wording import percent

MEASURES = (("linear", "Linear probe"), ("knn", "Nearest neighbours (kNN)"))
NAMES = {
    "encoder": ("This encoder", "of this run, frozen"),
    "untrained": ("Untrained", "the same network with random weights"),
    "pixels": ("Raw pixels", "no network at all"),
    "head": ("Projection head", "what the loss compared; not kept"),
}
MOST_CLASSES = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One accuracy: as a number, with its interval as text, and as a drawing."""

    name: str
    about: str
    accuracy: str
    interval: str
    bar: Markup
    ours: bool = False  # the encoder of this run


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure. `axis` holds the ticks: place in per cent of the width, and text."""

    title: str
    rows: list[Row]
    axis: list[tuple[float, str]]


def panels(evidence: dict[str, Any], *, majority: float) -> list[Panel]:
    """Return a panel for each measure that any row has; all panels share one axis from 0."""
    found = [row for row in evidence.get("rows") or [] if isinstance(row, dict)]
    ends = [
        number(cell[end])
        for row in found
        for measure, _ in MEASURES
        if isinstance(cell := row.get(measure), dict)
        for end in ("accuracy", "high")
        if end in cell
    ]
    largest = max([end for end in ends if math.isfinite(end)], default=math.nan)
    if math.isnan(largest):
        return []
    top = axis_top(largest)
    axis = [(100 * tick / top, percent(tick, digits=0)) for tick in nice_ticks(0.0, top, about=5)]
    return [
        Panel(title, [_row(row, measure, top=top, majority=majority) for row in found], axis)
        for measure, title in MEASURES
        if any(isinstance(row.get(measure), dict) for row in found)
    ]


def remarks(evidence: dict[str, Any]) -> list[str]:
    """Return the paired differences between rows and the probes that did not converge, in words."""
    said = []
    for found in evidence.get("differences") or []:
        cell = found.get("linear") if isinstance(found, dict) else None
        if not isinstance(cell, dict):
            continue
        gain, low, high = (100 * number(cell.get(part)) for part in ("value", "low", "high"))
        if math.isfinite(gain + low + high):
            first, second = (str(found.get(side)) for side in ("first", "second"))
            said.append(
                f"Linear probe, {_named(first)} over {_named(second)}: {gain:+.1f} points "
                f"({low:+.1f} to {high:+.1f}, paired)."
            )
    for row in evidence.get("rows") or []:
        cell = row.get("linear") if isinstance(row, dict) else None
        if isinstance(cell, dict) and cell.get("converged") is False:
            said.append(f"The linear probe of {_named(str(row.get('name')))} had not converged.")
    return said


def axis_top(largest: float) -> float:
    """Return the end of an axis of shares: 1 if more than half of it is used, else a round one."""
    if largest > 0.5 or largest <= 0:
        return 1.0
    ticks = nice_ticks(0.0, largest * 1.0001, about=4)
    step = ticks[1] - ticks[0]
    return min(1.0, step * math.ceil(largest / step - 1e-9))


def majority_share(evidence: dict[str, Any], held_out: HeldOut | None) -> float:
    """Return the share of the commonest class, as measured, else of the kept held-out images."""
    protocol = evidence.get("protocol")
    for place in (evidence, protocol if isinstance(protocol, dict) else {}):
        if math.isfinite(share := number(place.get("majority"))):
            return share
    if held_out is None or not (held_out.labels >= 0).any():
        return math.nan
    counts = np.bincount(held_out.labels[held_out.labels >= 0])
    return float(counts.max() / counts.sum())


def interval_bar(
    value: float, low: float, high: float, *, top: float, chance: float, tone: str
) -> Markup:
    """Return a dot with its interval on an axis from 0 to `top`, all as fractions.

    chance: where guessing would be, a thin mark; NaN for none.
    """

    def place(share: float) -> str:
        return f"{100 * min(max(share / top, 0), 1):.2f}"

    parts = [Markup('<line class="base" x1="0" x2="100%" y1="12" y2="12"/>')]
    if math.isfinite(chance):
        parts.append(
            Markup('<line class="chance" x1="{0}%" x2="{0}%" y1="2" y2="22"/>').format(
                place(chance)
            )
        )
    if math.isfinite(low) and math.isfinite(high):
        parts.append(
            Markup('<line class="interval" x1="{}%" x2="{}%" y1="12" y2="12"/>').format(
                place(low), place(high)
            )
        )
    parts.append(Markup('<circle cx="{}%" cy="12" r="4"/>').format(place(value)))
    return Markup('<svg class="bar {}" height="24" role="img" aria-label="{}">{}</svg>').format(
        tone, percent(value), Markup("").join(parts)
    )


def class_rows(held_out: HeldOut, agreements: Float[np.ndarray, "images"]) -> tuple[list[Row], int]:
    """Return per class how many of an image's neighbours share its class, best first.

    The mark on each bar is the share of the class among the images: what neighbours drawn at
    random would give. Of more than 40 classes the best and the worst 20 are kept; the second value
    is the number left out.
    """
    labels: Int[np.ndarray, "images"] = held_out.labels
    rows: list[tuple[float, Row]] = []
    for label in np.unique(labels[labels >= 0]):
        of_class = labels == label
        if not np.isfinite(agreements[of_class]).any():
            continue
        mean = float(np.nanmean(agreements[of_class]))
        chance = float(of_class.sum() / (labels >= 0).sum())
        bar = interval_bar(mean, math.nan, math.nan, top=1.0, chance=chance, tone="encoder")
        name = held_out.name_of(int(np.flatnonzero(of_class)[0]))
        rows.append((mean, Row(name, f"{of_class.sum():,}", percent(mean, digits=0), "", bar)))
    rows.sort(key=lambda pair: -pair[0])
    ordered = [row for _, row in rows]
    if len(ordered) <= MOST_CLASSES:
        return ordered, 0
    half = MOST_CLASSES // 2
    return ordered[:half] + ordered[-half:], len(ordered) - MOST_CLASSES


def _named(key: str) -> str:
    return NAMES.get(key, (key, ""))[0].lower()


def _row(row: dict[str, Any], measure: str, *, top: float, majority: float) -> Row:
    key = str(row.get("name", ""))
    name, about = NAMES.get(key, (key, ""))
    cell = row.get(measure)
    if not isinstance(cell, dict) or not math.isfinite(number(cell.get("accuracy"))):
        return Row(name, about, "–", "not measured", Markup(""))
    accuracy, low, high = (number(cell.get(part)) for part in ("accuracy", "low", "high"))
    interval = f"{100 * low:.1f} – {100 * high:.1f}" if math.isfinite(low + high) else ""
    tone = "encoder" if key == "encoder" else "other"
    bar = interval_bar(accuracy, low, high, top=top, chance=majority, tone=tone)
    return Row(name, about, percent(accuracy), interval, bar, key == "encoder")
