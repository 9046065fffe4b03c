"""What lies under a folder: every file is a candidate image or is skipped with a plain reason.

Candidates are told by their names alone, so that a hundred thousand files take about a second;
whether they are images is found when they are decoded. Links to files are followed. Links to
folders are not, because they may lead back up and make the tree endless.
"""

import hashlib
import os
import stat
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from selfsight.data.filetypes import HEIF_SUFFIXES, image_suffixes, suffix
from selfsight.errors import UserError, reaching

SIDECAR_NAMES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
SIDECAR_FOLDERS = frozenset({"__MACOSX", ".ipynb_checkpoints"})
BETWEEN_REPORTS = 5000  # files


@dataclass(frozen=True, slots=True)
class Scan:
    """The files under a folder, by name, those of a folder before those of the folders in it.

    Paths are relative to the root; bytes of names that are not UTF-8 are kept as lone surrogates,
    as `os.fsdecode` does.
    """

    root: str  # absolute
    paths: tuple[str, ...]  # candidates
    skipped: tuple[tuple[str, str], ...]  # path and reason
    fingerprint: str  # of the candidates' names, sizes and modification times


@dataclass(slots=True)
class _Found:
    paths: list[str]
    skipped: list[tuple[str, str]]
    states: "array[int]"  # size and modification time (ns) of each candidate in turn


def scan(folder: str | os.PathLike[str], *, progress: Callable[[str, int, int], None]) -> Scan:
    """Return what lies under a folder, at any depth.

    Raises UserError if the folder is missing, is a file, cannot be read, or has no candidate.
    """
    root = os.path.abspath(folder)  # noqa: PTH100 -- must not follow links, and takes any name
    _check_folder(root)
    found = _Found([], [], array("q"))
    ahead = [("", "")]  # folders to visit, with why their files are skipped if they are
    while ahead:
        before = len(found.paths) // BETWEEN_REPORTS
        inside, why = ahead.pop()
        ahead += reversed(_visit(root, inside, why, found))
        if len(found.paths) // BETWEEN_REPORTS > before:
            progress("scan", len(found.paths), 0)
    if not found.paths:
        raise UserError(_nothing(root, found.skipped))
    progress("scan", len(found.paths), len(found.paths))
    return Scan(root, tuple(found.paths), tuple(found.skipped), _fingerprint(found))


def _check_folder(root: str) -> None:
    with reaching(root):
        there, folder = Path(root).exists(), Path(root).is_dir()
    if not there:
        raise UserError(f"there is no folder {root!r}; give the folder that holds the images")
    if not folder:
        raise UserError(f"{root!r} is a file; give the folder that holds the images")


def _visit(root: str, inside: str, why: str, found: _Found) -> list[tuple[str, str]]:
    """Sort the files of one folder into `found` and return the folders in it."""
    try:
        with os.scandir(f"{root}/{inside}") as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        if not inside:
            raise UserError(f"cannot read the folder {root!r}: {error.strerror}") from error
        found.skipped.append((inside.rstrip("/"), f"folder cannot be read: {error.strerror}"))
        return []
    if inside and not entries:
        found.skipped.append((inside.rstrip("/"), "empty folder"))
    folders = []
    for entry in entries:
        path = inside + entry.name
        if entry.is_dir(follow_symlinks=False):
            folders.append((f"{path}/", why or _hidden_folder(entry.name)))
            continue
        reason = why or _by_name(entry.name) or _by_state(entry, found.states)
        if reason:
            found.skipped.append((path, reason))
        else:
            found.paths.append(path)
    return folders


def _hidden_folder(name: str) -> str:
    if name in SIDECAR_FOLDERS:
        return f"sidecar files of other programs ({name})"
    return f"in the hidden folder {name}" if name.startswith(".") else ""


def _by_name(name: str) -> str:
    """Return why a file of this name is no candidate, or ""."""
    ending = suffix(name)
    if name.startswith("._") or name.lower() in SIDECAR_NAMES:
        return "sidecar file of another program"
    if name.startswith("."):
        return "hidden file"
    if ending in image_suffixes():
        return ""
    if ending in HEIF_SUFFIXES:
        return "HEIC: needs pillow-heif"
    return f"not an image by its name ({ending})" if ending else "not an image by its name"


def _by_state(entry: os.DirEntry[str], states: "array[int]") -> str:
    """Return why a file is no candidate by what it is, or "" having noted its size and time."""
    try:
        state = entry.stat()
    except OSError as error:
        if entry.is_symlink():
            return f"link that leads nowhere: {error.strerror}"
        return f"cannot be read: {error.strerror}"
    if stat.S_ISDIR(state.st_mode):
        return "link to a folder; such links are not followed"
    if not stat.S_ISREG(state.st_mode):
        return "not a regular file"  # reading a pipe would wait for ever
    states.extend((state.st_size, state.st_mtime_ns))
    return ""


def _fingerprint(found: _Found) -> str:
    digest = hashlib.sha256(found.states.tobytes())
    for path in found.paths:
        digest.update(os.fsencode(path) + b"\0")
    return digest.hexdigest()


def _nothing(root: str, skipped: list[tuple[str, str]]) -> str:
    if not skipped:
        return f"the folder {root!r} is empty; give the folder that holds the images"
    path, reason = skipped[0]
    return f"no image file among the {len(skipped)} under {root!r}; the first is {path!r}: {reason}"
