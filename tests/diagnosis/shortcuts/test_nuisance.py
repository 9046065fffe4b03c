"""Leaks in real folders are found and named; clean folders raise no alarm."""

from pathlib import Path

import numpy as np
import pytest
from benched import bench
from PIL import Image

from selfsight.data.images import ImageSet, Labels, open_images
from selfsight.diagnosis.shortcuts.bins import binned
from selfsight.diagnosis.shortcuts.nuisance import Labelled, Nuisance, measure_nuisances
from selfsight.diagnosis.shortcuts.nuisance_finding import leaks, nuisance_finding
from selfsight.diagnosis.shortcuts.shown import shown
from selfsight.diagnosis.shortcuts.traits import Trait, traits_of

CLASSES = ("cat", "dog", "owl")


def folder(place: Path, *, leak: str) -> ImageSet:
    """Write 240 images of noise in three classes; the size or the mode may tell the class."""
    rng = np.random.default_rng(0)
    for number in range(180):
        name = CLASSES[number % 3]
        side = int(rng.integers(16, 30)) + (14 * (number % 3) if leak == "size" else 0)
        picture = Image.fromarray(rng.integers(0, 256, (side, 24, 3), dtype=np.uint8))
        if leak == "mode" and name == "owl":
            picture = picture.convert("L")
        (place / "images" / name).mkdir(parents=True, exist_ok=True)
        picture.save(place / "images" / name / f"{rng.integers(10**9)}.png")
    return open_images(str(place / "images"), size=16, cache=place / "cache")


def asked(images: ImageSet, seed: int = 0) -> list[Nuisance]:
    order = np.random.default_rng(seed).permutation(len(images))
    features = shown(bench().filters, images, what="")[:, ::8].copy()  # few, to be quick
    return measure_nuisances(
        traits_of(images),
        features,
        features[:, ::-1].copy(),
        labels=Labelled(images.labels.index, images.labels.names),
        training=np.sort(order[: len(order) // 2]),
        test=np.sort(order[len(order) // 2 :]),
        seed=seed,
    )


def test_where_a_trait_never_varies_within_a_class_nothing_is_said_of_what_features_show() -> None:
    labels = np.repeat(np.arange(60), 2)  # two images a class: one to fit on, one to read
    trait = Trait("width", labels % 4 + np.linspace(0, 0.1, 120), "file")
    found = measure_nuisances(
        [trait], np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32),
        np.zeros((120, 4), np.float32), labels=Labelled(labels, tuple(map(str, range(60)))),
        training=np.arange(0, 120, 2), test=np.arange(1, 120, 2), seed=0,
    )  # fmt: skip
    assert found[0].leak is not None and found[0].shown is None
    mixed = measure_nuisances(
        [trait], np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32),
        np.zeros((120, 4), np.float32), labels=Labelled(labels // 30, ("a", "b")),
        training=np.arange(0, 120, 2), test=np.arange(1, 120, 2), seed=0,
    )  # fmt: skip
    assert mixed[0].shown is not None


def test_an_image_size_that_tells_the_class_is_named_in_a_sentence(tmp_path: Path) -> None:
    found = asked(folder(tmp_path, leak="size"))
    names = [one.trait.name for one in leaks(found)]
    assert {"height", "aspect", "file size"} <= set(names)
    assert "width" not in names and "mode" not in names
    finding = nuisance_finding(found)
    assert finding.word == "leak" and finding.tone == "bad"
    assert "tells the class: from it alone" in finding.sentence and "p = 0.0" in finding.sentence
    assert "source folder" in finding.sentence and "the label itself" in finding.sentence
    assert "corrected for" in finding.sentence
    told = finding.to_json()["tables"]["leaks"]["rows"]
    assert {row["name"] for row in told if row["tone"] == "bad"} <= set(names)


def test_a_greyscale_mode_that_tells_the_class_is_found(tmp_path: Path) -> None:
    found = asked(folder(tmp_path, leak="mode"))
    names = [one.trait.name for one in leaks(found)]
    assert "mode" in names and "hue" in names and "height" not in names
    told = next(one for one in found if one.trait.name == "mode")
    assert told.leak is not None and told.leak.classes == ("owl",)
    assert told.leak.reading.accuracy.value == pytest.approx(2 / 3, abs=0.02)


def test_a_clean_folder_raises_no_alarm(tmp_path: Path) -> None:
    finding = nuisance_finding(asked(folder(tmp_path, leak="none")))
    assert finding.word == "no leak found" and finding.tone == "good"
    assert "None of" in finding.sentence


def test_class_folders_in_folders_of_splits_are_the_label_itself() -> None:
    label = np.arange(80) % 2
    folders = tuple(f"{('train', 'val')[row % 4 // 2]}/{CLASSES[row % 2]}" for row in range(80))
    (found,) = measure_nuisances(
        [Trait("source folder", folders, "file")],
        *2 * (np.zeros((80, 2), dtype=np.float32),),
        labels=Labelled(label, CLASSES[:2]),
        training=np.arange(40),
        test=np.arange(40, 80),
        seed=0,
    )
    assert found.why_not == "the label itself"


def test_what_features_show_is_asked_within_classes() -> None:
    """Features that are the class tell a trait of the class, and that is no news."""
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=400)
    trait = Trait("width", (label + 0.5 * rng.random(400)).astype(np.float64), "file")
    features = np.eye(3, dtype=np.float32)[label]
    rows = np.arange(400)
    (found,) = measure_nuisances(
        [trait],
        features,
        rng.normal(size=(400, 3)).astype(np.float32),
        labels=Labelled(label, CLASSES),
        training=rows[:200],
        test=rows[200:],
        seed=0,
    )
    assert found.shown is not None and found.leak is not None
    assert found.shown.encoder.accuracy.value > 0.6 and found.shown.p > 0.05
    assert found.shown.gain.low > 0 and found.leak.p < 0.01


def test_without_labels_only_what_features_show_is_measured() -> None:
    images = bench().forms(3, images=200)
    bare = ImageSet(images.pixels, images.paths, Labels((), np.full(200, -1)), (), "forms")
    found = asked(bare)
    assert all(one.leak is None for one in found)
    brightness = next(one for one in found if one.trait.name == "brightness")
    assert brightness.shown is not None and brightness.shown.p < 0.05
    assert nuisance_finding(found).word == "no labels"


def test_bins_are_made_on_the_training_part_and_rare_kinds_are_put_together() -> None:
    training = np.arange(200) < 100
    numbers = Trait("size", np.arange(200, dtype=np.float64), "file")
    found = binned(numbers, training=training, most=4)
    assert len(found.names) == 4 and np.bincount(found.kinds[:100]).tolist() == [25] * 4
    assert set(found.kinds[100:].tolist()) == {found.kinds[99]}
    words = Trait("mode", tuple(["RGB"] * 80 + ["L"] * 8 + ["1"] * 12 + [""] * 100), "file")
    kinds = binned(words, training=training, most=4)
    assert kinds.names == ("RGB", "1") and kinds.kinds[80] == -1
    same = Trait("format", ("PNG",) * 200, "file")
    assert not binned(same, training=training, most=4).varies
    missing = Trait("quality", np.where(np.arange(200) % 2, np.nan, 75.0), "file")
    assert set(binned(missing, training=training, most=4).names) == {"none", "75"}


def test_pixel_traits_are_those_of_the_pixels() -> None:
    flat = np.zeros((3, 3, 16, 16), dtype=np.uint8)
    flat[0, 0], flat[1, 1], flat[2] = 200, 200, 90
    flat[2, :, ::2] = 110
    images = ImageSet(flat, ("a", "b", "c"), Labels((), np.full(3, -1)), (), "digits")
    found = {trait.name: trait.values for trait in traits_of(images)}
    assert found["hue"] == ("red", "green", "grey")
    assert found["brightness"][2] == pytest.approx(100 / 255)
    assert found["sharpness"][2] > found["sharpness"][0] == 0
