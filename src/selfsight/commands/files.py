"""Where the commands keep what they make."""

import os
from pathlib import Path

from selfsight.errors import UserError, reaching


def cache_folder(cache: str | Path) -> Path:
    """Return the folder for decoded images that a command was given, `auto` being one here."""
    return Path(".selfsight-cache") if cache == "auto" else Path(cache)


def check_place(path: Path) -> None:
    """Raise UserError if no file can be written to `path`: ask before the long work."""
    folder = path.absolute().parent
    with reaching(path):
        taken, there = path.is_dir(), folder.is_dir()
    if taken:
        raise UserError(f"{path} is a folder; name a file in it")
    if not there:
        raise UserError(f"cannot write {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise UserError(f"cannot write {path}: the folder {folder} is not writable")


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Raises UserError where it cannot be written."""
    partial = path.with_name(path.name + ".part")
    try:
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def apart(images: str, out: Path) -> None:
    """Raise UserError if what is made would be written among the images."""
    with reaching(images):
        within = Path(images).is_dir() and Path(images).resolve() in out.resolve().parents
    if within:
        raise UserError(f"{out} lies in the image folder {images}; choose an --out elsewhere")
