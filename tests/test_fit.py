"""Whole runs on disk: what is written, what survives a kill, and that labels stay outside."""

import errno
import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import selfsight
from selfsight import keeper
from selfsight.errors import Interrupted, UserError
from selfsight.run import Run

QUICK = {"encoder": "convnet", "size": 16, "batch": 32, "threads": 1, "precision": "fp32"}


@pytest.fixture(autouse=True, scope="module")
def no_slow_map():
    """Keep numba's seconds out of every report: the map is tested with the report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pacmap", None)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return 96 images of two classes, stripes across and stripes down."""
    root = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for name, axis in (("across", 0), ("down", 1)):
        (root / name).mkdir()
        for number in range(48):
            wave = np.sin(np.arange(20) * random.uniform(0.6, 1.2) + random.uniform(0, 6))
            stripes = np.expand_dims(wave, 1 - axis) * random.uniform(0.5, 1, (1, 1))
            grey = np.broadcast_to(stripes, (20, 20)) * 100 + 128 + random.normal(0, 8, (20, 20))
            Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def finished(folder, cache, tmp_path_factory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    return selfsight.train(folder, out=out, steps=8, cache=cache, quiet=True, **QUICK)


@pytest.fixture(scope="module")
def unlabelled(folder, cache, tmp_path_factory) -> Run:
    """Return the same run over again, but for the labels."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return selfsight.train(
        folder, out=out, steps=8, labels="none", cache=cache, quiet=True, **QUICK
    )


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.path / "encoder.safetensors")


def assert_same_weights(one: Run, other: Run) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_run_leaves_an_encoder_evidence_and_a_report(finished) -> None:
    assert {path.name for path in finished.path.iterdir()} == {
        "checkpoints",
        "encoder.safetensors",
        "evidence.json",
        "figures",
        "records.jsonl",
        "report.html",
        "settings.toml",
        "skipped.tsv",
    }
    assert [row["name"] for row in finished.evidence["rows"]] == ["encoder", "untrained", "pixels"]
    said = finished.verdict.split(": ", 1)[1]  # the report shows the word before it as a title
    assert said[1:] in (finished.path / "report.html").read_text("utf-8")
    assert finished.encoder.encode(torch.zeros(2, 3, 16, 16)).shape == (2, 256)


def test_records_hold_every_step_and_the_looks(finished) -> None:
    assert [record["step"] for record in finished.records("step")] == list(range(1, 9))
    looks = finished.records("look")
    assert [look["step"] for look in looks] == [1, 6, 8]  # five steps apart, and the last
    assert looks[-1]["progress"] == 1.0
    assert 0 <= looks[-1]["knn"] <= 1
    assert looks[-1]["spread_ideal"] == pytest.approx(128**-0.5)
    for look in looks:
        nothing, perfect = look["knows_nothing"], look["perfect"]
        share = (nothing - look["loss"]) / (nothing - perfect)
        assert look["loss_share"] == pytest.approx(share)
        assert nothing == pytest.approx(np.log(2 * 32 - 1), abs=0.2)


def test_neighbours_are_asked_within_their_share_of_the_time(
    folder, cache, tmp_path, monkeypatch
) -> None:
    """A step takes a second, a look a fifth of one, and a second more with neighbours."""
    clock, asked = [0.0], []
    make, record = keeper.looker, keeper.Keeper.record

    def slow_looker(*given, **named):
        look = make(*given, **named)

        def slowly(method, at, loss, neighbours):
            clock[0] += 1.2 if neighbours else 0.2
            asked.extend([at.step] if neighbours else [])
            return look(method, at, loss, neighbours)

        return slowly

    def slow_record(self, at) -> None:
        clock[0] += 1.0
        record(self, at)

    monkeypatch.setattr(keeper, "looker", slow_looker)
    monkeypatch.setattr(keeper.Keeper, "record", slow_record)
    monkeypatch.setattr(keeper, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    given = QUICK | {"cache": cache, "quiet": True}
    run = selfsight.train(folder, out=tmp_path / "run", steps=120, **given)
    assert asked == [48, 84, 120]  # 3 in 100 seconds, and at the end
    assert [look["step"] for look in run.records("look") if look["knn"] is not None] == asked


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    unlabelled, finished, folder, cache, tmp_path
) -> None:
    assert_same_weights(finished, unlabelled)
    other = selfsight.train(
        folder,
        out=tmp_path / "b",
        steps=8,
        seed=1,
        labels="none",
        cache=cache,
        quiet=True,
        **QUICK,
    )
    assert not torch.equal(
        *(run["network.blocks.0.0.weight"] for run in (weights(finished), weights(other)))
    )


def test_labels_change_no_weight(unlabelled, finished, folder, cache, tmp_path) -> None:
    shuffled = tmp_path / "labels.csv"
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    random = np.random.default_rng(5)
    rows = [f"{name},{random.integers(7)}\n" for name in names]
    shuffled.write_text("path,label\n" + "".join(rows))
    other = selfsight.train(
        folder, out=tmp_path / "run", steps=8, labels=shuffled, cache=cache, quiet=True, **QUICK
    )
    assert len(other.evidence["classes"]) == 7
    for run in (unlabelled, other):
        assert_same_weights(finished, run)


def test_without_labels_the_verdict_says_so(unlabelled) -> None:
    assert unlabelled.evidence["verdict"]["word"] == "unmeasured"
    assert "no labels" in unlabelled.verdict


def command(folder: Path, out: Path, cache: str, *more: str) -> list[str]:
    words = [f"--{name}={value}" for name, value in QUICK.items()]
    start = "import sys; sys.modules['pacmap'] = None; from selfsight.__main__ import main; main()"
    return [
        *(sys.executable, "-c", start, "train", str(folder), "--out", str(out)),
        *("--cache", cache, *words, *more),
    ]


def wait_for_steps(run: Path, count: int, process: subprocess.Popen) -> None:
    records = run / "records.jsonl"
    while process.poll() is None:
        if records.exists() and records.read_text().count('"kind": "step"') >= count:
            return
        time.sleep(0.02)


def test_a_killed_and_resumed_run_is_the_run(folder, cache, tmp_path) -> None:
    often = {"steps": 40, "checkpoint_minutes": 0.002, "looks": 4, "labels": "none"}
    given = {"cache": cache, "quiet": True, **often, **QUICK}
    whole = selfsight.train(folder, out=tmp_path / "whole", **given)
    broken = tmp_path / "broken"
    words = [f"--{name.replace('_', '-')}={value}" for name, value in often.items()]
    process = subprocess.Popen(
        command(folder, broken, cache, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for_steps(broken, 5, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (broken / "encoder.safetensors").exists()
    resumed = selfsight.train(folder, out=broken, resume=True, **given)
    assert_same_weights(whole, resumed)
    for kind, fields in (("step", ("step", "loss")), ("look", ("step", "loss", "spread"))):
        one, other = (
            [[record[field] for field in fields] for record in run.records(kind)]
            for run in (whole, resumed)
        )
        assert one == other, kind


def test_ctrl_c_saves_and_says_how_to_go_on(folder, cache, tmp_path) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(
        command(folder, out, cache, "--steps=100000"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )
    wait_for_steps(out, 3, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "continue with the same command and --resume" in err
    assert "Traceback" not in err
    assert list((out / "checkpoints").glob("step-*.pt"))


def test_resuming_with_other_settings_is_refused(finished, folder, cache) -> None:
    (finished.path / "report.html").rename(finished.path / "report.away")
    try:
        with pytest.raises(UserError, match="begun with batch 32, not 64"):
            selfsight.train(folder, out=finished.path, resume=True, batch=64, cache=cache)
    finally:
        (finished.path / "report.away").rename(finished.path / "report.html")


def test_a_finished_run_is_not_resumed(finished, folder) -> None:
    with pytest.raises(UserError, match="has ended"):
        selfsight.train(folder, out=finished.path, resume=True)


def test_resuming_over_other_images_is_refused(folder, cache, tmp_path) -> None:
    copied = tmp_path / "images"
    for path in folder.rglob("*.png"):
        target = copied / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    out = tmp_path / "run"
    selfsight.train(copied, out=out, steps=2, cache=cache, quiet=True, **QUICK)
    (out / "report.html").unlink()
    next(copied.rglob("*.png")).unlink()
    with pytest.raises(UserError, match="not those that the run"):
        selfsight.train(copied, out=out, resume=True, cache=cache, quiet=True)


def test_a_checkpoint_of_another_version_is_refused(folder, cache, tmp_path) -> None:
    out = tmp_path / "run"
    run = selfsight.train(folder, out=out, steps=2, cache=cache, quiet=True, **QUICK)
    (out / "report.html").unlink()
    saved = run.latest_checkpoint()
    saved["method"]["encoder.network.of_another_version"] = torch.zeros(1)
    run.save_checkpoint(2, saved)
    before = {path.name for path in out.iterdir()}
    with pytest.raises(UserError, match="another version of selfsight has written it"):
        selfsight.train(folder, out=out, steps=2, cache=cache, resume=True, quiet=True, **QUICK)
    assert {path.name for path in out.iterdir()} == before


def test_a_diverged_run_is_called_diverged_and_not_exported(folder, cache, tmp_path) -> None:
    run = selfsight.train(
        folder,
        out=tmp_path / "run",
        steps=50,
        optimiser="sgd",
        lr=1e30,
        warm_up=0.0,
        cache=cache,
        quiet=True,
        **QUICK,
    )
    assert run.evidence["verdict"]["word"] == "diverged"
    assert not (run.path / "encoder.safetensors").exists()
    steps = run.records("step")
    (run.path / "report.html").unlink()  # as if killed while the end was written
    again = selfsight.train(
        folder,
        out=run.path,
        steps=50,
        optimiser="sgd",
        lr=1e30,
        warm_up=0.0,
        cache=cache,
        resume=True,
        quiet=True,
        **QUICK,
    )
    assert again.records("step") == steps  # not one step more
    assert again.evidence["verdict"]["word"] == "diverged"


def test_a_run_whose_last_update_breaks_its_weights_has_diverged_too(
    folder, cache, tmp_path
) -> None:
    run = selfsight.train(
        folder,
        out=tmp_path / "run",
        steps=1,
        optimiser="sgd",
        lr=1e30,
        warm_up=0.0,
        weight_decay=1e30,
        cache=cache,
        quiet=True,
        **QUICK,
    )
    assert math.isfinite(run.records("step")[-1]["loss"])  # of the weights before the update
    assert run.evidence["verdict"]["word"] == "diverged"
    with pytest.raises(UserError, match="has diverged: it has no encoder"):
        run.encoder  # noqa: B018
    assert (run.path / "report.html").is_file()


def test_the_same_command_goes_on_where_the_batch_was_fitted_and_numbers_are_spelt_anew(
    folder, cache, tmp_path
) -> None:
    given = QUICK | {"steps": 1, "cache": cache, "quiet": True, "batch": 512}
    out = tmp_path / "run"
    run = selfsight.train(folder, out=out, method_settings={"temperature": "0.20"}, **given)
    assert run.settings.batch == 64  # of the 86 images
    (out / "report.html").unlink()  # as if killed while the end was written
    with pytest.raises(UserError, match="begun with batch 64, not 32"):
        selfsight.train(folder, out=out, resume=True, **given | {"batch": 32})
    with pytest.raises(UserError, match=r"not begun with temperature 0\.3"):
        selfsight.train(
            folder, out=out, resume=True, method_settings={"temperature": ".3"}, **given
        )
    again = selfsight.train(
        folder, out=out, resume=True, method_settings={"temperature": "2e-1"}, **given
    )
    assert again.settings == run.settings
    assert (out / "report.html").is_file()


def test_a_relative_held_out_folder_is_found_from_elsewhere(
    folder, cache, tmp_path, monkeypatch
) -> None:
    held_out = tmp_path / "here" / "held"
    shutil.copytree(folder, held_out)
    monkeypatch.chdir(tmp_path / "here")
    given = QUICK | {"steps": 1, "cache": cache, "quiet": True}
    run = selfsight.train(folder, out="run", held_out="held", **given)
    assert run.settings.held_out == str(held_out)
    run = Run.open(tmp_path / "here" / "run")
    (run.path / "report.html").unlink()
    monkeypatch.chdir(tmp_path)
    selfsight.train(folder, out=run.path, held_out="here/held", resume=True, **given)
    assert (run.path / "report.html").is_file()


def test_the_cache_never_comes_into_the_held_out_folder(folder, tmp_path) -> None:
    held_out = tmp_path / "held"
    shutil.copytree(folder, held_out)
    files = sorted(held_out.rglob("*"))
    with pytest.raises(UserError, match="lies inside the image folder"):
        selfsight.train(
            folder, out=held_out / "run", held_out=held_out, steps=1, quiet=True, **QUICK
        )
    assert sorted(held_out.rglob("*")) == files


def test_speed_is_that_of_all_processes(folder, cache, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(keeper, "world_size", lambda: 3)
    run = selfsight.train(folder, out=tmp_path / "run", steps=2, cache=cache, quiet=True, **QUICK)
    assert [record["images"] for record in run.records("step")] == [3 * 32] * 2


def test_broken_files_are_listed_with_their_reason(cache, tmp_path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(1)
    for number in range(40):
        Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(
            folder / f"{number}.png"
        )
    (folder / "tab\there.jpg").write_bytes(b"nothing")
    run = selfsight.train(folder, out=tmp_path / "run", steps=1, cache=cache, quiet=True, **QUICK)
    header, line = (run.path / "skipped.tsv").read_text().splitlines()
    assert header == "file\treason"
    assert line.startswith("tab\\there.jpg\t")


@pytest.mark.usefixtures("finished")  # the images are stored already: the run's disk is full
def test_after_a_full_disk_and_after_ctrl_c_the_run_can_go_on(
    folder, cache, tmp_path, monkeypatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="No space left on device; mend that and continue"):
            selfsight.train(folder, out=out, steps=2, cache=cache, quiet=True, **QUICK)
    assert not list(out.rglob("*part"))

    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("selfsight.fit.conclude", press)
        with pytest.raises(Interrupted, match="continue with the same command and --resume"):
            selfsight.train(folder, out=out, steps=2, cache=cache, resume=True, quiet=True, **QUICK)
    selfsight.train(folder, out=out, steps=2, cache=cache, resume=True, quiet=True, **QUICK)
    assert Run.open(out).verdict


def test_a_queue_longer_than_the_data_is_refused_and_nothing_is_left(
    folder, cache, tmp_path
) -> None:
    out = tmp_path / "run"
    with pytest.raises(UserError, match="queue is 4000; it must be at most 86, the training"):
        selfsight.train(
            folder,
            out=out,
            method="moco",
            steps=1,
            cache=cache,
            quiet=True,
            method_settings={"queue": 4000},
            **QUICK,
        )
    assert not out.exists()


def test_grey_images_cannot_be_coloured_and_nothing_is_left(folder, cache, tmp_path) -> None:
    out = tmp_path / "run"
    with pytest.raises(UserError, match="all images are grey; use another method"):
        selfsight.train(
            folder, out=out, method="colourisation", steps=1, cache=cache, quiet=True, **QUICK
        )
    assert not out.exists()


def test_a_mistake_that_the_first_step_finds_leaves_nothing(cache, tmp_path) -> None:
    faint = tmp_path / "faint"
    faint.mkdir()
    random = np.random.default_rng(2)
    for number in range(40):
        pixels = np.repeat(random.integers(0, 250, (16, 16, 1), dtype=np.uint8), 3, axis=2)
        pixels[..., 0] += 1  # a colour, but none that anyone would see
        Image.fromarray(pixels).save(faint / f"{number}.png")
    out = tmp_path / "run"
    with pytest.raises(UserError, match="the first images are all grey; use another method"):
        selfsight.train(
            faint, out=out, method="colourisation", steps=1, cache=cache, quiet=True, **QUICK
        )
    assert not out.exists()


def test_a_head_is_measured_beside_the_encoder_if_asked_for(folder, cache, tmp_path) -> None:
    run = selfsight.train(
        folder,
        out=tmp_path / "run",
        steps=1,
        cache=cache,
        quiet=True,
        method_settings={"measure_head": True},
        **QUICK,
    )
    names = [row["name"] for row in run.evidence["rows"]]
    assert names == ["encoder", "untrained", "pixels", "head"]
    assert [found["second"] for found in run.evidence["differences"]] == names[1:]
    assert "row head: after it" in run.evidence["protocol"]["feature"]
    assert "Projection head" in (run.path / "report.html").read_text("utf-8")


def test_a_time_budget_ends_the_run_and_the_schedule_follows_it(
    folder, cache, tmp_path, monkeypatch
) -> None:
    ticks = itertools.count()
    monkeypatch.setattr("selfsight.budget.now", lambda: 10.0 * next(ticks))  # ten seconds a glance
    run = selfsight.train(
        folder, out=tmp_path / "r", minutes=1.0, labels="none", cache=cache, quiet=True, **QUICK
    )
    records = run.records("step")
    assert [record["progress"] for record in records] == pytest.approx(
        [2 / 6, 3 / 6, 4 / 6, 5 / 6, 1]
    )
    rates = [record["lr"] / records[0]["lr"] for record in records]
    peak = 1 + math.cos(math.pi * (1 / 6 - 0.05) / 0.95)
    assert rates == pytest.approx(
        [(1 + math.cos(math.pi * (k / 6 - 0.05) / 0.95)) / peak for k in range(1, 6)]
    )


def test_evaluate_embed_and_export_take_the_run(finished, folder, cache, tmp_path) -> None:
    unseen = tmp_path / "unseen"
    for number in (0, 1):
        for name in ("across", "down"):
            (unseen / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / name / f"{number}.png", unseen / name)
    evidence = selfsight.evaluate(
        finished.path,
        train=folder,
        test=unseen,
        cache=cache,
        json_file=tmp_path / "out.json",
        quiet=True,
    )
    assert json.loads((tmp_path / "out.json").read_text()) == evidence.to_json()
    table = selfsight.embed(
        finished.path, folder, out=tmp_path / "features.npz", cache=cache, quiet=True
    )
    with np.load(table) as features:
        assert features["features"].shape == (96, 256)
        assert set(features["labels"]) == {"across", "down"}
    written = selfsight.export(finished.path, to="safetensors", out=tmp_path / "e.safetensors")
    assert torch.equal(
        selfsight.load(written[0]).network.blocks[0][0].weight,
        finished.encoder.network.blocks[0][0].weight,
    )


def test_evaluate_and_embed_compute_where_they_are_told(finished, folder, cache, tmp_path) -> None:
    given = {"cache": cache, "quiet": True, "device": "warp"}
    with pytest.raises(UserError, match="device 'warp' cannot be used here"):
        selfsight.evaluate(finished.path, train=folder, test=folder, **given)
    with pytest.raises(UserError, match="device 'warp' cannot be used here"):
        selfsight.embed(finished.path, folder, out=tmp_path / "features.npz", **given)
    assert not (tmp_path / "features.npz").exists()
