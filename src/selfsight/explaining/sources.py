"""Images to explain, with their pictures, names and classes: a folder, a named set, an array."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped
from torch import Tensor

from selfsight.data.decode import UnreadableImageError, decode_whole
from selfsight.data.images import ImageSet, open_images
from selfsight.errors import UserError
from selfsight.explaining.bank import Progress, Read
from selfsight.explaining.pictures import LONGEST, Picture, picture_of

Array = Shaped[np.ndarray, "images channels height width"]


@dataclass(frozen=True, slots=True)
class Source:
    """Images by row.

    picture: gives what a person is shown of a row. title: where they are from. alone: each image
    stands for itself, and there is no set of others to compare it with.
    """

    read: Read
    picture: Callable[[int], Picture]
    labels: Int[np.ndarray, "images"]  # class number, -1 where unknown
    names: tuple[str, ...]  # of the classes
    paths: tuple[str, ...]
    title: str
    alone: bool = False

    def __len__(self) -> int:
        return len(self.paths)


def source_of(
    images: str | Array | Shaped[Tensor, "images channels height width"],
    *,
    size: int,
    labels: str,
    cache: Path,
    progress: Progress,
) -> Source:
    """Return a folder or named set as stored for `size` px, or an array as it is.

    Raises UserError for a folder or a set that cannot be used.
    """
    if isinstance(images, str):
        return _stored(
            open_images(images, size=size, labels=labels, cache=cache, progress=progress)
        )
    return _in_memory(images.detach().cpu().numpy() if isinstance(images, Tensor) else images)


def _stored(found: ImageSet) -> Source:
    return Source(
        found.batch,
        lambda row: _whole(found, row),
        found.labels.index,
        found.labels.names,
        found.paths,
        found.root,
    )


def _whole(found: ImageSet, row: int) -> Picture:
    """Return the whole image of a file, or the stored square where there is no file (any more)."""
    file = Path(found.root) / found.paths[row]
    if file.is_file():
        try:
            return Picture(decode_whole(file, side=LONGEST))
        except UnreadableImageError:
            pass
    return picture_of(found.batch(np.array([row]))[0])


def _in_memory(array: Array) -> Source:
    if array.ndim != 4 or not len(array):
        raise UserError(
            f"images have the shape {tuple(array.shape)}; give [n, channels, height, width]"
        )

    def read(rows: Int[np.ndarray, "rows"]) -> Array:
        part: Array = array[rows]
        return part

    return Source(
        read,
        lambda row: picture_of(array[row]),
        np.full(len(array), -1, dtype=np.int64),
        (),
        tuple(f"image {row}" for row in range(len(array))),
        "images in memory",
    )
