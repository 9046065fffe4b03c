"""What the rest of the tool sees of a folder or a named data set: pixels, paths and labels."""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped, UInt8
from numpy.typing import DTypeLike

from selfsight.data.labels import FOLDERS, Labels, read_labels
from selfsight.data.named import NAMES, NamedSet, open_named
from selfsight.data.scan import scan
from selfsight.data.store import Progress, check_outside, open_store
from selfsight.errors import UserError, reaching

__all__ = ["ImageSet", "Labels", "Selection", "check_apart", "open_images", "quiet"]

SAMPLED, AT_ONCE = 2000, 200  # images of a fingerprint


def quiet(_phase: str, _done: int, _total: int) -> None:
    """Report no progress."""


class Selection:
    """Some rows of an array of pixels, read when indexed; until then only their numbers are held.

    It has an array's shape, dtype, length and indexing by row. NumPy functions read it whole.
    """

    def __init__(
        self, pixels: UInt8[np.ndarray, "images 3 side side"], rows: Int[np.ndarray, "rows"]
    ) -> None:
        self._pixels = pixels
        self._rows = rows
        self.shape = (len(rows), *pixels.shape[1:])
        self.dtype = pixels.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(
        self, which: int | slice | Int[np.ndarray, "rows"]
    ) -> UInt8[np.ndarray, "*rows 3 side side"]:
        return np.asarray(self._pixels[self._rows[which]])

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> Shaped[np.ndarray, "rows 3 side side"]:
        assert copy is not False, "the rows are gathered, so reading them all copies them"
        return self[:].astype(np.uint8 if dtype is None else dtype)

    def part(self, rows: Int[np.ndarray, "rows"]) -> "Selection":
        """Return some rows of this selection."""
        return Selection(self._pixels, self._rows[rows])


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images of one size, ready to be read by row number."""

    pixels: UInt8[np.ndarray, "images 3 side side"] | Selection  # usually memory-mapped, read-only
    paths: tuple[str, ...]  # relative to root; "digits/0017" for named sets
    labels: Labels
    skipped: tuple[tuple[str, str], ...]  # path relative to root, and reason
    root: str  # folder or name, for messages

    def __len__(self) -> int:
        return len(self.paths)

    def part(self, rows: Int[np.ndarray, "rows"]) -> "ImageSet":
        """Return some of the images, without reading any."""
        rows = np.asarray(rows, dtype=np.int64)
        if isinstance(self.pixels, Selection):
            pixels = self.pixels.part(rows)
        else:
            pixels = Selection(self.pixels, rows)
        return replace(
            self,
            pixels=pixels,
            paths=tuple(self.paths[row] for row in rows.tolist()),
            labels=Labels(self.labels.names, self.labels.index[rows]),
        )

    def batch(self, rows: Int[np.ndarray, "rows"]) -> UInt8[np.ndarray, "rows 3 side side"]:
        """Return the pixels of some images as an array of its own."""
        return np.asarray(self.pixels[np.asarray(rows, dtype=np.int64)])

    def fingerprint(self) -> str:
        """Return a short text that tells these images and labels from others.

        By path and class, and by the pixels of at most SAMPLED images.
        """
        found = hashlib.sha256()
        for path, label in zip(self.paths, self.labels.index.tolist(), strict=True):
            text = f"{path}\0{self.labels.names[label] if label >= 0 else ''}\n"
            found.update(text.encode("utf-8", "surrogateescape"))
        rows = np.unique(np.linspace(0, len(self) - 1, SAMPLED).astype(np.int64))
        for part in np.array_split(rows, max(1, len(rows) // AT_ONCE)):
            found.update(np.ascontiguousarray(self.batch(part)).tobytes())
        return found.hexdigest()[:16]


def open_images(
    source: str,
    *,
    size: int,
    labels: str = "auto",
    cache: Path,
    download: bool = False,
    progress: Progress = quiet,
) -> ImageSet:
    """Return the images of a folder, or of a data set known by name, for training at `size` px.

    A folder is decoded into `cache` on first use. `labels` is "auto" (by subfolder), "none", or a
    csv file. `progress` is called with a phase, the number done, and the total or 0. Only with
    `download` is a named set fetched. Raises UserError.
    """
    if size < 1:
        raise UserError(f"size is {size}; it must be at least 1 px")
    if not source:
        raise UserError("no image folder is given; name a folder or a data set such as digits")
    if _is_name(source):
        named = open_named(source, size=size, cache=cache, download=download, progress=progress)
        return _from_name(named, labels)
    found = scan(source, progress=progress)
    store = open_store(found, size=size, cache=cache, progress=progress)
    failed = [(found.paths[row], reason) for row, reason in store.failed.items()]
    paths = tuple(path for row, path in enumerate(found.paths) if row not in store.failed)
    return ImageSet(
        pixels=store.pixels,
        paths=paths,
        labels=read_labels(labels, paths, root=found.root),
        skipped=tuple(sorted([*found.skipped, *failed])),
        root=source,
    )


def check_apart(one: str, other: str, *, means: str) -> None:
    """Raise UserError if two sources share images: one set, or one folder within the other.

    means: what the second is for, as it stands in the message ("held out").
    """
    with reaching(other):
        if _is_name(one) or _is_name(other):
            shared = one.lower() == other.lower()
        else:
            places = [Path(source).resolve() for source in (one, other)]
            shared = places[0].is_relative_to(places[1]) or places[1].is_relative_to(places[0])
    if shared:
        raise UserError(
            f"{other} is {means} but shares images with {one}; what is measured must be unseen, "
            "so give two folders apart"
        )


def check_cache(cache: Path, *sources: str) -> None:
    """Raise UserError for a cache within one of the folders, before the first is decoded."""
    for source in sources:
        with reaching(source):
            if not _is_name(source):
                check_outside(cache, source)


def _is_name(source: str) -> bool:
    """Return whether a source means a data set by its name; a folder of that name comes first."""
    if source.lower() in NAMES:
        return not Path(source).is_dir()
    like_a_path = os.sep in source or source.startswith((".", "~"))
    return not like_a_path and not os.path.lexists(source)


def _from_name(named: NamedSet, labels: str) -> ImageSet:
    own = Labels(named.classes, named.index)
    chosen = (
        own if labels in ("auto", FOLDERS) else read_labels(labels, named.paths, root=named.name)
    )
    return ImageSet(named.pixels, named.paths, chosen, (), named.name)
