"""The directory of an assessment: what was asked, the labels drawn, features, cells, predictions.

    EVAL/plan.json            what was asked for, and of what weights and images
    EVAL/subsets/*.csv        the labelled images of every amount and seed: path,label
    EVAL/features/*.npy       the frozen features of every arm, computed once
    EVAL/records.jsonl        one line for every finished cell
    EVAL/predictions/*.npy    what each cell answered for the test images
    EVAL/evidence.json, EVAL/report.html

A cell is finished when its line is written, after its predictions. The same command goes on from
there; another plan, other weights or other images are refused, because cells would not compare.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from selfsight.assessment.plan import Cell
from selfsight.data.images import ImageSet
from selfsight.errors import reaching
from selfsight.kept import same_plan
from selfsight.nets.encoder import Encoder
from selfsight.places import vacant

PLAN = "plan.json"


class Folder:
    """An assessment on disk."""

    def __init__(self, path: Path, *, plan: Mapping[str, Any]) -> None:
        """Open the directory, or make it. Raises UserError if it holds something else."""
        self.path = path
        asked = json.loads(json.dumps(plan))  # tuples become lists, as in the file
        if (path / PLAN).is_file():
            same_plan(json.loads((path / PLAN).read_text("utf-8")), asked, path=path)
        else:
            vacant(path)
            with reaching(path, to="write"):
                path.mkdir(parents=True, exist_ok=True)
            self.write(PLAN, json.dumps(asked, indent=1) + "\n")
        with reaching(path, to="write"):
            for name in ("subsets", "features", "predictions"):
                (path / name).mkdir(exist_ok=True)
        self._done = {_key(record): record for record in self._read()}

    def write(self, name: str, text: str) -> Path:
        """Write a file in one move and return its path. Raises UserError where it cannot be."""
        with reaching(self.path, to="write"):
            partial = self.path / f"{name}.part"
            partial.write_text(text, encoding="utf-8", errors="surrogateescape")
            partial.replace(self.path / name)
        return self.path / name

    def keep_subset(self, name: str, images: ImageSet) -> None:
        """Write the paths and labels of some images as a table: `--labels` takes it.

        Beside it `--test-labels` says where the labels of the test images are.
        """
        target = f"subsets/{name}.csv"
        if (self.path / target).is_file():
            return
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["path", "label"])
        names = images.labels.names
        for path, label in zip(images.paths, images.labels.index.tolist(), strict=True):
            table.writerow([path, names[label]])
        self.write(target, text.getvalue())

    def features(self, name: str) -> Float32[np.ndarray, "images dim"] | None:
        """Return features that were kept, or None."""
        try:
            found: Float32[np.ndarray, "images dim"] = np.load(self._features(name), mmap_mode="r")
        except FileNotFoundError:
            return None
        return found

    def keep_features(self, name: str, features: Float32[np.ndarray, "images dim"]) -> None:
        """Keep features under a name."""
        self._save(self._features(name), features)

    def record(self, cell: Cell) -> dict[str, Any] | None:
        """Return the line of a finished cell, or None."""
        return self._done.get(cell.key)

    def predictions(self, cell: Cell) -> Int64[np.ndarray, "images"]:
        """Return what a finished cell answered for each labelled test image."""
        found: Int64[np.ndarray, "images"] = np.load(self._predictions(cell)).astype(np.int64)
        return found

    def finish(
        self, cell: Cell, predictions: Int64[np.ndarray, "images"], facts: Mapping[str, Any]
    ) -> None:
        """Keep the predictions of a cell, then its line."""
        self._save(self._predictions(cell), predictions.astype(np.int32))
        self.note(cell, facts)

    def note(self, cell: Cell, facts: Mapping[str, Any]) -> None:
        """Write the line of a cell: from now on it is finished."""
        names = ("task", "arm", "protocol", "amount", "seed")
        line = dict(zip(names, cell.key, strict=True)) | dict(facts)
        with (
            reaching(self.path, to="write"),
            (self.path / "records.jsonl").open("a", encoding="utf-8") as file,
        ):
            file.write(json.dumps(line) + "\n")
        self._done[cell.key] = line

    def _read(self) -> list[dict[str, Any]]:
        path = self.path / "records.jsonl"
        if not path.is_file():
            return []
        content = path.read_text("utf-8")
        whole, _, torn = content.rpartition("\n")
        if torn:  # the line that was being written when the process was killed
            self.write("records.jsonl", whole + "\n" if whole else "")
        return [json.loads(line) for line in whole.splitlines() if line]

    def _features(self, name: str) -> Path:
        return self.path / "features" / f"{_plain(name)}.npy"

    def _predictions(self, cell: Cell) -> Path:
        return self.path / "predictions" / f"{_plain('-'.join(map(str, cell.key)))}.npy"

    def _save(self, path: Path, values: np.ndarray) -> None:
        partial = path.with_suffix(".part")
        with reaching(self.path, to="write"):
            with partial.open("wb") as file:
                np.save(file, values)
            partial.replace(path)


def fingerprint(encoder: Encoder) -> str:
    """Return a short text that tells these weights from others."""
    found = hashlib.sha256(json.dumps(encoder.config, sort_keys=True).encode())
    for name, values in sorted(encoder.state_dict().items()):
        found.update(name.encode())
        found.update(values.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def _key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(record[name] for name in ("task", "arm", "protocol", "amount", "seed"))


def _plain(name: str) -> str:
    """Return a name that is a file's name everywhere, and unlike that of any other."""
    kept = "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in name)
    mark = "" if kept == name else "-" + hashlib.sha256(name.encode()).hexdigest()[:6]
    return kept.replace(os.sep, "_") + mark
