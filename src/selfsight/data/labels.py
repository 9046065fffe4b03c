"""Labels of images: from the folders they lie in, or from a table.

By folder, a class is the path of the folder that holds the image, relative to the root. If the
first parts of these paths are nothing but names of splits (train/cat, test/cat), they are left off.
There are labels only if every image lies in a folder, there are at least two folders, and they
hold at least two images each on average: a folder for every image says nothing. Where labels are
asked for ("folders"), every folder is a class, and images outside of all have none.
"""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from selfsight.errors import UserError

FOLDERS = "folders"  # a source of labels
SPLITS = frozenset(
    {"train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing"}
)


@dataclass(frozen=True, slots=True)
class Labels:
    """A class for some or all of the images, or for none."""

    names: tuple[str, ...]  # of the classes; empty when there are no labels
    index: Int[np.ndarray, "images"]  # int64 class number per image, -1 where unlabelled


def read_labels(source: str, paths: Sequence[str], *, root: str) -> Labels:
    """Return labels for the images at `paths`, relative to `root`.

    `source` is "auto" (by folder, if that says anything), "folders" (by folder), "none", or a csv
    file with the columns path and label. Raises UserError for a table that cannot be used.
    """
    if source == "none":
        return _numbered([""] * len(paths))
    if source == "auto":
        return _numbered(_by_folder(paths))
    if source == FOLDERS:
        return _numbered(_folders(paths))
    return _numbered(_by_table(Path(source), paths, root))


def _numbered(labels: Sequence[str]) -> Labels:
    names = tuple(sorted(set(labels) - {""}))
    number = {name: index for index, name in enumerate(names)}
    index = np.fromiter((number.get(label, -1) for label in labels), np.int64, len(labels))
    return Labels(names, index)


def _folders(paths: Sequence[str]) -> list[str]:
    return without_split([path.rpartition("/")[0] for path in paths])


def _by_folder(paths: Sequence[str]) -> list[str]:
    folders = _folders(paths)
    kinds = set(folders)
    if "" in kinds or len(kinds) < 2 or 2 * len(kinds) > len(folders):
        return [""] * len(folders)
    return folders


def without_split(folders: Sequence[str]) -> list[str]:
    """Return folders without their first parts, if these are nothing but names of splits."""
    if {folder.partition("/")[0].lower() for folder in folders} <= SPLITS:
        return [folder.partition("/")[2] for folder in folders]
    return list(folders)


def _by_table(table: Path, paths: Sequence[str], root: str) -> list[str]:
    row_of = {path: row for row, path in enumerate(paths)}
    labels = [""] * len(paths)
    unknown: list[str] = []
    for line, path, label in _lines(table):
        row = _row(path, row_of, root, table.parent)
        if row < 0:
            unknown.append(path)
        elif labels[row] not in {"", label}:
            raise UserError(
                f"line {line} of {str(table)!r} labels {path!r} {label!r}, "
                f"but an earlier line labels it {labels[row]!r}; keep one"
            )
        else:
            labels[row] = label
    if not any(labels):
        if unknown:
            raise UserError(
                f"none of the {len(unknown)} labelled paths in {str(table)!r} is an image under "
                f"{root!r}; the first is {unknown[0]!r}; write paths relative to that folder"
            )
        raise UserError(f"{str(table)!r} holds no labels; fill its column 'label'")
    return labels


def in_both(table: Path, one: Sequence[str], other: Sequence[str]) -> str | None:
    """Return a path in a table that is one of both lists as it stands, or None."""
    ours, theirs = set(one), set(other)
    found = (os.path.normpath(path) for _, path, _ in _lines(table))
    return next((path for path in found if path in ours and path in theirs), None)


def _lines(table: Path) -> list[tuple[int, str, str]]:
    """Return line number, path and label of the labelled lines of a table."""
    try:
        with table.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            for column in ("path", "label"):
                if column not in header:
                    raise UserError(
                        f"{str(table)!r} has no column {column!r} in its first line, "
                        f"{','.join(header)[:100]!r}; it must be path,label"
                    )
            rows = [(reader.line_num, row["path"], row["label"]) for row in reader]
    except (OSError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"cannot read the labels {str(table)!r}: {why}; give auto, none or a csv file"
        ) from error
    return [(line, path, label.strip()) for line, path, label in rows if path and label]


def _row(path: str, row_of: dict[str, int], root: str, folder: Path) -> int:
    """Return the row of a path relative to the root, absolute, or relative to the table; or -1."""
    row = row_of.get(path, -1)
    if row < 0:
        row = row_of.get(os.path.normpath(path), -1)
    if row < 0:
        row = row_of.get(os.path.relpath(folder / path, root), -1)
    return row
