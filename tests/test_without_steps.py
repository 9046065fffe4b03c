"""A run without gradient steps: what it is called, what is shown of it, what it refuses."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import selfsight
from selfsight.assemble import demand_steps, precision_used
from selfsight.diagnosis.verdict import judge
from selfsight.errors import UserError
from selfsight.layered import run_layers
from selfsight.run import Run
from selfsight.settings import Settings, settings_from


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """Find and load a tenth of the patches, for speed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("selfsight.nets.patchnet.CLUSTERS", 40)
        patch.setattr("selfsight.beginning.PASSES", 1)
        patch.setattr("selfsight.engine._precision", lambda *_: "bf16")  # as on some machines
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("found") / "digits"
    folder.mkdir()
    for number, pixels in enumerate(load_digits().images[:100]):
        Image.fromarray((15 * pixels).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def run(images: Path) -> Run:
    return selfsight.train(
        images,
        out=images.parent / "run",
        encoder="patchnet",
        steps=0,
        size=8,
        labels="none",
        cache=images.parent / "cache",
        threads=1,
        device="cpu",
        quiet=True,
    )


def test_it_is_called_by_its_encoder_and_has_no_curves(run: Run) -> None:
    assert run.settings.taught_by == "patchnet"
    assert run.evidence["steps"] == 0
    assert run.evidence["machine"]["precision"] == "fp32"
    assert run.records("step") == run.records("look") == []
    assert run.verdict.endswith("No gradient step was taken, so no loss tells of progress.")
    page = (run.path / "report.html").read_text("utf-8")
    assert "<title>patchnet on digits" in page
    assert "no gradient steps" in page
    assert "followed by a pair of views" in page
    assert "simclr" not in page.split("<h2>Settings")[0].lower()
    assert "No steps were recorded" not in page
    assert run.encoder.notes["method"] == "patchnet"
    with np.load(run.path / "figures" / "views.npz") as views:
        assert views["views"].shape[1] == 3  # as stored, and a pair


def test_its_layers_end_with_the_encoder_because_no_head_was_trained(run: Run) -> None:
    pixels = np.zeros((2, 3, 8, 8), np.uint8)
    assert [*run_layers(run)(pixels)] == ["stage 1", "encoder"]


def test_its_diagnosis_is_by_the_views_it_was_found_from(
    run: Run, images: Path, tmp_path: Path
) -> None:
    found = selfsight.diagnose(
        run.path,
        images,
        out=tmp_path / "d",
        tests="views",
        labels="none",
        cache=str(images.parent / "cache"),
        device="cpu",
        quiet=True,
    )
    assert found.finding("views").word != "single views"
    content = json.loads((tmp_path / "d" / "diagnosis.json").read_text("utf-8"))
    assert "simclr" not in json.dumps(content).lower()
    assert "<title>patchnet" in (tmp_path / "d" / "report.html").read_text("utf-8")


def test_weights_that_are_no_numbers_are_a_verdict_without_a_loss() -> None:
    found = judge(finite=False, collapse="", look={}, rows={}, gain=(0.0, 0.0))
    assert found.word == "diverged"
    assert "loss" not in found.sentence


def test_no_advice_to_train_longer_where_nothing_is_trained() -> None:
    rows = {"encoder": 0.6, "untrained": 0.5, "pixels": 0.7}
    said = {
        bool(look): judge(finite=True, collapse="", look=look, rows=rows, gain=(0.05, 0.15))
        for look in ({}, {"loss_share": 0.5})
    }
    assert said[True].sentence.endswith("still as good: train longer.")
    assert said[False].sentence.endswith("still as good.")


@pytest.mark.parametrize(
    ("given", "own", "named"),
    [
        ({"method": "vicreg"}, {}, "method"),
        ({"lr": 0.1}, {}, "lr"),
        ({"accumulate": 2}, {}, "accumulate"),
        ({"batch": 64}, {}, "batch"),
        ({"looks": 3}, {}, "looks"),
        ({"precision": "bf16"}, {}, "precision"),
        ({}, {"hidden": 64}, "hidden"),
    ],
)
def test_what_needs_steps_is_refused_without_them(
    given: dict[str, object], own: dict[str, object], named: str
) -> None:
    settings = Settings(encoder="patchnet", steps=0, **given)
    with pytest.raises(UserError, match=f"{named} has no effect without gradient steps"):
        demand_steps(settings, own)
    demand_steps(replace(settings, steps=5), own)


def test_networks_that_learn_in_steps_are_not_given_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="steps is 0, and resnet18 learns in steps only"):
        selfsight.train("digits", out=tmp_path / "r", steps=0, size=8, quiet=True)
    assert not (tmp_path / "r").exists()


def test_only_steps_are_in_half_precision() -> None:
    assert precision_used(Settings(encoder="patchnet", steps=0), "bf16") == "fp32"
    assert precision_used(Settings(encoder="patchnet", steps=5), "bf16") == "bf16"


def test_a_beginning_made_again_that_takes_all_the_minutes_leaves_a_run_without_steps(
    images: Path,
) -> None:
    words = {"encoder": "patchnet", "minutes": 0.001, "size": 8, "labels": "none", "batch": 64}
    words |= {"device": "cpu", "threads": 1, "cache": str(images.parent / "cache")}
    out = images.parent / "again"  # as if killed before its first checkpoint
    Run.create(out, images=str(images), settings=settings_from(words), method_settings={})
    run = selfsight.train(images, out=out, resume=True, quiet=True, **words)
    assert (run.settings.minutes, run.settings.steps) == (None, 0)
    assert Run.open(out).settings.taught_by == "patchnet"
    assert run.records("step") == []
    assert "<title>patchnet on digits" in (out / "report.html").read_text("utf-8")
