"""One file per method; the file's name is the method's name, and the folder is the registry."""

import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from math import isfinite
from typing import Any, Literal, get_args, get_origin, get_type_hints

from selfsight.errors import UserError, suggest
from selfsight.ranges import Range, demand_within, range_of


def names() -> list[str]:
    """Return the names of all methods, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> type[Any]:
    """Return the `Method` class of the file `name`. Raises UserError for an unknown name."""
    if name not in names():
        known = f"there are: {', '.join(names())}"
        raise UserError(f"no method {name!r}{suggest(name, names())}; {known}")
    module = import_module(f"{__name__}.{name}")
    from selfsight.method import Method

    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Method)
        and value.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{module.__name__} must define exactly one Method"
    return found[0]


@dataclass(frozen=True, slots=True)
class Setting:
    """One keyword-only argument of a method."""

    name: str
    kind: Any
    allowed: Range | None  # None for words and switches
    default: Any
    help: str


def settings_of(method: type[Any]) -> dict[str, Setting]:
    """Return the settings of a method class by name, in the order of its signature."""
    hints = get_type_hints(method.__init__, include_extras=True)
    settings = {}
    for name, parameter in inspect.signature(method.__init__).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            kind, *_, text = get_args(hints[name])
            settings[name] = Setting(name, kind, range_of(hints[name]), parameter.default, text)
    return settings


def parse_settings(method: type[Any], given: Mapping[str, object]) -> dict[str, object]:
    """Return `given` with every value in its setting's type.

    Raises UserError for a name that the method does not have and for a value of the wrong type or
    out of its range.
    """
    known = settings_of(method)
    parsed = {}
    for name, value in given.items():
        if name not in known:
            there = f"it has: {', '.join(known) or 'none'}"
            where = method.__module__.rsplit(".", 1)[1]
            raise UserError(f"{where} has no setting {name!r}{suggest(name, list(known))}; {there}")
        parsed[name] = _parse(known[name], value)
    return parsed


def _parse(setting: Setting, value: object) -> object:
    kind, text = setting.kind, str(value)
    if get_origin(kind) is Literal:
        if text in get_args(kind):
            return text
        choices = ", ".join(get_args(kind))
        raise UserError(f"{setting.name} is {text!r}; it must be one of: {choices}")
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() in words:
            return words[text.lower()]
        raise UserError(f"{setting.name} is {text!r}; it must be true or false")
    try:
        found = kind(text)
    except ValueError:
        raise UserError(f"{setting.name} is {text!r}; it must be of type {kind.__name__}") from None
    if isinstance(found, float) and not isfinite(found):
        raise UserError(f"{setting.name} is {text}; it must be a finite number")
    demand_within(setting.allowed, setting=setting.name, value=found)
    return found
