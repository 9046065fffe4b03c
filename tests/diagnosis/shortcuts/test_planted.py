"""Encoders whose reliance is known: one reads the mark alone, one cannot see it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from benched import bench

from selfsight.data.images import ImageSet, Labels, quiet
from selfsight.diagnosis.finding import Finding
from selfsight.diagnosis.shortcuts.cues import Cue
from selfsight.diagnosis.shortcuts.design import Design, Seen
from selfsight.diagnosis.shortcuts.identity import identity, nearer
from selfsight.diagnosis.shortcuts.planted import BLIND, READER, corrected, measure_cues
from selfsight.diagnosis.shortcuts.planted_finding import planted_finding
from selfsight.diagnosis.shortcuts.small_network import small_network

IMAGES = bench().forms(5, images=320)
TRAIN, TEST = IMAGES.part(np.arange(160)), IMAGES.part(np.arange(160, 320))
MARK, TINT = Cue("corner mark", 4), Cue("tint", 4)


def corner(pixels: np.ndarray) -> np.ndarray:
    return pixels[:, 0, :4, :4].reshape(len(pixels), -1).astype(np.float32)


def middle(pixels: np.ndarray) -> np.ndarray:
    return pixels[:, :, 4:12, 4:12].reshape(len(pixels), -1).astype(np.float32)


def test_reliance_and_presence_are_found_where_they_are_and_controls_hold() -> None:
    found = measure_cues(
        {"corner": corner, "middle": middle}, [MARK], train=TRAIN, test=TEST, reader=None, seed=0
    )
    tests = {one.encoder: one for one in found}
    reads = tests["corner"]
    assert reads.presence.accuracy.value > 0.95 and reads.presence.p < 0.01
    assert reads.reliance is not None and reads.reliance.follow.value > 0.95
    assert reads.shift.value > 5 and reads.identity is not None and reads.identity.gain.low > 0
    for name in ("middle", BLIND):
        one = tests[name]
        assert one.presence.p > 0.05 and one.reliance is not None and one.reliance.p > 0.05
    assert tests["middle"].shift.value == pytest.approx(0, abs=1e-9)
    assert tests["middle"].identity is not None and tests["middle"].identity.gain.value == 0
    assert tests[BLIND].identity is None

    finding = planted_finding(found, example=TEST.batch(np.arange(1))[0])
    assert finding.word == "reliance" and finding.tone == "bad"
    assert "follow the corner mark in 100 %" in finding.sentence or "99 %" in finding.sentence
    assert {table.name for table in finding.tables} >= {"reliance", "presence", "shift", "identity"}
    assert finding.to_json()["protocol"]["strength"] == {"corner mark": 1.0}


def test_reliance_is_a_fault_only_beyond_the_untrained_encoders() -> None:
    def told(untrained: Callable[[np.ndarray], np.ndarray]) -> Finding:
        found = measure_cues(
            {"encoder": corner, "untrained": untrained}, [MARK], train=TRAIN, test=TEST,
            reader=None, seed=0,
        )  # fmt: skip
        return planted_finding(found, example=TEST.batch(np.arange(1))[0])

    as_much = told(corner)
    assert (as_much.word, as_much.tone) == ("as untrained", "doubtful")
    assert "no fault of the training" in as_much.sentence
    (row,) = as_much.tables[0].rows
    names = [column.name for column in as_much.tables[0].columns]
    cells = dict(zip(names, row.cells, strict=True))
    assert row.tone == "doubtful" and cells["over untrained"].value == 0
    assert cells["p"] < 0.01 < cells["p over untrained"]  # the test of reliance stays

    more = told(middle)
    assert (more.word, more.tone) == ("reliance", "bad")
    assert "Surely more often than from the untrained encoder" in more.sentence
    assert "no fault of the training" not in more.sentence


def test_a_network_trained_on_the_cue_is_the_positive_control() -> None:
    reader = partial(small_network, seed=0, steps=60)
    found = measure_cues({"middle": middle}, [MARK], train=TRAIN, test=TEST, reader=reader, seed=0)
    control = {one.encoder: one for one in found}[READER]
    assert control.presence.p < 0.01
    assert control.reliance is not None and control.reliance.p < 0.01
    finding = planted_finding(found, example=TEST.batch(np.arange(1))[0])
    assert finding.word == "no reliance" and finding.tone == "good"
    assert "no answer surely follows a cue beyond chance" in finding.sentence


def test_without_a_control_that_follows_nothing_is_claimed() -> None:
    found = measure_cues({"middle": middle}, [MARK], train=TRAIN, test=TEST, reader=None, seed=0)
    finding = planted_finding(found, example=TEST.batch(np.arange(1))[0])
    assert finding.tone == "neutral" and "nothing can be said" in finding.sentence


def test_without_labels_presence_and_identity_are_measured_all_the_same() -> None:
    bare = [
        ImageSet(part.pixels, part.paths, Labels((), np.full(len(part), -1)), (), part.root)
        for part in (TRAIN, TEST)
    ]
    found = measure_cues(
        {"corner": corner}, [MARK], train=bare[0], test=bare[1], reader=None, seed=0
    )
    assert found[0].reliance is None and found[0].presence.p < 0.01
    finding = planted_finding(found, example=TEST.batch(np.arange(1))[0])
    assert finding.word == "no labels"
    assert [table.name for table in finding.tables] == ["presence", "shift", "identity"]


def test_p_values_are_corrected_over_the_cues() -> None:
    cues = [MARK, Cue("tint", 4, strength=0.0)]
    found = measure_cues({"corner": corner}, cues, train=TRAIN, test=TEST, reader=None, seed=0)
    one = found[0].presence.p
    assert corrected(found, "corner")["corner mark"].presence == pytest.approx(2 * one)


def test_a_cue_that_both_views_share_becomes_identity() -> None:
    found = identity(_colour, TINT, TEST, seed=0)
    assert found.shared > found.changed and found.p < 0.01
    assert identity(middle, Cue("tint", 4, strength=0.0), TEST, seed=0).gain.value == 0


def test_a_cue_that_is_drawn_anew_for_the_other_view_stands_for_no_image() -> None:
    own, one, other = (np.random.default_rng(seed).integers(2, size=len(TEST)) for seed in range(3))
    shares = nearer(_colour, TINT, TEST, own, others=(own, one, other), seed=0)
    assert abs(np.mean(shares[1]) - np.mean(shares[2])) < 0.05
    assert np.mean(shares[0]) > np.mean(shares[1]) + 0.1
    assert min(each.min() for each in shares) >= 0 and max(each.max() for each in shares) <= 1


def test_the_control_is_held_to_the_bar_of_the_encoder() -> None:
    """A control that follows one of six cues with p of 0.03 does not surely follow it."""
    cues = [MARK, *(Cue(name, 4, strength=0.0) for name in ("tint", "border"))]
    found = measure_cues({"middle": middle}, cues, train=TRAIN, test=TEST, reader=None, seed=0)
    blind = [replace(one, encoder=READER) for one in found if one.encoder == BLIND]
    weak = [
        replace(one, reliance=one.reliance and replace(one.reliance, p=p))
        for one, p in zip(blind, (0.03, 1.0, 1.0), strict=True)
    ]
    strong = [
        replace(one, reliance=one.reliance and replace(one.reliance, p=p))
        for one, p in zip(blind, (0.01, 1.0, 1.0), strict=True)
    ]
    example = TEST.batch(np.arange(1))[0]
    assert planted_finding([*found, *weak], example=example).tone == "neutral"
    assert planted_finding([*found, *strong], example=example).tone == "good"


def test_no_two_views_and_no_two_sets_share_their_noise() -> None:
    def pattern(pixels: np.ndarray) -> np.ndarray:  # of fine structure, whatever its strength
        flat = pixels.mean(axis=1).reshape(len(pixels), -1)
        return np.sign(flat - np.roll(flat, 1, axis=1)).astype(np.float32)

    grey = replace(TEST, pixels=np.full_like(TEST.pixels[:], 127))  # nothing but the noise
    full = np.ones(len(grey), dtype=np.int64)
    noise = Cue("sensor noise", 4)
    shared, changed = nearer(pattern, noise, grey, full, others=(full, 1 - full), seed=0)
    assert 0.4 < np.mean(shared) < 0.6 and 0.4 < np.mean(changed) < 0.6  # no better than chance
    design = Design.of(Cue("sensor noise", 4), grey, grey, seed=0)
    seen = Seen.of(pattern, design, what="", progress=quiet)
    alike = (seen.train_free == seen.test_free).mean(axis=1)
    assert alike[(design.train_free > 0) & (design.test_free > 0)].max() < 0.9


def _colour(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean(axis=(2, 3)).astype(np.float32) - 128
