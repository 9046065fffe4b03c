"""One row of the evidence: kNN and linear probe of one kind of features, with their intervals.

Which images of the test part were read right is kept, so that any two rows can be compared in
pairs: their difference is far surer than either accuracy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from selfsight.evaluation.embed import Embeddings
from selfsight.evaluation.interval import Interval, accuracy_interval
from selfsight.evaluation.knn import NEIGHBOURS, TEMPERATURE, knn_predict, neighbours_used
from selfsight.evaluation.linear import linear_probe


@dataclass(frozen=True, slots=True)
class Score:
    """How one classifier did on the test part."""

    accuracy: Interval  # in [0, 1]
    balanced: float  # mean over the classes of the test part of the share read right
    correct: str  # one letter per labelled test image: 1 where it was read right, else 0


@dataclass(frozen=True, slots=True)
class LinearScore(Score):
    """How the linear probe did, and how it was set."""

    regularisation: float
    sweep: tuple[tuple[float, float], ...]  # (strength, accuracy on held-back training labels)
    converged: bool


@dataclass(frozen=True, slots=True)
class Row:
    """All that was measured on one kind of features."""

    name: str  # "encoder", "untrained" or "pixels", or any other
    dim: int
    train_images: int  # with a label
    test_images: int  # with a label
    neighbours: int
    majority: float  # accuracy of always answering the commonest class of the training part
    seed: int
    knn: Score
    linear: LinearScore


def measure(name: str, train: Embeddings, test: Embeddings, *, seed: int) -> Row:
    """Return kNN and linear probe of features, fitted on `train` and read once on `test`.

    Rows without a label are left out. The seed decides which training labels choose the probe's
    strength, and the resamples. Raises UserError if a part has no label, if features are not
    finite, or if the training labels name fewer than two classes.
    """
    train, test = train.labelled(), test.labelled()
    knn = knn_predict(train, test, k=NEIGHBOURS, temperature=TEMPERATURE)
    linear = linear_probe(train, test, seed=seed)
    commonest = int(np.bincount(train.labels).argmax())
    return Row(
        name=name,
        dim=train.features.shape[1],
        train_images=len(train),
        test_images=len(test),
        neighbours=neighbours_used(train, k=NEIGHBOURS),
        majority=float((test.labels == commonest).mean()),
        seed=seed,
        knn=Score(*_scored(knn, test.labels, seed=seed)),
        linear=LinearScore(
            *_scored(linear.predicted, test.labels, seed=seed),
            linear.regularisation,
            linear.sweep,
            linear.converged,
        ),
    )


def hits(score: Score) -> Bool[np.ndarray, "images"]:
    """Return whether each labelled test image was read right."""
    right: Bool[np.ndarray, "images"] = np.array(list(score.correct)) == "1"
    return right


def row_to_json(row: Row) -> dict[str, Any]:
    """Return a row as plain JSON values; the numbers that all rows share are left to the whole."""
    linear = row.linear
    return {
        "name": row.name,
        "dim": row.dim,
        "neighbours": row.neighbours,
        "seed": row.seed,
        "knn": _score_to_json(row.knn),
        "linear": _score_to_json(linear)
        | {
            "regularisation": linear.regularisation,
            "sweep": [list(pair) for pair in linear.sweep],
            "converged": linear.converged,
        },
    }


def row_from_json(row: Mapping[str, Any], whole: Mapping[str, Any]) -> Row:
    """Return the row that `row_to_json` wrote; `whole` holds what all rows share."""
    linear = row["linear"]
    return Row(
        name=row["name"],
        dim=row["dim"],
        train_images=whole["train_images"],
        test_images=whole["test_images"],
        neighbours=row["neighbours"],
        majority=whole["majority"],
        seed=row["seed"],
        knn=Score(*_score_from_json(row["knn"])),
        linear=LinearScore(
            *_score_from_json(linear),
            linear["regularisation"],
            tuple((strength, accuracy) for strength, accuracy in linear["sweep"]),
            linear["converged"],
        ),
    )


def _scored(
    predicted: Int64[np.ndarray, "images"], labels: Int64[np.ndarray, "images"], *, seed: int
) -> tuple[Interval, float, str]:
    correct = predicted == labels
    recalls = [correct[labels == label].mean() for label in np.unique(labels)]
    letters = "".join("1" if right else "0" for right in correct)
    return accuracy_interval(correct, seed=seed), float(np.mean(recalls)), letters


def _score_to_json(score: Score) -> dict[str, Any]:
    found = score.accuracy
    return {
        "accuracy": found.value,
        "low": found.low,
        "high": found.high,
        "balanced": score.balanced,
        "correct": score.correct,
    }


def _score_from_json(score: Mapping[str, Any]) -> tuple[Interval, float, str]:
    interval = Interval(score["accuracy"], score["low"], score["high"])
    return interval, score["balanced"], score["correct"]
