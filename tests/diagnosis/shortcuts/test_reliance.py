"""Reliance is known where the answers are."""

import numpy as np
import pytest
from benched import bench

from selfsight.diagnosis.shortcuts.reliance import commonest, reliance, same_classes

RNG = np.random.default_rng(0)
LABELS = RNG.integers(4, size=400)
CUES = RNG.integers(4, size=400)


def test_whoever_answers_with_the_cue_follows_always() -> None:
    found = reliance(CUES, LABELS, CUES, seed=0)
    assert found.follow.value == found.either == 1.0 and found.p < 0.001
    assert found.chance == pytest.approx(1 / 3, abs=0.05)
    assert found.excess == 1.0 and found.agreeing == 1.0 and found.conflicting == 0.0
    assert found.conflicts == int((CUES != LABELS).sum())


def test_whoever_answers_with_the_label_or_at_random_does_not_follow() -> None:
    right = reliance(LABELS, LABELS, CUES, seed=0)
    assert right.follow.value == right.either == 0.0 and right.p == 1.0 and right.conflicting == 1.0
    at_random = reliance(RNG.integers(4, size=400), LABELS, CUES, seed=0)
    assert at_random.p > 0.05 and at_random.follow.value == pytest.approx(0.25, abs=0.08)
    assert at_random.either == pytest.approx(0.5, abs=0.12)
    for found in (right, at_random):  # what is left of each answer is following, and no mistake
        assert found.over_chance.mean() == pytest.approx(
            found.follow.value - found.chance, abs=2e-3
        )


def test_the_commonest_classes_are_renumbered_alike_in_both_parts() -> None:
    images = bench().forms(0, images=60)
    index = images.labels.index
    few = images.part(
        np.flatnonzero((index == 3) | (index == 1) | ((index == 0) & (np.arange(60) < 9)))
    )
    kept = commonest(few, most=2)
    assert kept.labels.names == ("frame", "level")
    assert set(kept.labels.index.tolist()) == {0, 1}
    assert len(kept) == int(((few.labels.index == 1) | (few.labels.index == 3)).sum())
    alike = same_classes(images, kept)
    assert alike.labels.names == kept.labels.names
    assert len(alike) == int(((index == 1) | (index == 3)).sum())
