"""The charts of an assessment: accuracy against the number of labels, and accuracy by layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from selfsight.reporting.axes import steps_along
from selfsight.reporting.charts import Level, Series, line_chart
from selfsight.reporting.curves import Figure
from selfsight.reporting.frame import TONES
from selfsight.reporting.reading import number

# Words that fit at the end of a line, and a colour that an arm keeps in every chart.
SHORT = {
    ("encoder", "linear"): "frozen",
    ("encoder", "knn"): "frozen",
    ("encoder", "finetune"): "fine-tuned",
    ("scratch", "scratch"): "from scratch",
}
KEPT = (("encoder", "linear"), ("scratch", "scratch"), ("encoder", "finetune"))


def label_curves(task: Mapping[str, Any]) -> list[Figure]:
    """Return accuracy against labels: by trained classifiers and, if measured, by neighbours."""
    figures = []
    for protocol, title in (("linear", "By the linear probe and by training"), ("knn", "By kNN")):
        rows = [
            row
            for row in task["rows"]
            if row["protocol"] in (protocol, "scratch")
            or (protocol == "linear" and row["protocol"] == "finetune")
        ]
        if any(row["protocol"] == protocol for row in rows) or (protocol == "linear" and rows):
            figures.append(Figure(title, _against_labels(rows, task), ""))
    return figures


def layer_chart(layers: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the accuracy of the linear probe at every depth, with its intervals."""
    values = np.array([number(layer["accuracy"]["value"]) for layer in layers])
    highs = np.array([number(layer["accuracy"]["high"]) for layer in layers])
    return line_chart(
        [
            Series(
                "",
                np.arange(len(layers), dtype=np.float64),
                values,
                "t0",
                dots=True,
                reach=highs - values,
            )
        ],
        about="Linear probe accuracy by layer, from the pixels to the end of the head",
        shares=True,
        along=steps_along([layer["name"] for layer in layers], name="layer"),
        wide=True,
    )


def _against_labels(rows: Sequence[Mapping[str, Any]], task: Mapping[str, Any]) -> Markup:
    labels = [str(amount["labels"]) for amount in task["amounts"]]
    lines = [
        Series(
            _short(row),
            np.arange(len(labels), dtype=np.float64),
            np.array([number(point["mean"]) for point in row["points"]]),
            tone,
            dots=True,
            reach=np.array([number(point["deviation"]) for point in row["points"]]),
        )
        for row, tone in zip(rows, _tones(rows), strict=True)
    ]
    return line_chart(
        lines,
        levels=[Level("majority", number(task["majority"]))],
        about="Accuracy on test images against the number of labels",
        shares=True,
        along=steps_along(labels, name="labels"),
        wide=True,
    )


def _short(row: Mapping[str, Any]) -> str:
    way = (row["arm"], row["protocol"])
    if way in SHORT:
        return SHORT[way]
    return f"{row['arm']}, tuned" if row["protocol"] == "finetune" else str(row["arm"])


def _tones(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return a colour for each row; the encoder's and that of training from scratch are fixed."""
    own = {("encoder", "knn"): TONES[0]} | dict(zip(KEPT, TONES, strict=False))
    others = iter([*TONES[len(KEPT) :], *["rest"] * len(rows)])
    return [own.get((row["arm"], row["protocol"])) or next(others) for row in rows]
