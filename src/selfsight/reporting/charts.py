"""Line charts as inline SVG: colours come from the page's style sheet.

A chart holds its own read-out: the points under the cursor as text, in `data-points`, which the
page's script shows. Without a script the chart is complete but for that.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from selfsight.reporting.axes import nice_ticks, thin, tick_labels, value_range
from selfsight.reporting.wording import percent, printable, short

WIDTH, HEIGHT = 460, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 92, 10, 30
MOST_POINTS = 400
LINE = 13  # least distance between the base lines of two labels


@dataclass(frozen=True, slots=True)
class Series:
    """A line: places along x, values (NaN leaves a gap), and a name that stands at its end."""

    name: str
    x: Float[np.ndarray, "points"]
    y: Float[np.ndarray, "points"]
    tone: Literal["main", "second", "faint"] = "main"
    dots: bool = False  # mark every point: for few measurements


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with a meaning."""

    name: str
    value: float


def line_chart(
    series: Sequence[Series],
    *,
    levels: Sequence[Level] = (),
    about: str,
    zero: bool = False,
    shares: bool = False,
) -> Markup:
    """Return a chart against the progress of the training, or a line saying there is nothing.

    series: x in [0, 1]. about: what is drawn, for readers that speak. zero: the axis begins at 0.
    shares: values are fractions and shown as per cent.
    """
    everything = [*(line.y for line in series), np.array([level.value for level in levels])]
    span = value_range(np.concatenate(everything), zero=zero)
    if span is None or not any(np.isfinite(line.y).any() for line in series):
        return Markup('<p class="nothing">Nothing was recorded.</p>')
    low, high = (max(span[0], 0.0), min(span[1], 1.0)) if shares else span
    frame = _Frame(low, high, shares)
    drawn = [_thinned(line) for line in series]
    levels = [level for level in levels if math.isfinite(level.value)]
    names = [_Name(frame.x(1.0), frame.y(level.value), level.name, "level") for level in levels]
    names += [frame.name(line) for line in drawn if line.name and np.isfinite(line.y).any()]
    parts = [
        frame.grid(),
        *(frame.level(level) for level in levels),
        *(frame.line(line) for line in drawn),
        *_written(names),
        Markup(
            '<g class="cursor" style="display:none"><line y1="{}" y2="{}"/><circle r="4"/></g>'
        ).format(TOP, HEIGHT - BOTTOM),
    ]
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" tabindex="0" aria-label="{}" '
        'data-points="{}">{}</svg>'
    ).format(
        WIDTH, HEIGHT, printable(about), json.dumps(frame.read_out(drawn)), Markup("").join(parts)
    )


@dataclass(frozen=True, slots=True)
class _Name:
    """A word beside the end of a line, in pixels."""

    x: float
    y: float
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """The plot's area: values to pixels, and what is drawn with both."""

    low: float
    high: float
    shares: bool

    def x(self, progress: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * progress

    def y(self, value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)

    def text(self, value: float) -> str:
        return percent(value) if self.shares else short(value)

    def grid(self) -> Markup:
        ticks = nice_ticks(self.low, self.high)
        scale = 100 if self.shares else 1
        names = tick_labels([scale * tick for tick in ticks])
        unit = "%" if self.shares else ""
        parts = [
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>'
                '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}{}</text>'
            ).format(LEFT, WIDTH - RIGHT, LEFT - 8, self.y(tick) + 4, name, unit, y=self.y(tick))
            for tick, name in zip(ticks, names, strict=True)
        ]
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            parts.append(
                Markup(
                    '<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{:.0f}{}</text>'
                ).format(self.x(share), HEIGHT - 10, 100 * share, "%" if share == 1 else "")
            )
        return Markup("").join(parts)

    def level(self, level: Level) -> Markup:
        return Markup('<line class="level" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>').format(
            LEFT, WIDTH - RIGHT, y=self.y(level.value)
        )

    def line(self, line: Series) -> Markup:
        """Return the line in pieces between gaps; a piece of one point is a dot."""
        pieces: list[list[tuple[float, float]]] = [[]]
        for x, y in zip(line.x, line.y, strict=True):
            if math.isfinite(y) and math.isfinite(x):
                pieces[-1].append((self.x(x), self.y(y)))
            elif pieces[-1]:
                pieces.append([])
        path = "".join(
            "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in piece) for piece in pieces if piece
        )
        dots = [
            Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="2.6"/>').format(
                line.tone, x, y
            )
            for piece in pieces
            for x, y in piece
            if line.dots or len(piece) == 1
        ]
        return Markup('<path class="line {}" d="{}"/>{}').format(
            line.tone, path, Markup("").join(dots)
        )

    def name(self, line: Series) -> "_Name":
        known = np.flatnonzero(np.isfinite(line.y))[-1]
        return _Name(self.x(line.x[known]), self.y(line.y[known]), line.name, line.tone)

    def read_out(self, lines: Sequence[Series]) -> list[list[object]]:
        """Return [x, y, text] for every drawn point, x and y in pixels."""
        points: list[list[object]] = []
        for line in lines:
            name = "single step" if line.tone == "faint" else printable(line.name)
            points += [
                [
                    round(self.x(x), 1),
                    round(self.y(y), 1),
                    f"{percent(x)} of the training: {name + ' ' if name else ''}{self.text(y)}",
                ]
                for x, y in zip(line.x, line.y, strict=True)
                if math.isfinite(y) and math.isfinite(x)
            ]
        return points


def _thinned(line: Series) -> Series:
    rows = thin(line.y, most=MOST_POINTS)
    return Series(line.name, line.x[rows], line.y[rows], line.tone, line.dots)


def _written(names: list[_Name]) -> list[Markup]:
    """Return the names, the lower ones pushed down where they would overlap."""
    ordered = sorted(names, key=lambda name: name.y)
    heights: list[float] = []
    for name in ordered:
        heights.append(max(name.y, heights[-1] + LINE) if heights else name.y)
    overflow = max(0.0, heights[-1] - (HEIGHT - BOTTOM)) if heights else 0.0
    return [
        Markup('<text class="name {}" x="{:.1f}" y="{:.1f}">{}</text>').format(
            name.tone, name.x + 7, height - overflow + 4, printable(name.text)
        )
        for height, name in zip(heights, ordered, strict=True)
    ]
