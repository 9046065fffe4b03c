"""The labelled images of a task, at the size that each arm sees."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from selfsight.data.images import ImageSet, check_apart, open_images
from selfsight.errors import UserError
from selfsight.material import same_classes


@dataclass(frozen=True, slots=True)
class TaskImages:
    """The images to take labels from and those to measure on, opened once for each size."""

    name: str
    train: str
    test: str
    labels: str
    cache: Path
    progress: Callable[[str, int, int], None]
    _open: dict[int, tuple[ImageSet, ImageSet]] = field(default_factory=dict)

    def at(self, size: int) -> tuple[ImageSet, ImageSet]:
        """Return the labelled training and test images for `size` px, in an order of their own.

        Class numbers mean the same in both. Raises UserError if a part has no labels, or the
        training part one class only.
        """
        if size not in self._open:
            check_apart(self.train, self.test, means="the test part")
            one, other = (self._labelled(source, size) for source in (self.train, self.test))
            pair = same_classes(one, other)
            if len(np.unique(pair[0].labels.index)) < 2:
                raise UserError(f"{self.train} has one class only; measuring needs at least two")
            for known in self._open.values():  # sizes differ in pixels alone
                assert [part.paths for part in known] == [part.paths for part in pair]
            self._open[size] = pair
        return self._open[size]

    def _labelled(self, source: str, size: int) -> ImageSet:
        images = open_images(
            source, size=size, labels=self.labels, cache=self.cache, progress=self.progress
        )
        rows = np.flatnonzero(images.labels.index >= 0)
        if not len(rows):
            raise UserError(
                f"{source} has no labels; put the images in one folder per class, "
                "or give --labels FILE.csv"
            )
        return images.part(rows)
