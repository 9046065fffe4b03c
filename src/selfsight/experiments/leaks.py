"""Test images of an experiment that its training images hold too, found once for each seed.

The images are those that the runs of a seed are measured on, in the same order, so that every
run's accuracy without them can be read from its evidence.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from selfsight.data.splits import stratified_sample
from selfsight.evaluation.repeats import find_repeats
from selfsight.experiments.cells import Cell
from selfsight.material import Material

FILE = "repeats.json"


@dataclass(frozen=True, slots=True)
class Leak:
    """The measured test images of one seed that have a near copy among the training images."""

    images: int  # measured
    rows: tuple[int, ...]  # of them, ascending
    pairs: tuple[tuple[str, str, float], ...]  # test path, training path, cosine


def find_leak(
    material: Material, *, most: int, seed: int, progress: Callable[[str, int, int], None]
) -> Leak:
    """Return the leak of a seed, among the at most `most` test images that are measured."""
    labels = material.held_out.labels.index
    test = material.held_out.part(stratified_sample(labels, count=most, seed=seed))
    found = find_repeats(material.labelled, test, progress=progress)
    return Leak(len(test), tuple(found.rows.tolist()), tuple(found.pairs(material.labelled, test)))


def without_repeats(cell: Cell, leak: Leak) -> float:
    """Return the linear probe's accuracy on the measured images without a copy; NaN if all have."""
    hits = cell.hits
    assert len(hits) == leak.images, f"{cell.folder} was measured on other images"
    fresh = np.ones(len(hits), dtype=bool)
    fresh[list(leak.rows)] = False
    return float(hits[fresh].mean()) if fresh.any() else float("nan")


def read_leaks(out: Path) -> dict[int, Leak]:
    """Return the leaks that were found so far, by seed."""
    try:
        content = json.loads((out / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return {
        int(seed): Leak(
            leak["images"], tuple(leak["rows"]), tuple((a, b, c) for a, b, c in leak["pairs"])
        )
        for seed, leak in content.items()
    }


def write_leaks(out: Path, leaks: dict[int, Leak]) -> None:
    """Write the leaks to their file in one move."""
    partial = out / f"{FILE}.part"
    content = {str(seed): asdict(leak) for seed, leak in leaks.items()}
    partial.write_text(json.dumps(content) + "\n", encoding="utf-8")
    partial.replace(out / FILE)
