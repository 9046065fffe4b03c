"""The labelled images of a task, at the size that each arm sees."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from selfsight.assessment.plan import Task
from selfsight.data.images import ImageSet
from selfsight.labelled import labelled_pair


@dataclass(frozen=True, slots=True)
class TaskImages:
    """The images to take labels from and those to measure on, opened once for each size."""

    task: Task
    cache: Path
    progress: Callable[[str, int, int], None]
    _open: dict[int, tuple[ImageSet, ImageSet]] = field(default_factory=dict)

    def at(self, size: int) -> tuple[ImageSet, ImageSet]:
        """Return the labelled training and test images for `size` px, in an order of their own.

        Class numbers mean the same in both. Raises UserError as `labelled_pair` does.
        """
        if size not in self._open:
            pair = labelled_pair(
                self.task.train,
                self.task.test,
                size=size,
                labels=self.task.labels,
                test_labels=self.task.test_labels,
                cache=self.cache,
                progress=self.progress,
            )
            for known in self._open.values():  # sizes differ in pixels alone
                assert [part.paths for part in known] == [part.paths for part in pair]
            self._open[size] = pair
        return self._open[size]
