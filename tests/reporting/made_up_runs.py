"""Run directories made up for the tests: a whole one, whose parts a test then spoils."""

import json
import math
from pathlib import Path

import numpy as np

CLASSES = ["cat", "</script><b>dog</b>", 'bird "q"']
HOSTILE = ["<b>html</b>.jpg", "line\nbreak.jpg", "stray\udcff.jpg", "turn\u202egpj.exe", "'\"&.png"]


def whole_run(folder: Path, *, images: int = 60) -> Path:
    (folder / "figures").mkdir(parents=True)
    (folder / "settings.toml").write_text(
        'images = "photos/pets"\nmethod = "simclr"\nencoder = "resnet18"\nsize = 32\n'
        "epochs = 100.0\nseed = 3\n[method_settings]\ntemperature = 0.2\n"
    )
    (folder / "encoder.safetensors").write_bytes(b"")
    (folder / "skipped.tsv").write_text(
        "file\treason\n<i>a</i>.png\tcut short\nb\\n.png\tcut short\nc\\xff.gif\tnot an image\n"
    )
    (folder / "evidence.json").write_text(json.dumps(evidence()))
    write_records(folder, steps=80)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 16, 16), dtype=np.uint8)
    np.savez(folder / "figures" / "views.npz", views=pixels)
    labels = np.arange(images) % 3
    write_held_out(folder, labels=labels, features=clusters(labels))
    return folder


def evidence() -> dict:
    def cell(value: float) -> dict:
        return {"accuracy": value, "low": value - 0.012, "high": value + 0.013}

    return {
        "protocol": {"knn": {"k": 20}, "interval": "95 % percentile bootstrap"},
        "rows": [
            {"name": "encoder", "knn": cell(0.6123), "linear": cell(0.7438)},
            {"name": "untrained", "knn": cell(0.3304), "linear": cell(0.4612)},
            {"name": "pixels", "knn": cell(0.3388), "linear": cell(0.3961)},
        ],
        "train_images": 45000,
        "test_images": 5000,
        "classes": CLASSES,
        "verdict": {"word": "learned", "sentence": "Learned: it reads 74.4% of them."},
        "machine": {"torch": "2.14.0"},
        "seconds": 4330.0,
    }


def write_records(folder: Path, *, steps: int) -> None:
    lines = []
    for step in range(1, steps + 1):
        at = step / steps
        lines.append(
            {"kind": "step", "step": step, "progress": at, "loss": 5 - 2 * at, "lr": 0.1 * at,
             "seconds": 10 * at, "images": 8, "images_per_second": 90.0, "logs": {"<x>": at}}
        )  # fmt: skip
        if step % 20 == 0:
            lines.append(
                {"kind": "look", "step": step, "progress": at, "seconds": 10 * at, "loss": 5 - at,
                 "knows_nothing": 5.5, "loss_share": 0.4, "spread": 0.08, "spread_ideal": 0.0884,
                 "effective_rank": 20.0, "mean_cosine": 0.1, "knn": 0.5}
            )  # fmt: skip
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_held_out(folder: Path, *, labels: np.ndarray, features: np.ndarray) -> None:
    count = len(labels)
    names = CLASSES if (labels >= 0).any() else []
    np.savez(
        folder / "figures" / "held_out.npz",
        thumbs=np.random.default_rng(1).integers(0, 256, (count, 3, 20, 20), dtype=np.uint8),
        features=features.astype(np.float32),
        labels=labels.astype(np.int64),
        names=np.array(names, dtype=str),
        paths=np.array([HOSTILE[row % len(HOSTILE)] for row in range(count)]),
    )


def clusters(labels: np.ndarray, *, dim: int = 8) -> np.ndarray:
    draw = np.random.default_rng(2)
    return 4 * np.eye(3, dim)[labels] + draw.standard_normal((len(labels), dim)) / math.sqrt(dim)
