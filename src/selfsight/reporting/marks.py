"""Several values on one axis: a row of a table as a drawing, each column in its own colour."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup

from selfsight.diagnosis.cells import Cell, Kind, number_text
from selfsight.diagnosis.finding import Row, Table
from selfsight.evaluation.interval import Interval
from selfsight.reporting.axes import nice_ticks, value_range
from selfsight.reporting.wording import printable

TONES = ("main", "second", "soft", "level")  # of the drawn columns, in order
APART = 11  # pixels between two marks


def drawn_columns(table: Table) -> dict[int, str]:
    """Return the tone of every drawn column, by its place."""
    places = [place for place, column in enumerate(table.columns) if column.drawn]
    return {place: TONES[order % len(TONES)] for order, place in enumerate(places)}


def legend(table: Table) -> tuple[str, ...]:
    """Return the names of the levels if all rows have the same, to be told once above them."""
    names = {tuple(name for name, _ in row.levels) for row in table.rows}
    return names.pop() if len(names) == 1 else ()


def drawing(table: Table, row: Row) -> Markup:
    """Return a row's drawn cells as dots with their intervals on an axis, or nothing."""
    tones = drawn_columns(table)
    cells = [(tones[place], _interval(row.cells[place])) for place in tones]
    known = [(tone, cell) for tone, cell in cells if math.isfinite(cell.value)]
    kind: Kind = table.columns[next(iter(tones))].kind if tones else "number"
    ends = row.axis or _axis(kind, [cell for _, cell in known], row)
    if not known or ends is None:
        return Markup("")
    height = 14 + APART * (len(known) - 1)

    def place(value: float) -> str:
        return f"{100 * min(max((value - ends[0]) / (ends[1] - ends[0]), 0), 1):.2f}"

    parts = [
        Markup(
            '<line class="chance" x1="{0}%" x2="{0}%" y1="0" y2="{1}"><title>{2}</title></line>'
        ).format(place(level), height, printable(name))
        for name, level in row.levels
    ]
    for order, (tone, cell) in enumerate(known):
        parts.append(_mark(cell, tone, y=7 + APART * order, place=place))
    said = "; ".join(f"{number_text(cell.value, kind)}" for _, cell in known)
    return Markup(
        '<svg class="marks" height="{}" role="img" aria-label="{}">{}</svg>'
        '<span class="ends"><span>{}</span>{}<span>{}</span></span>'
    ).format(
        height,
        printable(said),
        Markup("").join(parts),
        _end(ends[0], kind),
        Markup("").join(
            Markup("<span>┊ {}</span>").format(printable(name))
            for name, _ in row.levels
            if not legend(table)
        ),
        _end(ends[1], kind),
    )


def _end(value: float, kind: Kind) -> str:
    if kind in ("share", "points"):
        return f"{100 * value:g}" + (" %" if kind == "share" else "")
    return f"{value:g}"


def _mark(cell: Interval, tone: str, *, y: int, place: Callable[[float], str]) -> Markup:
    line = Markup('<line class="base" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(y)
    if math.isfinite(cell.low + cell.high):
        line += Markup('<line class="interval" x1="{}%" x2="{}%" y1="{y}" y2="{y}"/>').format(
            place(cell.low), place(cell.high), y=y
        )
    return Markup('<g class="{}">{}<circle cx="{}%" cy="{}" r="3.6"/></g>').format(
        tone, line, place(cell.value), y
    )


def _interval(cell: Cell) -> Interval:
    if isinstance(cell, Interval):
        return cell
    value = float(cell) if isinstance(cell, int | float) else math.nan
    return Interval(value, math.nan, math.nan)


def _axis(kind: Kind, cells: Sequence[Interval], row: Row) -> tuple[float, float] | None:
    """Return the ends of an axis that holds the cells and the levels, round numbers, and 0."""
    if kind in ("share", "p"):
        return (0.0, 1.0)
    values = [end for cell in cells for end in (cell.value, cell.low, cell.high)]
    span = value_range(np.array([*values, *(level for _, level in row.levels)]), zero=True)
    if span is None:
        return None
    low, high = span
    step = np.diff(nice_ticks(low, high, about=4))[0]
    return float(step * math.floor(low / step + 1e-9)), float(step * math.ceil(high / step - 1e-9))
