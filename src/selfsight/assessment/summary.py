"""From cells to evidence: means with spread, paired differences, classes, and the closing sentence.

Everything in evidence.json is derived from the lines and the predictions in the directory.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from selfsight import __version__
from selfsight.assessment.classes import balanced, confusion, recalls
from selfsight.assessment.closing import closing, main_protocol
from selfsight.assessment.contrasts import SCRATCH, Contrast, Way, contrasts, overtaking, title
from selfsight.assessment.opening import Assessment
from selfsight.assessment.plan import Amount, Cell
from selfsight.assessment.stated import stated
from selfsight.evaluation.difference import Measured, accuracy_over

Predicted = dict[Way, list[Int64[np.ndarray, "seeds images"]]]


def summary(assessment: Assessment) -> dict[str, Any]:
    """Return the content of evidence.json, of plain JSON values.

    It is of the amounts of labels that are finished, one at least, and names the others.
    """
    plan = assessment.plan
    finished = {name: assessment.finished(name) for name in assessment.tasks}
    tasks = [_task(assessment, name, amounts) for name, amounts in finished.items() if amounts]
    content = {
        "kind": "assessment",
        "selfsight": __version__,
        "encoder": plan.encoder,
        "arms": {name: arm.about for name, arm in assessment.arms.items()},
        "seeds": list(plan.seeds),
        "unfinished": [
            f"{amount.name}" if name == "main" else f"{amount.name} ({name})"
            for name, amounts in assessment.amounts.items()
            for amount in amounts
            if amount not in finished[name]
        ],
        "sentence": tasks[0]["sentence"],
        "tasks": tasks,
        "layers": _noted(assessment, "main", "encoder", "layers").get("layers", []),
        "protocol": stated(assessment),
    }
    return plain(content)  # type: ignore[no-any-return]


def _task(assessment: Assessment, task: str, amounts: Sequence[Amount]) -> dict[str, Any]:
    train, test = assessment.images(task)
    truth = test.labels.index
    predicted = _predicted(assessment, task, amounts)
    correct: dict[Way, list[Bool[np.ndarray, "seeds images"]]] = {
        way: [answer == truth for answer in answers] for way, answers in predicted.items()
    }
    labels = [_labels(assessment, task, amount) for amount in amounts]
    found = contrasts(correct, labels)
    protocol, seeds = main_protocol(assessment.plan.protocols), len(assessment.plan.seeds)
    sentence = closing(found, protocol=protocol, seeds=seeds)
    repeats = _noted(assessment, task, "images", "repeats")
    fresh = np.delete(np.arange(len(test)), repeats["rows"])
    fresh_sentence = ""
    if 0 < len(fresh) < len(test):
        without = {way: [each[:, fresh] for each in answers] for way, answers in correct.items()}
        fresh_sentence = closing(contrasts(without, labels), protocol=protocol, seeds=seeds)
    ways = [way for way in (("encoder", protocol), SCRATCH) if way in predicted]
    counts = np.bincount(train.labels.index, minlength=len(train.labels.names))
    return {
        "name": task,
        "train": assessment.tasks[task].task.train,
        "test": assessment.tasks[task].task.test,
        "train_images": len(train),
        "test_images": len(test),
        "classes": list(train.labels.names),
        "majority": float((truth == counts.argmax()).mean()),
        "amounts": [
            {"name": amount.name, "labels": number}
            for amount, number in zip(amounts, labels, strict=True)
        ],
        "rows": [
            _row(assessment, task, way, dict(zip(amounts, answers, strict=True)), truth)
            | {"without_repeats": float(correct[way][-1][:, fresh].mean()) if len(fresh) else None}
            for way, answers in predicted.items()
        ],
        "differences": [_difference(one) for one in found],
        "sentence": sentence + _without(repeats, sentence, fresh_sentence),
        "confusions": [
            {"way": title(way), "labels": labels[-1]}
            | confusion(predicted[way][-1], truth, train.labels.names)
            for way in ways
        ],
        "by_class": [
            {
                "class": train.labels.names[label],
                "train": int(counts[label]),
                "test": int((truth == label).sum()),
            }
            | {title(way): recalls(predicted[way][-1], truth)[label] for way in ways}
            for label in map(int, np.unique(truth))
        ],
        "unsupervised": [
            {"arm": name}
            | {kind: _noted(assessment, task, name, kind) for kind in ("clusters", "retrieval")}
            for name, arm in assessment.arms.items()
            if arm.encode is not None
        ],
        "repeats": {
            name: value for name, value in repeats.items() if name not in ("rows", "settings")
        },
    }


def _without(repeats: Mapping[str, Any], sentence: str, fresh: str) -> str:
    """Return what to add where the sentence opens otherwise without images that repeat."""
    if not fresh or fresh.partition(":")[0] == sentence.partition(":")[0]:
        return ""
    found = len(repeats["rows"])
    which = f"{found:,} test images that have" if found > 1 else "test image that has"
    return (
        f" Without the {which} a near copy among the training images: {fresh[0].lower()}{fresh[1:]}"
    )


def _predicted(assessment: Assessment, task: str, amounts: Sequence[Amount]) -> Predicted:
    """Return the answers of every way: by amount, one row a seed."""
    cells = [cell for cell in assessment.cells if cell.task == task]
    ways = dict.fromkeys((cell.arm, cell.protocol) for cell in cells)
    return {
        way: [
            np.stack(
                [
                    assessment.folder.predictions(Cell(task, *way, amount, seed))
                    for seed in assessment.plan.seeds
                ]
            )
            for amount in amounts
        ]
        for way in ways
    }


def _row(
    assessment: Assessment,
    task: str,
    way: Way,
    answers: Mapping[Amount, Int64[np.ndarray, "seeds images"]],
    truth: Int64[np.ndarray, "images"],
) -> dict[str, Any]:
    points = []
    for amount, predicted in answers.items():
        cells = [Cell(task, *way, amount, seed) for seed in assessment.plan.seeds]
        records = [assessment.folder.record(cell) or {} for cell in cells]
        shares = balanced(predicted, truth)
        points.append(
            _measured(accuracy_over(predicted == truth))
            | {
                "by_seed": [float(share) for share in (predicted == truth).mean(axis=1)],
                "balanced": float(np.mean(shares)),
                "settings": [record["settings"] for record in records],
                "seconds": [record["seconds"] for record in records],
            }
        )
    return {"arm": way[0], "protocol": way[1], "title": title(way), "points": points}


def _difference(found: Contrast) -> dict[str, Any]:
    lead = overtaking(found)
    content: dict[str, Any] = {
        "first": title(found.first),
        "second": title(found.second),
        "points": [_measured(point) for point in found.points],
    }
    if found.second == SCRATCH:
        content["overtaken"] = lead and {
            "labels": lead[0],
            "surely": lead[1],
            "from the first": all(point.mean < 0 for point in found.points),
        }
    return content


def _labels(assessment: Assessment, task: str, amount: Amount) -> int:
    """Return the number of labels; it is the same for all seeds."""
    train, _ = assessment.images(task)
    return len(amount.rows(train.labels.index, seed=assessment.plan.seeds[0]))


def _measured(found: Measured) -> dict[str, float]:
    return asdict(found)


def _noted(assessment: Assessment, task: str, arm: str, kind: str) -> dict[str, Any]:
    """Return what was measured of a whole task, without the names of its cell."""
    cell = Cell(task, arm, kind, Amount(None, 1.0), assessment.plan.seeds[0])
    record = assessment.folder.record(cell) or {}
    names = ("task", "arm", "protocol", "amount", "seed")
    return {name: value for name, value in record.items() if name not in names}


def plain(value: Any) -> Any:
    """Return JSON values with null for numbers that are not finite."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
