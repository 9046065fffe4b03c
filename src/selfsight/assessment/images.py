"""The labelled images of a task, at the size that each arm sees."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from selfsight.data.images import ImageSet
from selfsight.labelled import labelled_pair


@dataclass(frozen=True, slots=True)
class TaskImages:
    """The images to take labels from and those to measure on, opened once for each size."""

    name: str
    train: str
    test: str
    labels: str
    test_labels: str
    cache: Path
    progress: Callable[[str, int, int], None]
    _open: dict[int, tuple[ImageSet, ImageSet]] = field(default_factory=dict)

    def at(self, size: int) -> tuple[ImageSet, ImageSet]:
        """Return the labelled training and test images for `size` px, in an order of their own.

        Class numbers mean the same in both. Raises UserError as `labelled_pair` does.
        """
        if size not in self._open:
            pair = labelled_pair(
                self.train,
                self.test,
                size=size,
                labels=self.labels,
                test_labels=self.test_labels,
                cache=self.cache,
                progress=self.progress,
            )
            for known in self._open.values():  # sizes differ in pixels alone
                assert [part.paths for part in known] == [part.paths for part in pair]
            self._open[size] = pair
        return self._open[size]
