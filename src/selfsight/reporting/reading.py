"""The files of a run directory, as far as they are there.

A run may have been stopped at any moment, so every file may be missing, and a broken one is told of
(`unread`) instead of failing the report.
"""

import json
import math
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int, UInt8

Content = TypeVar("Content")
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out images with their features; class -1 means unlabelled."""

    thumbs: UInt8[np.ndarray, "images 3 side side"]
    features: Float[np.ndarray, "images dim"]
    labels: Int[np.ndarray, "images"]
    names: tuple[str, ...]
    paths: tuple[str, ...]

    def name_of(self, row: int) -> str:
        """Return the class of an image, or "" if it has none."""
        label = int(self.labels[row])
        if label < 0:
            return ""
        return self.names[label] if label < len(self.names) else f"class {label}"


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What a run directory holds. Empty or None stands for a file that is missing or broken."""

    path: Path
    settings: dict[str, Any]
    steps: list[dict[str, Any]]
    looks: list[dict[str, Any]]
    skipped: list[tuple[str, str]]
    evidence: dict[str, Any]
    views: UInt8[np.ndarray, "images columns 3 side side"] | None
    held_out: HeldOut | None
    has_encoder: bool
    unread: tuple[str, ...]  # files that are there but cannot be read, with the reason


def read_run(path: Path) -> RunFiles:
    """Return the content of a run directory; what is missing or broken is empty."""
    unread: list[str] = []

    def content(name: str, read: Callable[[Path], Content], empty: Content) -> Content:
        if not (path / name).is_file():
            return empty
        try:
            return read(path / name)
        except _BROKEN as error:
            unread.append(f"{name} ({type(error).__name__}: {error})")
            return empty

    no_records: list[dict[str, Any]] = []
    records = content("records.jsonl", _read_records, no_records)
    no_views: UInt8[np.ndarray, "images columns 3 side side"] | None = None
    no_images: HeldOut | None = None
    return RunFiles(
        path=path,
        settings=content("settings.toml", _read_toml, {}),
        steps=[record for record in records if record.get("kind") == "step"],
        looks=[record for record in records if record.get("kind") == "look"],
        skipped=content("skipped.tsv", _read_skipped, []),
        evidence=content("evidence.json", _read_evidence, {}),
        views=content("figures/views.npz", _read_views, no_views),
        held_out=content("figures/held_out.npz", _read_held_out, no_images),
        has_encoder=(path / "encoder.safetensors").is_file(),
        unread=tuple(unread),
    )


def column(records: list[dict[str, Any]], name: str) -> Float[np.ndarray, "records"]:
    """Return one field of all records; missing, null and non-numeric values are NaN."""
    return np.array([number(record.get(name)) for record in records], dtype=np.float64)


def number(value: object) -> float:
    """Return a value from a file as a number; anything that is none is NaN."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else math.nan  # type: ignore[arg-type]


def _read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))


def _read_evidence(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def _read_records(path: Path) -> list[dict[str, Any]]:
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue  # the line that was being written when the process was killed
        if isinstance(record, dict):
            records.append(record)
    return records


def _read_skipped(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")[1:]
    pairs = (line.partition("\t") for line in lines if line)
    return [(file, reason) for file, _, reason in pairs]


def _read_views(path: Path) -> UInt8[np.ndarray, "images columns 3 side side"] | None:
    with np.load(path) as arrays:
        views: np.ndarray[Any, np.dtype[np.uint8]] = arrays["views"]
    if views.ndim != 5 or views.shape[2] != 3 or views.dtype != np.uint8:
        raise ValueError(f"views are {views.dtype} of shape {views.shape}")
    return views if len(views) else None


def _read_held_out(path: Path) -> HeldOut | None:
    with np.load(path) as arrays:
        thumbs, features = arrays["thumbs"], arrays["features"].astype(np.float32)
        labels = arrays["labels"].astype(np.int64)
        names, paths = (tuple(map(str, arrays[key])) for key in ("names", "paths"))
    if thumbs.ndim != 4 or thumbs.shape[1] != 3 or thumbs.dtype != np.uint8 or features.ndim != 2:
        raise ValueError(f"thumbs of shape {thumbs.shape}, features of shape {features.shape}")
    if not len(thumbs) == len(features) == len(labels) == len(paths):
        raise ValueError("thumbs, features, labels and paths differ in number")
    return HeldOut(thumbs, features, labels, names, paths) if len(thumbs) else None
