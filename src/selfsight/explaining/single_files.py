"""Image files that are named one by one: explained all, with no other images to compare with."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from selfsight.data.decode import UnreadableImageError, decode, decode_whole
from selfsight.errors import UserError
from selfsight.explaining.pictures import LONGEST, Picture
from selfsight.explaining.sources import Source


def files_source(files: Sequence[Path], *, size: int) -> Source:
    """Return the files as they are stored for `size` px: the central square of each.

    Raises UserError, in one line, for a file that is not there or is no readable image.
    """
    pixels = np.stack([_square(file, size) for file in files])

    def read(rows: Int[np.ndarray, "rows"]) -> UInt8[np.ndarray, "rows 3 side side"]:
        part: UInt8[np.ndarray, "rows 3 side side"] = pixels[rows]
        return part

    return Source(
        read,
        lambda row: Picture(decode_whole(files[row], side=LONGEST)),
        np.full(len(files), -1, dtype=np.int64),
        (),
        tuple(file.name for file in files),
        str(files[0]) if len(files) == 1 else f"{len(files)} image files",
        alone=True,
    )


def _square(file: Path, size: int) -> UInt8[np.ndarray, "3 side side"]:
    if not file.is_file():
        raise UserError(f"there is no image file {str(file)!r}; give files, or one folder")
    try:
        return decode(file, side=size)
    except UnreadableImageError as error:
        raise UserError(f"cannot read {str(file)!r}: {error}; give another image") from error
