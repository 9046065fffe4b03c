"""Features of images that are changed before they are shown: with a cue, damaged, or as views.

Images are changed a batch at a time, so that the changed ones are never all in memory.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8

from selfsight.data.images import ImageSet, quiet
from selfsight.errors import UserError
from selfsight.evaluation.embed import Encode, Progress
from selfsight.views.augmentation import Augmentation

Pixels = UInt8[np.ndarray, "batch channels height width"]
Rows = Int64[np.ndarray, "batch"]
Change = Callable[[Pixels, Rows], Pixels]
Reader = Callable[[ImageSet, Change, Int64[np.ndarray, "images"]], Encode]  # learns to tell numbers

BATCH = 256


def unchanged(pixels: Pixels, _rows: Rows) -> Pixels:
    """Return the images as they are."""
    return pixels


def viewed(augmentation: Augmentation, *, seed: int) -> Change:
    """Return what makes a random view of each image, the same whenever it is asked for."""

    def change(pixels: Pixels, rows: Rows) -> Pixels:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * 0x10001 + int(rows[0]))  # rows of a batch, in their order
            views = augmentation(torch.tensor(pixels))
        return np.asarray((views * 255).round().to(torch.uint8))

    return change


def shown(
    encode: Encode,
    images: ImageSet,
    change: Change = unchanged,
    *,
    what: str,
    progress: Progress = quiet,
) -> Float32[np.ndarray, "images dim"]:
    """Return the features of all images, each changed first; `what` names the phase of progress.

    `change` is given pixels and their rows. Raises UserError if there are no images, or if a
    feature is not a finite number.
    """
    if len(images) == 0:
        raise UserError("there is no image to look at")
    parts = []
    for start in range(0, len(images), BATCH):
        rows = np.arange(start, min(start + BATCH, len(images)))
        parts.append(encode(change(images.batch(rows), rows)).astype(np.float32, copy=False))
        progress(what, int(rows[-1]) + 1, len(images))
    features = np.concatenate(parts)
    if not np.isfinite(features).all():
        raise UserError(
            "the features of some images are not finite numbers: the encoder has diverged; "
            "train with a lower learning rate (lr)"
        )
    return features
