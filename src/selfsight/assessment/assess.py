"""An assessment from its first cell to its page; what is finished already is not done again."""

import json
import time
from dataclasses import asdict, replace
from typing import Any

from selfsight.assessment.measuring import Bench, answers, frozen
from selfsight.assessment.opening import Assessment
from selfsight.assessment.plan import Amount, Cell
from selfsight.assessment.summary import summary
from selfsight.display import Display
from selfsight.evaluation.clusters import cluster_agreement
from selfsight.evaluation.finetune import views_in_all
from selfsight.evaluation.layers import EncodeLayers, layers_to_json, probe_layers
from selfsight.evaluation.repeats import find_repeats
from selfsight.evaluation.retrieval import retrieval
from selfsight.reporting.assessment_page import write_assessment

MEASURING = "measuring, in training views"
EVERYTHING = Amount(None, 1.0)
PROBE_COST = 0.02  # of a frozen cell, in training views for each image that it is fitted on


def assess(
    assessment: Assessment, *, bench: Bench, layers: EncodeLayers | None, display: Display
) -> dict[str, Any]:
    """Measure what is not measured yet, write evidence and page, and return the evidence.

    layers: the features of all layers of the encoder, if each is to be probed.
    """
    _keep_subsets(assessment)
    for task in assessment.tasks:
        for name, arm in assessment.arms.items():
            if arm.encode is not None:
                _measure_whole(assessment, task, name, bench)
        _find_repeats(assessment, task, bench)
    if layers is not None:
        _probe_layers(assessment, layers, bench)
    _measure_cells(assessment, bench, display)
    return _tell(assessment)


def _tell(assessment: Assessment) -> dict[str, Any]:
    """Write evidence and page of what is finished, and return the evidence."""
    evidence = summary(assessment)
    assessment.folder.write("evidence.json", json.dumps(evidence, indent=1) + "\n")
    write_assessment(assessment.folder.path)
    return evidence


def _keep_subsets(assessment: Assessment) -> None:
    """Write down which images are labelled, before anything is measured with them."""
    for task, amounts in assessment.amounts.items():
        train, _ = assessment.images(task)
        for amount in amounts:
            for seed in assessment.plan.seeds:
                rows = amount.rows(train.labels.index, seed=seed)
                name = f"{task}-{amount.name.replace(' ', '-').replace('%', 'percent')}-seed-{seed}"
                assessment.folder.keep_subset(name, train.part(rows))


def _measure_cells(assessment: Assessment, bench: Bench, display: Display) -> None:
    left = [cell for cell in assessment.cells if assessment.folder.record(cell) is None]
    costs = [_cost(assessment, cell) for cell in left]
    done, total = 0, sum(costs)
    if len(left) < len(assessment.cells):
        display.say(
            f"{len(assessment.cells) - len(left)} of {len(assessment.cells)} measurements are "
            f"in {assessment.folder.path}; the others follow"
        )
    for cell, cost in zip(left, costs, strict=True):

        def show(phase: str, some: int, of: int, *, before: int = done, cost: int = cost) -> None:
            if phase == "training with labels":  # as a part of the whole
                display.phase(MEASURING, before + min(cost, some * cost // max(1, of)), total)
            else:
                display.phase(phase, some, of)

        _measure(assessment, cell, replace(bench, progress=show))
        done += cost
        display.phase(MEASURING, done, total)
        if done < total and cell.amount in assessment.finished(cell.task):
            _tell(assessment)


def _measure(assessment: Assessment, cell: Cell, bench: Bench) -> None:
    arm, images = assessment.arms[cell.arm], assessment.tasks[cell.task]
    train, test = assessment.images(cell.task)
    rows = cell.amount.rows(train.labels.index, seed=cell.seed)
    began = time.monotonic()
    predicted, chosen = answers(cell, arm, images, rows, bench=bench)
    correct = predicted == test.labels.index
    facts = {
        "labels": len(rows),
        "accuracy": float(correct.mean()),
        "seconds": round(time.monotonic() - began, 3),
        "settings": chosen,
    }
    assessment.folder.finish(cell, predicted, facts)


def _cost(assessment: Assessment, cell: Cell) -> int:
    train, _ = assessment.images(cell.task)
    labels = train.labels.index[cell.amount.rows(train.labels.index, seed=cell.seed)]
    if cell.protocol in ("finetune", "scratch"):
        return views_in_all(labels, effort=assessment.plan.effort)
    return 1 + round(PROBE_COST * len(labels))


def _measure_whole(assessment: Assessment, task: str, arm: str, bench: Bench) -> None:
    """Measure what takes all labels, or none: clusters and retrieval."""
    seed = assessment.plan.seeds[0]
    for protocol, measured in (("clusters", cluster_agreement), ("retrieval", retrieval)):
        cell = Cell(task, arm, protocol, EVERYTHING, seed)
        if assessment.folder.record(cell) is None:
            bench.progress(f"{protocol} of {arm}", 0, 1)
            train, test = frozen(assessment.arms[arm], assessment.tasks[task], bench=bench)
            assessment.folder.note(cell, asdict(measured(train, test, seed=seed)))
            bench.progress(f"{protocol} of {arm}", 1, 1)


def _find_repeats(assessment: Assessment, task: str, bench: Bench) -> None:
    """Look for test images among the training images."""
    cell = Cell(task, "images", "repeats", EVERYTHING, assessment.plan.seeds[0])
    if assessment.folder.record(cell) is not None:
        return
    train, test = assessment.images(task)
    found = find_repeats(train, test, progress=bench.progress)
    pairs = [list(pair) for pair in found.pairs(train, test)]
    facts = found.to_json() | {"rows": found.rows.tolist(), "pairs": pairs}
    assessment.folder.note(cell, facts | {"sentence": found.sentence()})


def _probe_layers(assessment: Assessment, layers: EncodeLayers, bench: Bench) -> None:
    """Probe every layer on the images of the first task."""
    seed = assessment.plan.seeds[0]
    cell = Cell("main", "encoder", "layers", EVERYTHING, seed)
    if assessment.folder.record(cell) is None:
        train, test = assessment.images("main")
        found = probe_layers(layers, train, test, seed=seed, progress=bench.progress)
        assessment.folder.note(cell, {"layers": layers_to_json(found)})
