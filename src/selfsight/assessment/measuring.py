"""One cell measured: a protocol on an arm with some labels, from images or kept features.

No number of the test part is looked at here: what comes back is the answers.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int, Int64

from selfsight.assessment.arms import Arm
from selfsight.assessment.folder import Folder
from selfsight.assessment.images import TaskImages
from selfsight.assessment.plan import Cell
from selfsight.evaluation.embed import Embeddings, embed
from selfsight.evaluation.finetune import finetune
from selfsight.evaluation.knn import NEIGHBOURS, knn_predict, neighbours_used
from selfsight.evaluation.linear import probe_of

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """What measuring needs: where, in what arithmetic, for how long, and who is told."""

    folder: Folder
    device: str
    precision: str
    effort: float
    progress: Progress


def answers(
    cell: Cell, arm: Arm, images: TaskImages, rows: Int[np.ndarray, "rows"], *, bench: Bench
) -> tuple[Int64[np.ndarray, "images"], dict[str, Any]]:
    """Return the class that a cell gives each test image, and the settings that it chose."""
    if cell.protocol in ("finetune", "scratch"):
        return _trained(cell, arm, images, rows, bench)
    train, test = frozen(arm, images, bench=bench)
    some = Embeddings(train.features[rows], train.labels[rows])
    if cell.protocol == "knn":
        return knn_predict(some, test), {"neighbours": neighbours_used(some, k=NEIGHBOURS)}
    assert cell.protocol == "linear"
    probe = probe_of(some, seed=cell.seed)
    chosen = {
        "regularisation": probe.regularisation,
        "sweep": [list(pair) for pair in probe.sweep],
        "converged": probe.fitted.converged,
    }
    return probe.predict(test.features), chosen


def frozen(arm: Arm, images: TaskImages, *, bench: Bench) -> tuple[Embeddings, Embeddings]:
    """Return the arm's features of the training and test images, computed once and kept."""
    assert arm.encode is not None
    parts = []
    for part, of_part in zip(("train", "test"), images.at(arm.size), strict=True):
        name = f"{images.task.name}-{arm.name}-{part}"
        features = bench.folder.features(name)
        if features is None or len(features) != len(of_part):

            def show(_: str, done: int, total: int, *, what: str = part) -> None:
                bench.progress(
                    f"embedding {images.task.name} {what} images: {arm.name}", done, total
                )

            features = embed(arm.encode, of_part, progress=show).features
            bench.folder.keep_features(name, features)
        parts.append(Embeddings(features, of_part.labels.index))
    return parts[0], parts[1]


def _trained(
    cell: Cell, arm: Arm, images: TaskImages, rows: Int[np.ndarray, "rows"], bench: Bench
) -> tuple[Int64[np.ndarray, "images"], dict[str, Any]]:
    assert arm.network is not None
    train, test = images.at(arm.size)
    found = finetune(
        arm.network(cell.seed),
        train.part(rows),
        seed=cell.seed,
        manner=arm.manner,
        effort=bench.effort,
        device=bench.device,
        precision=bench.precision,
        progress=bench.progress,
    )
    chosen = {name: getattr(found, name) for name in ("rate", "views", "batch", "planned", "steps")}
    trials = [asdict(trial) for trial in found.trials]
    return found.predict(test), chosen | {"held_back": found.held_back, "trials": trials}
