"""Two sets of labelled images: one that labels are drawn from, one to measure on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from selfsight.data.images import ImageSet, check_apart, check_cache, open_images
from selfsight.data.labels import FOLDERS, in_both
from selfsight.errors import UserError
from selfsight.material import same_classes

SAME = "same"  # labels of the test part: as those of the training part


def labelled_pair(
    train: str,
    test: str,
    *,
    size: int,
    labels: str,
    test_labels: str = SAME,
    cache: Path,
    progress: Callable[[str, int, int], None],
) -> tuple[ImageSet, ImageSet]:
    """Return the labelled images of both for `size` px; class numbers mean the same in both.

    labels, test_labels: "auto" (every folder is a class, whatever it holds) or a CSV file; "same"
    takes the table of the training images for those to measure on, too. Raises UserError if a part
    has no labels, the training part one class only, or a table could mean images of either part.
    """
    check_apart(train, test, means="the test part")
    check_cache(cache, train, test)
    told = labels, labels if test_labels == SAME else test_labels
    parts = [
        open_images(
            source,
            size=size,
            labels=FOLDERS if said == "auto" else said,
            cache=cache,
            progress=progress,
        )
        for source, said in zip((train, test), told, strict=True)
    ]
    if told[0] == told[1] and told[0] not in ("auto", "none"):
        _check_one_meaning(Path(labels), *parts)
    found = same_classes(*(_labelled(part) for part in parts))
    if len(np.unique(found[0].labels.index)) < 2:
        raise UserError(f"{train} has one class only; measuring needs at least two")
    return found


def _labelled(images: ImageSet) -> ImageSet:
    rows = np.flatnonzero(images.labels.index >= 0)
    if not len(rows):
        raise UserError(
            f"{images.root} has no labels; put the images in one folder per class, "
            "or give --labels FILE.csv"
        )
    return images.part(rows)


def _check_one_meaning(table: Path, one: ImageSet, other: ImageSet) -> None:
    path = in_both(table, one.paths, other.paths)
    if path is not None:
        raise UserError(
            f"{str(table)!r} labels {path!r}, which is an image of {one.root} and one of "
            f"{other.root}; if it means the first, give --test-labels too (auto: class folders), "
            "or write paths from the table's folder"
        )
