"""`selfsight diagnose`: from an encoder and a folder to one page and one JSON file."""

import json
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import selfsight
from selfsight.cli import main
from selfsight.data.images import ImageSet, Labels
from selfsight.diagnosis import asking, quality
from selfsight.diagnosis.measures import ALL
from selfsight.errors import UserError
from selfsight.examination import TESTS
from selfsight.nets.encoder import Encoder, build_encoder


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Return a folder of 48 images in two classes."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for number in range(48):
        place = folder / f"{number % 2}"
        place.mkdir(exist_ok=True)
        pixels = random.integers(100 * (number % 2), 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


def encoder() -> Encoder:
    torch.manual_seed(5)
    return build_encoder("convnet", image_size=8, mean=[0.5] * 3, std=[0.25] * 3)


@pytest.fixture(autouse=True)
def less_of_everything(monkeypatch):
    monkeypatch.setattr("selfsight.diagnosis.clusters.HALVINGS", 2)
    monkeypatch.setattr(asking, "small_network", partial(asking.small_network, steps=2))


def test_an_encoder_is_diagnosed_on_one_page_and_in_one_file(images, cache, tmp_path):
    found = selfsight.diagnose(encoder(), images, out=tmp_path / "d", cache=cache, quiet=True)
    content = json.loads((tmp_path / "d" / "diagnosis.json").read_text("utf-8"))
    page = (tmp_path / "d" / "report.html").read_text("utf-8")
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == [
        "diagnosis.json",
        "report.html",
    ]
    assert content == found.to_json()
    assert content["images"] | {"root": ""} == {
        "root": "",
        "images": 48,
        "labelled": 48,
        "classes": 2,
        "skipped": 0,
    }
    assert list(content["findings"]) == [*TESTS[:-1]]  # all but twins
    assert all(f'<section id="{name}">' in page for name in TESTS[:-1])
    assert found.finding("collapse").word == "none"
    rows = content["findings"]["quality"]["tables"]["measures"]["rows"]
    assert [row["name"] for row in rows] == [measure.name for measure in ALL]
    for row in rows:
        assert {"Range", "Called good", "Blind to", "Source"} <= set(row["facts"])
        assert set(row["cells"]) == {"encoder", "untrained", "pixels", "over untrained", "p"}
        assert row["name"] in page
    assert "SimCLR's" in content["findings"]["quality"]["protocol"]["views"]
    with pytest.raises(UserError, match="there are: collapse, quality, planted_cues"):
        found.finding("none")


def test_a_network_is_in_nothing_better_than_itself(images, cache, tmp_path, monkeypatch):
    monkeypatch.setattr("selfsight.examination.untrained", lambda network, seed: network)
    found = selfsight.diagnose(
        encoder(), images, out=tmp_path / "d", cache=cache, tests="quality", quiet=True
    )
    rows = found.finding("quality").tables[0].rows
    assert all(row.cells[-2].value == 0 for row in rows if np.isfinite(row.cells[0].value))
    assert "Better" not in found.finding("quality").sentence


def test_a_run_is_diagnosed_with_its_own_views(images, cache, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pacmap", None)  # slow to import
    monkeypatch.setattr(quality, "MEASURES", quality.MEASURES[:1])  # the rest is measured above
    monkeypatch.setattr(quality, "ALL", (*quality.MEASURES, quality.STABILITY))
    selfsight.train(
        images,
        out=tmp_path / "run",
        method="rotation",
        encoder="convnet",
        size=8,
        steps=1,
        batch=16,
        labels="none",
        cache=cache,
        quiet=True,
    )
    words = ["diagnose", str(tmp_path / "run"), str(images), "--out", str(tmp_path / "d")]
    words += ["--cache", cache, "--labels", "none", "--tests", "quality, views"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "Quality without labels: measured" in out
    assert f"report: {tmp_path / 'd' / 'report.html'}" in out
    content = json.loads((tmp_path / "d" / "diagnosis.json").read_text("utf-8"))
    views = content["findings"]["quality"]["protocol"]["views"]
    assert views == "those of the run's method, rotation"
    assert content["findings"]["views"]["word"] == "single views"


def test_without_labels_the_tests_that_need_them_say_so(images, cache, tmp_path):
    found = selfsight.diagnose(
        encoder(),
        images,
        out=tmp_path / "d",
        cache=cache,
        labels="none",
        tests="nuisances,stress,twins",
        quiet=True,
    )
    assert [one.word for one in found.findings] == ["no labels", "not measured", "not measured"]
    assert "labels of two or more classes" in found.finding("stress").sentence


def test_twins_are_trained_with_labels_and_without(images, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "LEAST_TWINS", 40)
    found = selfsight.diagnose(
        encoder(),
        images,
        out=tmp_path / "d",
        cache=cache,
        tests="stress",
        twin=True,
        twin_steps=2,
        quiet=True,
    )
    stress, twins = found.findings
    names = [row.name for row in twins.tables[0].rows]
    assert names == ["with labels", "without labels", "untrained"]
    assert [column.name for column in stress.tables[0].columns][-1] == "supervised"


def test_twins_of_a_few_images_are_not_trained_and_the_reason_is_told(images, cache, tmp_path):
    found = selfsight.diagnose(
        encoder(), images, out=tmp_path / "d", cache=cache, tests="twins", quiet=True
    )
    (twins,) = found.findings
    assert (
        twins.word == "not measured" and "have 48 images; this needs at least 100" in twins.sentence
    )


def test_many_small_classes_have_planted_cues_all_the_same():
    labels = np.repeat(np.arange(20), 9)
    pixels = np.zeros((180, 3, 8, 8), np.uint8)
    names = tuple(f"class {number:02}" for number in range(20))
    many = ImageSet(pixels, tuple(map(str, range(180))), Labels(names, labels), (), "made up")
    enough = asking._enough(many)
    assert len(enough) == 45 and len(enough.labels.names) == 5  # four classes have 36
    few = many.part(np.arange(30))
    assert len(asking._enough(few)) == 30


def test_other_pixels_under_the_same_names_are_not_mixed_in(images, cache, tmp_path, monkeypatch):
    copied, given = (
        tmp_path / "copied",
        {"cache": cache, "tests": "nuisances,stress", "quiet": True},
    )
    shutil.copytree(images, copied)
    with monkeypatch.context() as once:
        once.setattr("selfsight.examination.asking.stressed", _stop)
        with pytest.raises(KeyboardInterrupt):
            selfsight.diagnose(encoder(), copied, out=tmp_path / "d", **given)
    shutil.copy(copied / "1" / "1.png", copied / "0" / "0.png")
    with pytest.raises(UserError, match="begun with image names, labels and pixels"):
        selfsight.diagnose(encoder(), copied, out=tmp_path / "d", **given)


def test_a_stopped_diagnosis_goes_on_and_ends_alike(images, cache, tmp_path, monkeypatch):
    given = {"cache": cache, "tests": "nuisances,stress", "quiet": True}
    whole = selfsight.diagnose(encoder(), images, out=tmp_path / "whole", **given)

    out = tmp_path / "stopped"
    with monkeypatch.context() as once:
        once.setattr("selfsight.examination.asking.stressed", _stop)
        with pytest.raises(KeyboardInterrupt, match=r"1 of 2 tests.*the same command goes on"):
            selfsight.diagnose(encoder(), images, out=out, **given)
    assert not (out / "report.html").exists()
    for other in ({"seed": 1}, {"tests": "stress"}, {"labels": "none"}):
        with pytest.raises(UserError, match=r"was begun with .*choose another --out"):
            selfsight.diagnose(encoder(), images, out=out, **given | other)

    monkeypatch.setattr("selfsight.examination.asking.nuisances", _stop)  # done already
    monkeypatch.setattr("selfsight.examination.samples_of", _stop)  # no test left needs them
    found = selfsight.diagnose(encoder(), images, out=out, **given)
    assert found.to_json() == whole.to_json()
    pages = [(tmp_path / name / "report.html").read_text() for name in ("whole", "stopped")]
    assert pages[0] == pages[1]
    assert not (out / "parts").exists()


def _refused(*words: object, **given: object) -> str:
    with pytest.raises(UserError) as refused:
        selfsight.diagnose(*words, **given, quiet=True)  # type: ignore[arg-type]
    return str(refused.value)


def _stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_mistakes_are_one_line_and_leave_nothing(images, cache, tmp_path, capsys):
    out = tmp_path / "d"

    def said(*words: str) -> str:
        assert main(["diagnose", *words, "--out", str(out), "--cache", cache]) == 2
        assert not out.exists()
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    assert "does not exist" in said(str(tmp_path / "no"), str(images))
    (tmp_path / "empty").mkdir()
    assert "holds no run" in said(str(tmp_path / "empty"), str(images))
    nearest = said(str(tmp_path / "empty"), str(images), "--tests", "qualty")
    assert "did you mean 'quality'" in nearest
    assert "seed is -1" in said(str(tmp_path / "empty"), str(images), "--seed=-1")
    assert "there are: all" in said(str(tmp_path / "empty"), str(images), "--tests", "none,all")
    assert "lies in the image folder" in _refused(encoder(), images, out=images / "d", cache=cache)
    aimless = said(str(tmp_path / "empty"), str(images), "--twin-steps", "5")
    assert "twin_steps has no effect without twins" in aimless
    assert "no test is named" in said(str(tmp_path / "empty"), str(images), "--tests", ",")
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="other files"):
        selfsight.diagnose(encoder(), images, out=full, cache=cache, quiet=True)
