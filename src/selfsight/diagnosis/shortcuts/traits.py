"""What is known of each image apart from its content: by its file, and by its pixels as a whole.

File traits say how an image came about. Pixel traits are measured on the decoded square, which is
what an encoder sees, and may well belong to the content (the sea is blue): that one of them tells
the class is a question to the user, not a fault.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from selfsight.data.headers import Headers, read_headers
from selfsight.data.images import ImageSet, quiet
from selfsight.evaluation.embed import Progress

SECTORS = ("red", "yellow", "green", "cyan", "blue", "magenta")
GREY = 0.02  # mean colourfulness, of 1, below which an image has no hue
BATCH = 256


@dataclass(frozen=True, slots=True)
class Trait:
    """A number or a word for each image; NaN and "" where nothing is known."""

    name: str
    values: Float64[np.ndarray, "images"] | tuple[str, ...]
    source: Literal["file", "pixels"]

    def __len__(self) -> int:
        return len(self.values)


def traits_of(images: ImageSet, *, progress: Progress = quiet) -> list[Trait]:
    """Return all that is known of the images; nothing of files for sets known by name."""
    headers = read_headers(images.root, images.paths, progress=progress)
    of_files = [] if headers is None else _of_files(headers, images.paths)
    return of_files + _of_pixels(images, progress)


def _of_files(headers: Headers, paths: Sequence[str]) -> list[Trait]:
    aspect = headers.width / headers.height
    values: dict[str, Float64[np.ndarray, "images"] | tuple[str, ...]] = {
        "width": headers.width,
        "height": headers.height,
        "aspect": aspect,
        "file size": headers.size,
        "file format": headers.format,
        "mode": headers.mode,
        "JPEG quality": headers.quality,
        "source folder": tuple(os.path.dirname(path) or "." for path in paths),  # noqa: PTH120
        "modification time": headers.modified,
    }
    return [Trait(name, found, "file") for name, found in values.items()]


def _of_pixels(images: ImageSet, progress: Progress) -> list[Trait]:
    parts = []
    for start in range(0, len(images), BATCH):
        rows = np.arange(start, min(start + BATCH, len(images)))
        parts.append(_measured(images.batch(rows)))
        progress("measuring pixels", int(rows[-1]) + 1, len(images))
    brightness, contrast, sharpness, colourfulness, turn = np.concatenate(parts).T
    grey: Bool[np.ndarray, "images"] = colourfulness < GREY
    sector = np.floor(turn * len(SECTORS) + 0.5).astype(int) % len(SECTORS)
    hue = tuple(
        "grey" if plain else SECTORS[place]
        for plain, place in zip(grey.tolist(), sector.tolist(), strict=True)
    )
    return [
        Trait("brightness", brightness, "pixels"),
        Trait("contrast", contrast, "pixels"),
        Trait("sharpness", sharpness, "pixels"),
        Trait("hue", hue, "pixels"),
    ]


def _measured(pixels: UInt8[np.ndarray, "images 3 side side"]) -> Float64[np.ndarray, "images 5"]:
    """Return mean and deviation of the luma, sharpness, colourfulness and hue in turns.

    Sharpness is the luma's mean absolute Laplacian over its deviation: contrast alone leaves it be.
    """
    red, green, blue = (pixels[:, channel] / 255 for channel in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    laplacian = 4 * luma[:, 1:-1, 1:-1] - (
        luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    )
    contrast = luma.std(axis=(1, 2))
    # The colour circle as in HSV: red at 0, green at a third, blue at two thirds of a turn.
    alpha = (red - (green + blue) / 2).mean(axis=(1, 2))
    beta = (np.sqrt(3) / 2 * (green - blue)).mean(axis=(1, 2))
    return np.stack(
        [
            luma.mean(axis=(1, 2)),
            contrast,
            np.abs(laplacian).mean(axis=(1, 2)) / np.maximum(contrast, 1 / 255),
            np.hypot(alpha, beta),
            np.arctan2(beta, alpha) / (2 * np.pi) % 1,
        ],
        axis=1,
    )
