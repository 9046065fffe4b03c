"""The area of a line chart: values to pixels, and what is drawn with both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from selfsight.reporting.axes import Axis, nice_ticks, tick_labels
from selfsight.reporting.wording import percent, printable, short

WIDTH, HEIGHT = 460, 230
WIDE, HIGH = 960, 340  # a chart that has the page to itself
LEFT, RIGHT, TOP, BOTTOM = 48, 92, 10, 30
Tone = Literal["main", "second", "faint", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "rest"]
TONES: tuple[Tone, ...] = ("t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7")  # of many equals
LINE = 13  # least distance between the base lines of two labels


@dataclass(frozen=True, slots=True)
class Series:
    """A line: values along x, values (NaN leaves a gap), and a name that stands at its end."""

    name: str
    x: Float[np.ndarray, "points"]
    y: Float[np.ndarray, "points"]
    tone: Tone = "main"
    dots: bool = False  # mark every point: for few measurements
    reach: Float[np.ndarray, "points"] | None = None  # either side of y: a bar at each point


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with a meaning."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A word beside the end of a line, in pixels."""

    x: float
    y: float
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The plot's area: values to pixels, and what is drawn with both."""

    low: float
    high: float
    shares: bool
    along: Axis
    width: int
    height: int

    @property
    def right(self) -> int:
        """Return the pixel of the right end."""
        return self.width - RIGHT

    @property
    def bottom(self) -> int:
        """Return the pixel of the lowest value."""
        return self.height - BOTTOM

    def x(self, value: float) -> float:
        """Return the pixel of a value along x."""
        return self._at(self.along.place(value))

    def y(self, value: float) -> float:
        """Return the pixel of a value."""
        return TOP + (self.bottom - TOP) * (self.high - value) / (self.high - self.low)

    def _at(self, place: float) -> float:
        return LEFT + (self.right - LEFT) * place

    def text(self, value: float) -> str:
        """Return a value in words."""
        return percent(value) if self.shares else short(value)

    def grid(self) -> Markup:
        """Return the lines and texts behind everything."""
        ticks = nice_ticks(self.low, self.high)
        scale = 100 if self.shares else 1
        names = tick_labels([scale * tick for tick in ticks])
        unit = "%" if self.shares else ""
        parts = [
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>'
                '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}{}</text>'
            ).format(LEFT, self.right, LEFT - 8, self.y(tick) + 4, name, unit, y=self.y(tick))
            for tick, name in zip(ticks, names, strict=True)
        ]
        for place, text in self.along.ticks:
            parts.append(
                Markup(
                    '<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
                ).format(self._at(place), self.height - 10, printable(text))
            )
        return Markup("").join(parts)

    def level(self, level: Level) -> Markup:
        """Return a horizontal line."""
        return Markup('<line class="level" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>').format(
            LEFT, self.right, y=self.y(level.value)
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
        return Markup('{}<path class="line {}" d="{}"/>{}').format(
            self._bars(line), line.tone, path, Markup("").join(dots)
        )

    def _bars(self, line: Series) -> Markup:
        """Return the bars of a line, of the values that have one."""
        if line.reach is None:
            return Markup("")
        ends = zip(line.x, line.y - line.reach, line.y + line.reach, strict=True)
        return Markup("").join(
            Markup(
                '<line class="reach {}" x1="{x:.1f}" x2="{x:.1f}" y1="{:.1f}" y2="{:.1f}"/>'
            ).format(line.tone, self.y(low), self.y(high), x=self.x(at))
            for at, low, high in ends
            if math.isfinite(low + high)
        )

    def name(self, line: Series) -> "Name":
        """Return the name of a line, at its last value."""
        known = np.flatnonzero(np.isfinite(line.y))[-1]
        return Name(self.x(line.x[known]), self.y(line.y[known]), line.name, line.tone)

    def read_out(self, lines: Sequence[Series]) -> list[list[object]]:
        """Return [x, y, text] for every drawn point, x and y in pixels."""
        points: list[list[object]] = []
        for line in lines:
            name = "single step" if line.tone == "faint" else printable(line.name)
            points += [
                [
                    round(self.x(x), 1),
                    round(self.y(y), 1),
                    f"{self.along.said(x)}: {name + ' ' if name else ''}{self.text(y)}",
                ]
                for x, y in zip(line.x, line.y, strict=True)
                if math.isfinite(y) and math.isfinite(x)
            ]
        return points


def written(names: list[Name], *, bottom: int) -> list[Markup]:
    """Return the names, the lower ones pushed down where they would overlap."""
    ordered = sorted(names, key=lambda name: name.y)
    heights: list[float] = []
    for name in ordered:
        heights.append(max(name.y, heights[-1] + LINE) if heights else name.y)
    overflow = max(0.0, heights[-1] - bottom) if heights else 0.0
    return [
        Markup('<text class="name {}" x="{:.1f}" y="{:.1f}">{}</text>').format(
            name.tone, name.x + 7, height - overflow + 4, printable(name.text)
        )
        for height, name in zip(heights, ordered, strict=True)
    ]
