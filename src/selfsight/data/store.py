"""All images of a folder decoded once, as one memory-mapped array of uint8 (n, 3, side, side).

A store is a folder in the cache with `pixels.u8`, the bare array, and `index.json`: its side, the
number of images, and the candidates that have no row, with the reasons. It is used again as long
as the names, sizes and modification times of the candidates agree.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import PIL
from jaxtyping import UInt8

from selfsight.data.scan import Scan
from selfsight.data.shelf import FULL, keep
from selfsight.data.workers import Workers, cores
from selfsight.errors import UserError

VERSION = 1  # of the decoding policies and of the files; a change makes all stores anew
SAMPLED = 64  # headers looked at to choose the side
HEADROOM = 1.25  # times the training size: crops then shrink little and need no antialiasing
FILES_PER_WORKER = 32  # a process takes as long to start as some small files to decode
COPIED_AT_ONCE = 1 << 24  # bytes

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Store:
    """The decoded images of a scan, in its order."""

    pixels: UInt8[np.ndarray, "images 3 side side"]  # memory-mapped, read-only
    failed: dict[int, str]  # reason, by number among the scan's paths


def check_outside(cache: Path, folder: str) -> None:
    """Raise UserError for a cache within an image folder."""
    root, shelf = Path(folder).resolve(), cache.resolve()
    if shelf == root or root in shelf.parents:
        raise UserError(
            f"the cache {str(cache)!r} lies inside the image folder {folder!r}, where nothing "
            "is ever written; choose a cache folder elsewhere"
        )


def open_store(found: Scan, *, size: int, cache: Path, progress: Progress) -> Store:
    """Return the images decoded for training at `size` px, decoding them if need be.

    Raises UserError if no image can be read, the disk is full or the cache cannot be written.
    """
    check_outside(cache, found.root)
    root = Path(found.root).resolve()
    state = f"{VERSION} {PIL.__version__} {found.fingerprint}"
    folder = keep(
        cache,
        store_name(str(root), size),
        state=hashlib.sha256(state.encode()).hexdigest()[:16],
        whole=is_whole,
        fill=lambda half: _fill(half, found, size, progress),
        waiting=lambda: progress("wait for another process that decodes these images", 0, 0),
    )
    return read_store(folder)


def store_name(source: str, size: int) -> str:
    """Return the name in the cache of what is stored of a source for a training size."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", Path(source).name).strip("-")[:40] or "images"
    return f"{readable}-{size}px-{hashlib.sha256(os.fsencode(source)).hexdigest()[:12]}"


def stored_side(shorter_sides: list[int], size: int) -> int:
    """Return the side to store at: the images' own, as far as training at `size` px can use it."""
    most = math.ceil(HEADROOM * size)
    own = int(np.median(shorter_sides)) if shorter_sides else size
    return min(max(own, size), most)


def is_whole(folder: Path) -> bool:
    """Return whether a store can be read and has the bytes that it should have."""
    try:
        index = json.loads((folder / "index.json").read_text())
        shape = (index["images"], 3, index["side"], index["side"])
        return (folder / "pixels.u8").stat().st_size == math.prod(shape)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_store(folder: Path) -> Store:
    """Return a store of the cache."""
    index = json.loads((folder / "index.json").read_text())
    shape = (index["images"], 3, index["side"], index["side"])
    pixels = np.memmap(folder / "pixels.u8", dtype=np.uint8, mode="r", shape=shape)
    return Store(pixels, dict(index["failed"]))


def allocate(path: Path, needed: int) -> None:
    """Make a file of `needed` bytes, all of which the disk has granted. Raises UserError if not."""
    with path.open("wb") as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, needed)
        except OSError as error:
            if error.errno in FULL:
                free = os.statvfs(path.parent)
                raise UserError(
                    f"the decoded images need {needed:,} bytes in {str(path.parent.parent)!r} but "
                    f"{free.f_bavail * free.f_frsize:,} are free there; free some space, train at "
                    "a smaller size, or choose another cache folder"
                ) from error
            # a file system that cannot grant bytes ahead; it will tell when it is full
        file.truncate(needed)


def finish(folder: Path, *, images: int, side: int, failed: dict[int, str]) -> None:
    """Write the index of a filled store and see both files safely onto the disk."""
    index = {"images": images, "side": side, "failed": sorted(failed.items())}
    (folder / "index.json").write_text(json.dumps(index))
    for name in ("pixels.u8", "index.json"):
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())


def _fill(folder: Path, found: Scan, size: int, progress: Progress) -> None:
    paths, total = found.paths, len(found.paths)
    pixels = folder / "pixels.u8"
    sample = [paths[number] for number in sorted({i * total // SAMPLED for i in range(SAMPLED)})]
    with Workers(min(cores(), math.ceil(total / FILES_PER_WORKER)), folder=folder) as workers:
        sides = workers.decode(
            sample, root=found.root, side=0, store=Path(os.devnull), report=lambda _: None
        ).sides
        side = stored_side(sides, size)
        allocate(pixels, total * 3 * side * side)
        failed = workers.decode(
            paths,
            root=found.root,
            side=side,
            store=pixels,
            report=lambda done: progress("decode", done, total),
        ).failed
    if len(failed) == total:
        path, reason = paths[min(failed)], failed[min(failed)]
        raise UserError(
            f"none of the {total} image files under {found.root!r} can be read; "
            f"the first is {path!r}: {reason}"
        )
    _close_gaps(pixels, sorted(failed), total, 3 * side * side)
    finish(folder, images=total - len(failed), side=side, failed=failed)


def _close_gaps(path: Path, gaps: list[int], total: int, row_bytes: int) -> None:
    """Move the rows of a file up over the gaps and cut it, a piece at a time."""
    piece = max(1, COPIED_AT_ONCE // row_bytes)
    with path.open("r+b") as file:
        end = [*gaps, total][0]
        for gap, following in pairwise([*gaps, total]):
            for start in range(gap + 1, following, piece):
                count = min(piece, following - start)
                file.seek(start * row_bytes)
                rows = file.read(count * row_bytes)
                file.seek(end * row_bytes)
                file.write(rows)
                end += count
        file.truncate(end * row_bytes)
