"""Places on disk: where new work may be written, and names by which things are found again."""

import os
from dataclasses import replace
from pathlib import Path

from selfsight.errors import UserError, reaching
from selfsight.settings import Settings


def place(source: str | Path) -> str:
    """Return a folder's absolute path; the name of a data set stays as it is."""
    with reaching(source):
        return str(Path(source).absolute()) if Path(source).is_dir() else str(source)


def placed(settings: Settings) -> Settings:
    """Return the settings with folders and files that are found from wherever work is resumed."""
    held_out, labels, cache = settings.held_out, settings.labels, settings.cache
    return replace(
        settings,
        held_out=held_out if _is_number(held_out) else place(held_out),
        labels=labels if labels in ("auto", "none") else str(Path(labels).absolute()),
        cache=cache if cache == "auto" else str(Path(cache).absolute()),
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def plain(text: str) -> str:
    """Return a name of any bytes as text that can be written."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def vacant(path: Path) -> None:
    """Raise UserError unless new work can be written to `path`: absent, or an empty folder.

    What work leaves that was killed before its settings or its plan were written counts as nothing.
    """
    with reaching(path):
        _demand_vacant(path)


def _demand_vacant(path: Path) -> None:
    if (path / "settings.toml").exists():
        raise UserError(
            f"{path} holds another run; choose another --out, or continue it with --resume"
        )
    if path.is_dir() and not all(_of_nothing(file) for file in path.iterdir()):
        raise UserError(f"{path} is a folder with other files in it; choose another --out")
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; --out must be a new folder")
    there = path
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"cannot write to {there}; choose another --out")


def _of_nothing(file: Path) -> bool:
    if file.name == "checkpoints":
        return file.is_dir() and not any(file.iterdir())
    return file.name in ("settings.toml.part", "plan.json.part")
