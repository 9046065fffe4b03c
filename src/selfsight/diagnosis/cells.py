"""What stands in a cell of a table: a number, an interval, a word or nothing; as text and as JSON.

Numbers stay numbers until they are shown; what kind of number it is says how.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from selfsight.evaluation.interval import Interval

Cell: TypeAlias = Interval | float | int | str | None
Kind = Literal["number", "share", "points", "p", "text"]


def cell_text(cell: Cell, kind: Kind) -> str:
    """Return a cell as a person reads it, its interval in brackets; nothing is a dash."""
    match cell:
        case None:
            return "–"
        case str():
            return cell
        case Interval():
            value = number_text(cell.value, kind)
            if not math.isfinite(cell.low + cell.high):
                return value
            low, high = (number_text(end, kind, unit=False) for end in (cell.low, cell.high))
            return f"{value} ({low} to {high})"
        case _:
            return number_text(float(cell), kind)


def number_text(value: float, kind: Kind, *, unit: bool = True) -> str:
    """Return a number as text, as its column's kind has it."""
    if not math.isfinite(value):
        return "–"
    match kind:
        case "share":
            return f"{100 * value:.1f}" + (" %" if unit else "")
        case "points":
            return f"{100 * value:+.1f}"
        case "p":
            return f"{value:.4f}" if value >= 0.0001 else f"{value:.0e}"
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def plain(value: Any) -> Any:
    """Return nested values as JSON has them: what is not finite is null."""
    match value:
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case Interval():
            return {"value": plain(value.value), "low": plain(value.low), "high": plain(value.high)}
        case float() if not math.isfinite(value):
            return None
    return value
