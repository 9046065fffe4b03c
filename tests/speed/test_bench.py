"""`selfsight bench` names the bottleneck, and says what follows from it."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import selfsight
from selfsight.cli import main
from selfsight.errors import UserError
from selfsight.settings import Settings
from selfsight.speed.bench import Bench, Once

FOUND = Bench(
    plan="simclr with resnet18",
    device="cpu",
    precision="fp32",
    threads=2,
    cores=2,
    images=1000,
    files=2000,
    batch=100,
    seconds=0.5,
    shares={"model": 0.8, "views": 0.15, "reading": 0.03, "update": 0.015, "other": 0.005},
    steps=1000,
    passes=100.0,
    memory=2**30,
    free=2**32,
    store=2**20,
    once=Once(reading=500.0, decoding=100.0, processes=2, file=2048.0),
)


def found(**shares: float) -> Bench:
    return replace(FOUND, shares=FOUND.shares | shares)


@pytest.fixture
def images(tmp_path) -> Path:
    draws = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(40):
        pixels = draws.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{number}.png")
    (tmp_path / "images/broken.png").write_bytes(b"not an image")
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("bench", "bound", "advice"),
    [
        (FOUND, "model", "a smaller --encoder"),
        (replace(FOUND, threads=1), "model", "end the programs that keep 1 of 2 cores busy"),
        (replace(FOUND, device="cuda"), "model", "--precision bf16"),
        (found(views=0.9, model=0.05), "views", "smaller or fewer views"),
        (found(reading=0.9, model=0.05), "reading", "put --cache on a faster disk"),
        (replace(found(reading=0.9), free=2**19), "reading", "do not fit into the free memory"),
        (found(update=0.9), "update", "a larger --batch"),
        (replace(FOUND, steps=10), "decoding", "--cache keeps it"),
        (replace(FOUND, beginning=600.0), "beginning", "an accelerator"),
        (replace(FOUND, beginning=400.0), "model", "a smaller --encoder"),
        (replace(FOUND, steps=10, once=Once(50.0, 100.0, 2, 1.0)), "disk", "faster disk"),
    ],
)
def test_what_takes_longest_bounds_the_run(bench: Bench, bound: str, advice: str) -> None:
    assert bench.bound == bound
    assert advice in bench.advice
    assert bench.lines()[-1].startswith(f"what bounds it: {bound} (")


def test_times_follow_from_rates() -> None:
    assert FOUND.preparing == 20.0  # 2,000 files at 100 images/s: held-out ones are decoded too
    assert FOUND.training == 500.0
    text = "\n".join(FOUND.lines())
    assert "decoding 2,000 images takes about 20 s" in text
    assert "training takes about 8 min: 1,000 steps, 100 passes over 1,000 images" in text
    assert "memory: 1.0 GiB at most; 4.0 GiB are free" in text
    assert [line.split()[1] for line in FOUND.lines() if line.startswith("model")] == ["250"]


def test_a_folder_is_measured_by_a_sample_and_left_as_it_was(images, tmp_path, capsys) -> None:
    before = sorted(tmp_path.rglob("*"))
    words = ["--method=byol", "--encoder=convnet", "--size=16", "--batch=8", "--epochs=3"]
    words += ["--set", "hidden=16", "--threads=1", "--device=cpu", "--seconds=1"]
    words += [f"--json={tmp_path / 'bench.json'}"]
    assert main(["bench", str(images), *words]) == 0
    out = capsys.readouterr().out
    content = json.loads((tmp_path / "bench.json").read_text())
    assert set(content["shares"]) == {"reading", "views", "model", "update", "other"}
    assert sum(content["shares"].values()) == pytest.approx(1)
    assert content["images"] == 37  # of 41 files a tenth is held out
    assert content["steps"] == 14  # 3 passes in batches of 8
    assert content["once"]["decoding"] > 0
    assert f"what bounds it: {content['bound']}" in out
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "bench.json"])


def test_a_named_set_has_no_files_to_read(tmp_path) -> None:
    settings = Settings(
        encoder="convnet",
        size=8,
        batch=8,
        minutes=1.0,
        threads=1,
        device="cpu",
        cache=str(tmp_path),
    )
    found = selfsight.bench("digits", settings=settings, seconds=1.0, quiet=True)
    assert found.once is None
    assert found.preparing == 0
    assert found.steps * found.seconds == pytest.approx(60, rel=0.5)
    assert not any(line.startswith(("disk", "decoding")) for line in found.lines())


def test_mistakes_are_said_before_anything_is_measured(images, tmp_path) -> None:
    with pytest.raises(UserError, match="seconds is 0"):
        selfsight.bench(images, seconds=0.0)
    with pytest.raises(UserError, match="seconds is inf"):
        selfsight.bench(images, seconds=math.inf)
    with pytest.raises(UserError, match="there is no folder"):
        selfsight.bench(tmp_path / "absent", settings=Settings(threads=1, device="cpu"), quiet=True)
    with pytest.raises(UserError, match="cannot write"):
        selfsight.bench(images, json_file=tmp_path / "absent" / "a.json")
