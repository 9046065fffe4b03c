"""Where the commands keep what they make."""

from pathlib import Path

from selfsight.errors import UserError


def cache_folder(cache: str) -> Path:
    """Return the folder for decoded images that a command was given, `auto` being one here."""
    return Path(".selfsight-cache") if cache == "auto" else Path(cache)


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Raises UserError where it cannot be written."""
    try:
        partial = path.with_name(path.name + ".part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def apart(images: str, out: Path) -> None:
    """Raise UserError if what is written to `out` would lie among the images."""
    if Path(images).is_dir() and Path(images).resolve() in out.resolve().parents:
        raise UserError(f"{out} lies in the image folder {images}; choose an --out elsewhere")
