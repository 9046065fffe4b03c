"""Long work in parts, kept in its directory: what is finished is not done again.

    OUT/parts/plan.json    what was asked, of what weights and images
    OUT/parts/NAME.npz     a finished part, as arrays by name

Nothing is written before the first part is finished, so that a mistake that shows before leaves
nothing behind. The same command goes on; another plan is refused, because its parts would not fit.
When the whole is written, the parts are removed. Names are the caller's own, never a user's words.
"""

import json
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from selfsight.errors import UserError
from selfsight.places import vacant

PARTS, PLAN = "parts", "plan.json"
Arrays = Mapping[str, Any]  # an array for each name


class Kept:
    """The finished parts of a piece of work in a directory."""

    def __init__(self, path: Path, *, plan: Mapping[str, Any]) -> None:
        """Open the directory of work that was begun, or note where it will begin.

        Raises UserError if the directory holds something else, or was begun with another plan.
        """
        self.path = path
        self._folder = path / PARTS
        self._plan = json.loads(json.dumps(plan))  # tuples become lists, as in the file
        if (self._folder / PLAN).is_file():
            same_plan(_read_plan(self._folder / PLAN), self._plan, path=path)
        else:
            vacant(path)

    @staticmethod
    def check_place(path: Path) -> None:
        """Raise UserError if work can neither begin in a directory nor was begun there."""
        if not (path / PARTS / PLAN).is_file():
            vacant(path)

    def read(self, name: str) -> dict[str, Shaped[np.ndarray, "..."]] | None:
        """Return a finished part; None if there is none, or one that a failing disk has damaged."""
        try:
            with (self._folder / f"{name}.npz").open("rb") as file, np.load(file) as arrays:
                return dict(arrays)
        except (OSError, ValueError, EOFError, SyntaxError, zipfile.BadZipFile, zlib.error):
            return None

    def write(self, name: str, arrays: Arrays) -> None:
        """Keep a part: from now on it is finished. Raises UserError where it cannot be written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not (self._folder / PLAN).is_file():
                partial = self._folder / f"{PLAN}.part"
                partial.write_text(json.dumps(self._plan, indent=1) + "\n", encoding="utf-8")
                partial.replace(self._folder / PLAN)
            partial = self._folder / f"{name}.part"
            with partial.open("wb") as file:
                np.savez_compressed(file, **arrays)
            partial.replace(self._folder / f"{name}.npz")
        except OSError as error:
            raise UserError(f"cannot write to {self.path}: {error.strerror}") from error

    def once(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """Return a part; it is made, and kept, unless it is finished already."""
        found = self.read(name)
        if found is None:
            self.write(name, made := make())
            return made
        return found

    def names(self) -> set[str]:
        """Return the names of the finished parts."""
        return {file.stem for file in self._folder.glob("*.npz")}

    def clear(self) -> None:
        """Remove the parts: the whole is written."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _read_plan(file: Path) -> dict[str, Any]:
    """Return the plan in a file. Raises UserError for a damaged one."""
    try:
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise UserError(
            f"{file} is damaged ({error}); remove the directory {file.parent} and begin again"
        ) from error
    return found


def same_plan(kept: Mapping[str, Any], asked: Mapping[str, Any], *, path: Path) -> None:
    """Raise UserError unless what was asked before is what is asked now."""
    for name in sorted({*kept, *asked}):
        if kept.get(name) != asked.get(name):
            raise UserError(
                f"{path} was begun with {name} {kept.get(name)}, not {asked.get(name)}; "
                "choose another --out, or ask for the same"
            )
