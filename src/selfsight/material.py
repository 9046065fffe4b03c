"""The images of a run: opened, divided into training and held-out parts, and checked.

Labels come along for measuring; training is given pixels only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from selfsight.data.images import ImageSet, Labels, check_apart, check_cache, open_images
from selfsight.data.splits import share_of, split
from selfsight.errors import UserError
from selfsight.settings import Settings

MEASURED_FOR_STATISTICS = 10_000


@dataclass(frozen=True, slots=True)
class Material:
    """What a run works on. Class numbers mean the same in all parts."""

    train: ImageSet  # what training sees
    labelled: ImageSet  # what probes are fitted on: all that is not held out
    held_out: ImageSet
    mean: tuple[float, ...]  # of the training pixels, per channel, in [0, 1]
    std: tuple[float, ...]
    skipped: tuple[tuple[str, str], ...]  # path and reason, of both parts


def open_material(
    images: str, *, settings: Settings, cache: Path, progress: Callable[[str, int, int], None]
) -> Material:
    """Return the training and held-out images. Raises UserError for what cannot be trained on."""
    share = held_out_share(settings.held_out)
    if share is None:
        check_apart(images, settings.held_out, means="held out")
        check_cache(cache, images, settings.held_out)
    whole = _open(images, settings, cache, progress)
    if share is None:
        held_out = _open(settings.held_out, settings, cache, progress)
        train, held_out = same_classes(whole, held_out)
        skipped = whole.skipped + held_out.skipped
    else:
        if len(whole) < 3:
            readable = f"{len(whole)} readable image{'s' if len(whole) > 1 else ''}"
            raise UserError(f"{images} has {readable}; training and holding out needs at least 3")
        rows, held_rows = split(len(whole), fraction=share, seed=settings.seed)
        train, held_out, skipped = whole.part(rows), whole.part(held_rows), whole.skipped
    seen = train.part(share_of(len(train), fraction=settings.data, seed=settings.seed))
    if len(seen) < 2:
        of_them = f" ({settings.data:g} of them)" if settings.data < 1 else ""
        raise UserError(f"{images} has one image to train on{of_them}; training needs at least 2")
    mean, std = pixel_statistics(seen)
    return Material(seen, train, held_out, mean, std, skipped)


def _open(
    source: str, settings: Settings, cache: Path, progress: Callable[[str, int, int], None]
) -> ImageSet:
    return open_images(
        source,
        size=settings.size,
        labels=settings.labels,
        cache=cache,
        download=settings.download,
        progress=progress,
    )


def held_out_share(held_out: str) -> float | None:
    """Return the share to hold out, or None if `held_out` names a folder."""
    try:
        share = float(held_out)
    except ValueError:
        return None
    if not 0 < share < 1:
        raise UserError(f"held_out is {held_out}; it must be a share between 0 and 1, or a folder")
    return share


def is_grey(mean: tuple[float, ...], std: tuple[float, ...]) -> bool:
    """Return whether no image has a colour: then all channels have the same statistics."""
    return len(set(mean)) == len(set(std)) == 1


def same_classes(one: ImageSet, other: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Return both sets with one numbering of the classes of both.

    Classes that `one` has images of come first: what is fitted on it knows of no others. Raises
    UserError if both have classes, and none in common.
    """
    ours, theirs = one.labels.names, other.labels.names
    if ours and theirs and not {*ours} & {*theirs}:
        raise UserError(
            f"{one.root} and {other.root} have no class in common: {ours[0]!r} and {theirs[0]!r}, "
            "say; name their class folders alike"
        )
    first = [ours[label] for label in np.unique(one.labels.index) if label >= 0]
    names = (*first, *sorted({*ours, *theirs} - {*first}))
    number = {name: index for index, name in enumerate(names)}

    def renumbered(images: ImageSet) -> ImageSet:
        table = np.array([number[name] for name in images.labels.names] + [-1], dtype=np.int64)
        return replace(images, labels=Labels(names, table[images.labels.index]))

    return renumbered(one), renumbered(other)


def pixel_statistics(images: ImageSet) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel in [0, 1], by a sample of images."""
    rows = np.unique(np.linspace(0, len(images) - 1, MEASURED_FOR_STATISTICS).astype(np.int64))
    total = np.zeros(3)
    squares = np.zeros(3)
    for part in np.array_split(rows, max(1, len(rows) // 500)):
        pixels = images.batch(part).astype(np.float32) / 255
        total += pixels.mean((0, 2, 3), dtype=np.float64) * len(part)
        squares += (pixels**2).mean((0, 2, 3), dtype=np.float64) * len(part)
    mean = total / len(rows)
    std = np.sqrt(np.maximum(squares / len(rows) - mean**2, 1e-6))  # one flat colour: no 1/0
    return tuple(map(float, mean)), tuple(map(float, std))
