"""An assessment, opened: its plan, arms and images, and the directory that holds what is done."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from selfsight import __version__
from selfsight.assessment.arms import Arm, arms_for
from selfsight.assessment.folder import Folder, fingerprint
from selfsight.assessment.images import TaskImages
from selfsight.assessment.plan import Amount, Cell, Plan, cells_of, distinct
from selfsight.data.images import ImageSet
from selfsight.nets.encoder import Encoder


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is measured of one encoder. amounts: of each task, as far as they differ there."""

    plan: Plan
    arms: dict[str, Arm]
    tasks: dict[str, TaskImages]
    amounts: dict[str, tuple[Amount, ...]]
    folder: Folder
    size: int  # of the images that the encoder sees, in px

    @property
    def cells(self) -> list[Cell]:
        """Return all cells, in the order of the work."""
        protocols = {name: arm.protocols(self.plan.protocols) for name, arm in self.arms.items()}
        return list(cells_of(self.plan, protocols, self.amounts))

    def finished(self, task: str) -> tuple[Amount, ...]:
        """Return the amounts of labels of which every cell is measured."""
        left = {
            cell.amount
            for cell in self.cells
            if cell.task == task and self.folder.record(cell) is None
        }
        return tuple(amount for amount in self.amounts[task] if amount not in left)

    def images(self, task: str) -> tuple[ImageSet, ImageSet]:
        """Return the labelled training and test images of a task, as the encoder sees them."""
        return self.tasks[task].at(self.size)


def open_assessment(
    plan: Plan,
    encoder: Encoder,
    *,
    out: Path,
    cache: Path,
    device: str,
    progress: Callable[[str, int, int], None],
) -> Assessment:
    """Return the assessment in a directory, which is made if it is new.

    Raises UserError for a mistake in the plan, and if the directory holds something else.
    """
    arms = arms_for(encoder, against=plan.against, seed=plan.seeds[0], device=device)
    tasks = {task.name: TaskImages(task, cache, progress) for task in plan.tasks}
    sets = {name: task.at(encoder.image_size) for name, task in tasks.items()}
    content = plan.to_json() | {
        "selfsight": __version__,
        "weights": {
            name: fingerprint(arm.network(plan.seeds[0]))
            for name, arm in arms.items()
            if arm.network is not None
        },
        "images": {
            f"{name}, {part}": images.fingerprint()
            for name, pair in sets.items()
            for part, images in zip(("train", "test"), pair, strict=True)
        },
    }
    amounts = {
        name: distinct(plan.amounts, train.labels.index) for name, (train, _) in sets.items()
    }
    return Assessment(plan, arms, tasks, amounts, Folder(out, plan=content), encoder.image_size)
