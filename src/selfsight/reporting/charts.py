"""Line charts as inline SVG: colours come from the page's style sheet.

A chart holds its own read-out: the points under the cursor as text, in `data-points`, which the
page's script shows. Without a script the chart is complete but for that.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from selfsight.reporting.axes import PROGRESS, Axis, thin, value_range
from selfsight.reporting.frame import (
    HEIGHT,
    HIGH,
    TOP,
    WIDE,
    WIDTH,
    Frame,
    Level,
    Name,
    Series,
    written,
)
from selfsight.reporting.wording import printable

__all__ = ["Level", "Series", "line_chart"]

MOST_POINTS = 400


def line_chart(
    series: Sequence[Series],
    *,
    levels: Sequence[Level] = (),
    about: str,
    zero: bool = False,
    shares: bool = False,
    along: Axis = PROGRESS,
    wide: bool = False,
) -> Markup:
    """Return a chart, or a line saying there is nothing.

    series: x as `along` takes it, which for the progress of a training is in [0, 1]. about: what is
    drawn, for readers that speak. zero: the axis begins at 0. shares: values are fractions and
    shown as per cent. wide: the chart has the page to itself.
    """
    everything = [*map(_extent, series), np.array([level.value for level in levels])]
    span = value_range(np.concatenate(everything), zero=zero)
    if span is None or not any(np.isfinite(line.y).any() for line in series):
        return Markup('<p class="nothing">Nothing was recorded.</p>')
    low, high = (max(span[0], 0.0), min(span[1], 1.0)) if shares else span
    frame = Frame(low, high, shares, along, *((WIDE, HIGH) if wide else (WIDTH, HEIGHT)))
    drawn = [_thinned(line) for line in series]
    levels = [level for level in levels if math.isfinite(level.value)]
    right = float(frame.right)
    names = [Name(right, frame.y(level.value), level.name, "level") for level in levels]
    names += [frame.name(line) for line in drawn if line.name and np.isfinite(line.y).any()]
    parts = [
        frame.grid(),
        *(frame.level(level) for level in levels),
        *(frame.line(line) for line in drawn),
        *written(names, bottom=frame.bottom),
        Markup(
            '<g class="cursor" style="display:none"><line y1="{}" y2="{}"/><circle r="4"/></g>'
        ).format(TOP, frame.bottom),
    ]
    return Markup(
        '<svg class="chart{}" viewBox="0 0 {} {}" role="img" tabindex="0" aria-label="{}" '
        'data-points="{}">{}</svg>'
    ).format(
        " wide" if wide else "",
        frame.width,
        frame.height,
        printable(about),
        json.dumps(frame.read_out(drawn)),
        Markup("").join(parts),
    )


def _thinned(line: Series) -> Series:
    rows = thin(line.y, most=MOST_POINTS)
    reach = None if line.reach is None else line.reach[rows]
    return replace(line, x=line.x[rows], y=line.y[rows], reach=reach)


def _extent(line: Series) -> Float[np.ndarray, "values"]:
    """Return all values that a line and its bars have."""
    if line.reach is None:
        return line.y
    return np.concatenate([line.y, line.y - line.reach, line.y + line.reach])
