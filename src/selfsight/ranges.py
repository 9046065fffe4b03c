"""Which numbers a method's setting may be, declared where the setting is.

    momentum: Annotated[Momentum, "of the slow copy; paper 0.999, CIFAR 0.99"] = 0.99

`Method` looks before anything is built, so that no file can forget to. What depends on several
settings or on the encoder is checked by the method itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Annotated, Any, get_type_hints

from selfsight.errors import UserError


@dataclass(frozen=True, slots=True)
class Range:
    """Finite numbers from `at_least` to `at_most`; `above` and `below` leave out their end."""

    at_least: float = -inf
    at_most: float = inf
    above: float = -inf
    below: float = inf

    def __contains__(self, value: float | int) -> bool:
        """Return whether the number is within; what is no number never is."""
        return self.at_least <= value <= self.at_most and self.above < value < self.below

    def __str__(self) -> str:
        """Return the range in words: "at least 0 and less than 1"."""
        words = {
            "at least": self.at_least,
            "more than": self.above,
            "at most": self.at_most,
            "less than": self.below,
        }
        return " and ".join(f"{word} {end:g}" for word, end in words.items() if abs(end) < inf)


Count = Annotated[int, Range(at_least=1.0)]
Several = Annotated[int, Range(at_least=2.0)]
Whole = Annotated[int, Range(at_least=0.0)]
Positive = Annotated[float, Range(above=0.0)]
NonNegative = Annotated[float, Range(at_least=0.0)]
Share = Annotated[float, Range(above=0.0, at_most=1.0)]
Fraction = Annotated[float, Range(at_least=0.0, at_most=1.0)]
Momentum = Annotated[float, Range(at_least=0.0, below=1.0)]


def range_of(hint: Any) -> Range | None:
    """Return the range in a setting's annotation, if it has one."""
    found = (part for part in getattr(hint, "__metadata__", ()) if isinstance(part, Range))
    return next(found, None)


def demand_within(allowed: Range | None, *, setting: str, value: Any) -> None:
    """Raise UserError for a value out of the range that is allowed."""
    if allowed is not None and value not in allowed:
        raise UserError(f"{setting} is {value}; it must be {allowed}")


def demand_ranges(build: Callable[..., Any], settings: Mapping[str, object]) -> None:
    """Raise UserError for the first of `settings`, by name, that `build` declares a range for."""
    hints = get_type_hints(build, include_extras=True) if settings else {}
    for setting, value in settings.items():
        demand_within(range_of(hints.get(setting)), setting=setting, value=value)
