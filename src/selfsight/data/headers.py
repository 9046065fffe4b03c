"""What files say of images without their pixels: sizes, format, mode, JPEG quality, time, folder.

A header is read, not the picture: some tens of microseconds a file. Width and height are as stored,
before any EXIF orientation. The quality of a JPEG is the one whose standard table (JPEG's Annex K,
scaled as the Independent JPEG Group's library does) has the sum nearest to the file's own; files
of programs with tables of their own get the nearest equivalent.
"""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64
from PIL import Image

from selfsight.data.filetypes import readable_formats

BETWEEN_REPORTS = 1000  # files

# ITU-T T.81, table K.1: quantisation of luminance; only the sum of its scaled values is used.
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


@dataclass(frozen=True, slots=True)
class Headers:
    """What the files of some images say, one value an image; NaN or "" where nothing is known."""

    width: Float64[np.ndarray, "images"]  # px
    height: Float64[np.ndarray, "images"]
    size: Float64[np.ndarray, "images"]  # bytes
    modified: Float64[np.ndarray, "images"]  # seconds since 1970
    quality: Float64[np.ndarray, "images"]  # JPEG, 1..100
    format: tuple[str, ...]
    mode: tuple[str, ...]  # Pillow's: L, RGB, …


def read_headers(
    root: str | os.PathLike[str],
    paths: tuple[str, ...],
    *,
    progress: Callable[[str, int, int], None],
) -> Headers | None:
    """Return what the files at `paths`, relative to `root`, say; None if root is no folder."""
    if not Path(root).is_dir():
        return None
    rows = []
    for number, path in enumerate(paths):
        rows.append(_read(f"{os.fspath(root)}/{path}"))
        if number % BETWEEN_REPORTS == 0 or number + 1 == len(paths):
            progress("reading file headers", number + 1, len(paths))
    columns = dict(
        zip([field.name for field in fields(Headers)], zip(*rows, strict=True), strict=True)
    )
    numbers = ("width", "height", "size", "modified", "quality")
    return Headers(
        **{name: np.array(columns[name], dtype=np.float64) for name in numbers},
        format=columns["format"],
        mode=columns["mode"],
    )


def _read(path: str) -> tuple[float, float, float, float, float, str, str]:
    try:
        state = os.stat(path)  # noqa: PTH116 -- takes any name
        with warnings.catch_warnings(), open(path, "rb") as file:  # noqa: PTH123
            warnings.simplefilter("ignore")  # odd metadata
            with Image.open(file, formats=readable_formats()) as image:
                tables = getattr(image, "quantization", None) or {}
                quality = jpeg_quality(tables[0]) if 0 in tables else np.nan
                width, height = image.size
                kind, mode = image.format or "", image.mode
    except Exception:  # it was read when it was decoded; if it is gone since, nothing is known
        return np.nan, np.nan, np.nan, np.nan, np.nan, "", ""
    return float(width), float(height), float(state.st_size), state.st_mtime, quality, kind, mode


def jpeg_quality(table: list[int]) -> float:
    """Return the quality, 1..100, of a JPEG's first quantisation table."""
    return float(np.abs(_SUMS - sum(table)).argmin() + 1)


def _sums() -> Int64[np.ndarray, "100"]:
    """Return the sum of the standard table for the qualities 1 to 100."""
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)[:, None, None]
    tables = ((np.array(LUMINANCE) * scale + 50) // 100).clip(1, 255)
    sums: Int64[np.ndarray, "100"] = tables.sum(axis=(1, 2))
    return sums


_SUMS = _sums()
