"""Twins: who relies more is said when it is so, and not said when it is not."""

from functools import partial

import numpy as np
import pytest
from benched import bench

from selfsight.data.images import ImageSet
from selfsight.diagnosis.shortcuts.cues import Cue
from selfsight.diagnosis.shortcuts.twin import Learn, measure_twins, planted
from selfsight.diagnosis.shortcuts.twin_finding import twin_finding
from selfsight.evaluation.embed import Encode

IMAGES = bench().forms(9, images=300)
TRAIN, TEST = IMAGES.part(np.arange(150)), IMAGES.part(np.arange(150, 300))
TINT = Cue("tint", 4, strength=0.5)


def learner(*, grey: bool, seen: list[ImageSet]) -> Learn:
    def learn(images: ImageSet, seed: int) -> Encode:
        seen.append(images)
        return partial(bench().filters, seed=seed, grey=grey)

    return learn


def test_who_sees_the_cue_relies_more_and_is_named() -> None:
    seen: list[ImageSet] = []
    twins = measure_twins(
        {
            "with labels": learner(grey=False, seen=seen),
            "without labels": learner(grey=True, seen=seen),
        },
        TINT,
        train=TRAIN,
        test=TEST,
        agreement=1.0,
        seeds=(0,),
    )
    assert twins.difference.low > 0.1  # chance taken off
    assert (seen[0].pixels[:] == seen[1].pixels[:]).all()  # both learn from the same pixels
    assert (seen[0].labels.index == TRAIN.labels.index).all()
    finding = twin_finding(twins)
    assert finding.word == "with labels more, here"
    assert "trained with labels followed, of these two, more often the cue" in finding.sentence
    assert "another may differ" in finding.sentence
    assert [row.name for row in finding.tables[0].rows] == ["with labels", "without labels"]


def test_alike_twins_are_not_told_apart_and_seeds_make_the_interval() -> None:
    seen: list[ImageSet] = []
    alike = learner(grey=True, seen=seen)
    twins = measure_twins(
        {"with labels": alike, "without labels": alike},
        TINT,
        train=TRAIN,
        test=TEST,
        agreement=0.9,
        seeds=(0, 1, 2),
    )
    assert twins.seeds == 3 and len(twins.twins[0].reliances) == 3
    assert twins.difference.value == 0
    finding = twin_finding(twins)
    assert finding.word == "no difference" and "Neither network surely" in finding.sentence
    assert "Over 3 seeds" in finding.sentence
    assert (seen[0].pixels[:] != seen[2].pixels[:]).any()  # another seed, other exceptions


def test_who_only_errs_more_often_does_not_rely_more() -> None:
    def poor(pixels: np.ndarray) -> np.ndarray:  # four grey pixels of noise: no class and no tint
        return pixels[:, :, :2, :2].mean(axis=1).reshape(len(pixels), -1).astype(np.float32)

    def good(pixels: np.ndarray) -> np.ndarray:  # where pixels stand out, whatever their colour
        return bench().eyes(pixels)[:, 3:].astype(np.float32)

    twins = measure_twins(
        {"with labels": lambda *_: good, "without labels": lambda *_: poor},
        TINT,
        train=TRAIN,
        test=TEST,
        agreement=1.0,
        seeds=(0,),
    )
    able, unable = (twin.reliances[0] for twin in twins.twins)
    assert able.p > 0.05 and unable.p > 0.05
    assert unable.follow.value > able.follow.value + 0.1  # by mistake
    assert twins.difference.low < 0 < twins.difference.high
    assert twin_finding(twins).word == "no difference"


def test_the_cue_agrees_with_the_label_as_often_as_was_said() -> None:
    always, mostly = (planted(TRAIN, TINT, agreement=share, seed=0) for share in (1.0, 0.8))
    same = (always.pixels[:] == mostly.pixels[:]).all(axis=(1, 2, 3)).mean()
    assert same == pytest.approx(0.8, abs=0.1)
