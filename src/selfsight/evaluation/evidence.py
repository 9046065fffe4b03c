"""The evidence for an encoder: the same measurements on it, on its untrained twin, on raw pixels.

A number stands here with its protocol, with the interval that the choice of test images leaves, and
beside what costs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from selfsight.errors import UserError
from selfsight.evaluation import protocols
from selfsight.evaluation.interval import LEVEL, RESAMPLES, Interval, difference_interval
from selfsight.evaluation.logistic import MAX_STEPS
from selfsight.evaluation.rows import Row, hits, measure, row_from_json, row_to_json

__all__ = ["Difference", "Evidence", "measure"]


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more of the test images `first` reads right than `second`, in [-1, 1]; paired."""

    first: str
    second: str
    knn: Interval
    linear: Interval


@dataclass(frozen=True, slots=True)
class Evidence:
    """Rows measured on the same images, with the protocol."""

    rows: tuple[Row, ...]
    classes: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[Row], *, classes: Sequence[str]) -> "Evidence":
        """Return the evidence made of rows; classes are the names of the class numbers."""
        assert rows
        assert len({(row.train_images, row.test_images, row.seed) for row in rows}) == 1
        return cls(tuple(rows), tuple(classes))

    def row(self, name: str) -> Row:
        """Return the row of that name. Raises UserError if there is none."""
        for row in self.rows:
            if row.name == name:
                return row
        known = ", ".join(row.name for row in self.rows)
        raise UserError(f"the evidence has no row {name!r}; there are: {known}")

    def difference(self, first: str, second: str) -> Difference:
        """Return how much more of the test images row `first` reads right than row `second`."""
        one, other = self.row(first), self.row(second)
        knn, linear = (
            difference_interval(hits(a), hits(b), seed=one.seed)
            for a, b in ((one.knn, other.knn), (one.linear, other.linear))
        )
        return Difference(first, second, knn, linear)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Return how much the first row is ahead of each other row."""
        first, *others = self.rows
        return tuple(self.difference(first.name, other.name) for other in others)

    @property
    def protocol(self) -> dict[str, Any]:
        """Return how the numbers were measured, as texts and numbers by name."""
        row = self.rows[0]
        return {
            "split": f"fitted on {row.train_images} labelled training images, read once on "
            f"{row.test_images} labelled test images; every setting was chosen on training labels",
            "feature": protocols.FEATURE
            + (
                "; row head: after its head" if any(row.name == "head" for row in self.rows) else ""
            ),
            "pixels": protocols.PIXELS,
            "knn": protocols.KNN
            | {
                "neighbours": row.neighbours,
                "bank": f"all {row.train_images} labelled training images",
            },
            "linear": {"model": "multinomial logistic regression on all labelled training images"}
            | protocols.LINEAR,
            "interval": f"{LEVEL:.0%} percentile bootstrap over test images, {RESAMPLES} "
            "resamples; differences are paired; the spread over training runs is not in it",
            "balanced accuracy": "mean over classes of the share read right",
            "seed": row.seed,
        }

    def table(self) -> list[str]:
        """Return the evidence as lines of text: accuracies in per cent, differences in points."""
        first = self.rows[0]
        title = f"{first.test_images} test images"
        lines = [f"{title:<22}{'linear probe':<24}{'balanced':<12}{'kNN':<24}balanced"]
        for row in self.rows:
            cells = [f"{row.name:<22}"]
            for score in (row.linear, row.knn):
                cells += [f"{_share(score.accuracy):<24}", f"{100 * score.balanced:<12.1f}"]
            lines.append("".join(cells).rstrip())
        lines.append(f"{'majority class':<22}{100 * first.majority:5.1f} %")
        for found in self.differences:
            label = f"over {found.second}"
            lines.append(f"{label:<22}{_points(found.linear):<36}{_points(found.knn)}")
        lines += [
            f"The linear probe of {row.name} had not converged after {MAX_STEPS} steps."
            for row in self.rows
            if not row.linear.converged
        ]
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the content of evidence.json, of plain JSON values."""
        first = self.rows[0]
        return {
            "protocol": self.protocol,
            "rows": [row_to_json(row) for row in self.rows],
            "differences": [
                {
                    "first": found.first,
                    "second": found.second,
                    "knn": asdict(found.knn),
                    "linear": asdict(found.linear),
                }
                for found in self.differences
            ],
            "majority": first.majority,
            "train_images": first.train_images,
            "test_images": first.test_images,
            "classes": list(self.classes),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Evidence":
        """Return what `to_json` wrote; further keys are ignored.

        Raises UserError if rows or classes are missing or incomplete.
        """
        try:
            rows = [row_from_json(row, content) for row in content["rows"]]
            return cls.of(rows, classes=content["classes"])
        except KeyError as missing:
            raise UserError(f"the evidence (evidence.json) has no {missing}") from missing


def _share(interval: Interval) -> str:
    value, low, high = (100 * end for end in (interval.value, interval.low, interval.high))
    return f"{value:5.1f} % ({low:.1f} to {high:.1f})"


def _points(interval: Interval) -> str:
    value, low, high = (100 * end for end in (interval.value, interval.low, interval.high))
    return f"{value:+5.1f}   ({low:+.1f} to {high:+.1f})"
