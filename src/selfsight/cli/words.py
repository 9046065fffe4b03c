"""Words that several commands take, and how they are taken apart."""

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from selfsight.errors import UserError
from selfsight.settings import Settings

Pairs = Annotated[list[str] | None, Parameter(name="--set", negative="")]
Resume = Annotated[bool, Parameter(negative="")]
Images = Annotated[int | None, Parameter(name="--images")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared(Settings):
    """The settings that all runs of an experiment share: no preset, method or seed."""

    preset: Annotated[Literal["none"], Parameter(parse=False)] = "none"
    method: Annotated[str, Parameter(parse=False)] = "simclr"
    seed: Annotated[int, Parameter(parse=False)] = 0


SHARED = Shared()


def plain(shared: Shared) -> Settings:
    """Return the shared settings as what they are."""
    return Settings(**asdict(shared))


def pairs(words: list[str] | None) -> dict[str, object]:
    """Return names and values of NAME=VALUE words. Raises UserError for another form."""
    found: dict[str, object] = {}
    for word in words or []:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(f"--set {word}: write it as NAME=VALUE")
        found[name] = value
    return found


def listed(words: str, *, option: str) -> list[str]:
    """Return the words between commas. Raises UserError for an empty one."""
    found = [word.strip() for word in words.split(",")]
    if not all(found):
        raise UserError(f"{option} {words!r} has an empty word; write A,B,C")
    return found
