"""Runs that nobody trained: directories with the files that a finished run leaves."""

import json
from pathlib import Path
from zlib import crc32

import numpy as np

from selfsight.evaluation.evidence import Evidence
from selfsight.evaluation.interval import Interval
from selfsight.evaluation.rows import LinearScore, Row, Score
from selfsight.run import Run
from selfsight.settings import Settings

IMAGES = 400  # test images of a made-up run


def row(name: str, accuracy: float, *, seed: int, salt: int) -> Row:
    random = np.random.default_rng([seed, salt])
    right = np.zeros(IMAGES, dtype=bool)
    right[random.permutation(IMAGES)[: round(accuracy * IMAGES)]] = True
    correct = "".join("1" if one else "0" for one in right)
    interval = Interval(float(right.mean()), accuracy - 0.04, accuracy + 0.04)
    return Row(
        name=name, dim=8, train_images=50, test_images=IMAGES, neighbours=20, majority=0.1,
        seed=seed, knn=Score(interval, accuracy, correct),
        linear=LinearScore(interval, accuracy, correct, 1.0, ((1.0, accuracy),), True),
    )  # fmt: skip


def made_up_run(
    folder: Path, settings: Settings, *, accuracy: float | None, word: str = "learned"
) -> Run:
    """Write a run whose linear probe reads `accuracy` right, or that has no evidence."""
    run = Run.create(folder, images="photos", settings=settings, method_settings={})
    content: dict = {}
    if accuracy is not None:
        rows = [
            row(name, value, seed=settings.seed, salt=crc32(f"{settings.method} {name}".encode()))
            for name, value in (("encoder", accuracy), ("untrained", 0.3), ("pixels", 0.25))
        ]
        content = Evidence.of(rows, classes=["a", "b"]).to_json()
    content |= {
        "verdict": {"word": word, "sentence": f"{word.capitalize()}: made up <b>."},
        "seconds": 60.0,
        "steps": 10,
    }
    run.write_text("evidence.json", json.dumps(content))
    run.append(
        {"kind": "look", "step": step, "seconds": 6.0 * step, "progress": step / 10,
         "knn": None if step == 1 else 0.1 + 0.03 * step}
        for step in (1, 5, 10)
    )  # fmt: skip
    run.write_text("report.html", "whole")
    return run
