"""Round numbers for axes, and long records made short without losing their peaks."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis along x. `place`: from a value to its place, 0 at the left end and 1 at the right."""

    place: Callable[[float], float]
    ticks: tuple[tuple[float, str], ...]  # place and text
    said: Callable[[float], str]  # a value in words, for the read-out


PROGRESS = Axis(
    place=lambda value: value,
    ticks=tuple((tick / 100, f"{tick}{'%' if tick == 100 else ''}") for tick in range(0, 101, 25)),
    said=lambda value: f"{100 * value:.1f}\u202f% of the training",
)


def amounts(largest: float, *, unit: str) -> Axis:
    """Return an axis from 0 to `largest`, which is above 0; `unit` stands at its last tick."""
    ticks = nice_ticks(0.0, largest)
    texts = tick_labels(ticks)
    texts[-1] = f"{texts[-1]} {unit}"
    return Axis(
        place=lambda value: value / largest,
        ticks=tuple((tick / largest, text) for tick, text in zip(ticks, texts, strict=True)),
        said=lambda value: f"{value:.3g} {unit}",
    )


def steps_along(values: Sequence[str], *, name: str) -> Axis:
    """Return an axis of the values of a setting as they were written, for places 0, 1, 2, …

    Numbers above 0 of which the largest is 8 times the smallest or more stand by their logarithm,
    other numbers by their size, words at equal distances.
    """
    places = _places(values)
    return Axis(
        place=lambda number: float(np.interp(number, range(len(places)), places)),
        ticks=tuple(zip(places, values, strict=True)),
        said=lambda number: f"{name} {values[round(number)]}",
    )


def _places(values: Sequence[str]) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        numbers = []
    if len(set(numbers)) < len(values) or not all(math.isfinite(number) for number in numbers):
        numbers = list(map(float, range(len(values))))
    elif min(numbers) > 0 and max(numbers) >= 8 * min(numbers):
        numbers = [math.log(number) for number in numbers]
    low, high = min(numbers), max(numbers)
    room = 0.06  # so that the outermost dots stand free
    return [room + (1 - 2 * room) * (number - low) / ((high - low) or 1.0) for number in numbers]


def nice_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Return the round numbers (steps of 1, 2 or 5 times a power of ten) within [low, high]."""
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < high
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def tick_labels(ticks: list[float]) -> list[str]:
    """Return ticks as text with equal decimals; very large and very small ones as powers."""
    largest = max((abs(tick) for tick in ticks), default=0.0)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else largest
    if largest >= 1e6 or 0 < largest < 1e-3:
        return ["0" if tick == 0 else _power(tick) for tick in ticks]
    decimals = 0 if step == 0 else max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{tick + 0:,.{decimals}f}" for tick in ticks]  # + 0: no "-0"


def value_range(values: Float[np.ndarray, "values"], *, zero: bool) -> tuple[float, float] | None:
    """Return the ends of an axis for the finite values, or None if there are none.

    With `zero` the axis begins (or ends) at 0. A single value gets some room around it.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    low, high = float(finite.min()), float(finite.max())
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = abs(high) / 10 or 1.0
        return (low, high + room) if zero else (low - room, high + room)
    room = 0.06 * (high - low)
    return (low if zero and low == 0 else low - room), (high if zero and high == 0 else high + room)


def thin(values: Float[np.ndarray, "values"], *, most: int) -> Int[np.ndarray, "kept"]:
    """Return the rows to keep, in order: of each stretch its ends, its extremes and one gap.

    At most about `most` rows are left; no peak, no dip and no missing value disappears.
    """
    rows = np.arange(len(values))
    if len(values) <= most:
        return rows
    kept: set[int] = set()
    for stretch in np.array_split(rows, max(1, most // 5)):
        part = values[stretch]
        kept.update((int(stretch[0]), int(stretch[-1])))
        known = stretch[np.isfinite(part)]
        if len(known):
            kept.update((int(known[values[known].argmin()]), int(known[values[known].argmax()])))
        if len(known) < len(stretch):
            kept.add(int(stretch[~np.isfinite(part)][0]))
    return np.array(sorted(kept), dtype=np.int64)


def rolling_mean(
    values: Float[np.ndarray, "values"], *, window: int
) -> Float[np.ndarray, "values"]:
    """Return the mean of the finite values around each place; NaN stays NaN."""
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    places = np.arange(len(values))
    first = np.maximum(places - window // 2, 0)
    last = np.minimum(places + window // 2 + 1, len(values))
    mean = (sums[last] - sums[first]) / np.maximum(counts[last] - counts[first], 1)
    return np.where(known, mean, np.nan)


def _power(tick: float) -> str:
    digits, _, exponent = f"{tick:.1e}".partition("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}".replace("-", "−")
