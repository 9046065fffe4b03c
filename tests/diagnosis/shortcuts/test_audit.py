"""The view audit points at what destroys the label, and knows how much two views share."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from benched import bench

from selfsight.diagnosis.shortcuts.audit import audit_views, operations
from selfsight.diagnosis.shortcuts.audit_finding import audit_finding
from selfsight.diagnosis.shortcuts.overlap import overlaps
from selfsight.diagnosis.shortcuts.small_network import small_network
from selfsight.views.augmentation import Augmentation
from selfsight.views.presets import byol_pair, multi_crop, simclr

WHOLE = Augmentation(16, area=(1.0, 1.0), aspect=(1.0, 1.0), flip=0.5)
JITTERED = replace(WHOLE, jitter=1.0, hue=0.5)


def test_where_colour_is_the_class_the_audit_points_at_colour_jitter() -> None:
    images = bench().forms(4, images=400, colour=True)
    train, test = images.part(np.arange(240)), images.part(np.arange(240, 400))
    reader = partial(small_network, seed=0, steps=60)
    audit = audit_views(reader, [JITTERED], train=train, test=test, seed=0)
    alarms = [one.name for one in audit.operations if one.alarm]
    assert alarms == ["colour jitter"]
    finding = audit_finding(overlaps((WHOLE, WHOLE), height=16, width=16, seed=0), audit)
    assert finding.word == "views destroy the label" and finding.tone == "bad"
    assert "colour jitter destroys" in finding.sentence


def test_where_form_is_the_class_it_does_not() -> None:
    images = bench().forms(4, images=360)
    train, test = images.part(np.arange(180)), images.part(np.arange(180, 360))
    audit = audit_views(lambda *_: bench().eyes, [JITTERED], train=train, test=test, seed=0)
    assert audit.whole.accuracy.value > 0.9
    assert not any(one.alarm for one in audit.operations)
    finding = audit_finding([], audit)
    assert finding.word == "views keep the label" and "No operation" in finding.sentence
    unsure = replace(audit.operations[0], destroyed=0.9, p=0.2)
    finding = audit_finding([], replace(audit, operations=(unsure, *audit.operations[1:])))
    assert (finding.word, finding.tone) == ("not sure", "neutral")


def test_a_rare_class_that_an_operation_destroys_raises_the_alarm() -> None:
    images = bench().forms(6, images=1200, colour=True)
    index = images.labels.index
    rows = np.concatenate([np.flatnonzero(index == 0)[:180], np.flatnonzero(index == 2)[:20]])
    rows = np.random.default_rng(0).permutation(rows)
    train, test = images.part(rows[:100]), images.part(rows[100:])
    view = replace(WHOLE, grey=1.0)
    audit = audit_views(lambda *_: bench().eyes, [view], train=train, test=test, seed=0)
    assert [one.name for one in audit.operations if one.alarm] == ["greyscale"]
    (grey,) = (one for one in audit.operations if one.name == "greyscale")
    whole, left = audit.whole.accuracy.value, grey.reading.accuracy.value
    assert grey.loss.value == pytest.approx(whole - left, abs=0.1)  # balanced, all three


def test_each_operation_is_taken_by_itself_as_training_has_it() -> None:
    found = operations([simclr(32)])
    assert list(found) == [
        "crop",
        "flip",
        "brightness alone",
        "contrast alone",
        "saturation alone",
        "hue alone",
        "colour jitter",
        "greyscale",
    ]
    hue, _ = found["hue alone"]
    assert hue.hue == simclr(32).hue and hue.jitter == 0.8 and hue.brightness == 0 and hue.grey == 0
    assert hue.area == (1.0, 1.0) and hue.flip == 0
    assert list(operations([WHOLE])) == ["flip"]
    assert "colour jitter" in operations([JITTERED])


def test_operations_of_later_views_are_audited_too_each_once() -> None:
    assert operations([simclr(32), simclr(32)]) == operations([simclr(32)])
    first, second = byol_pair(96)
    found = operations([first, second])
    assert "solarise" in found and "solarise" not in operations([first])
    assert found["blur"][0].blur == 1.0 and found["blur (view 2)"][0].blur == 0.1
    assert "crop (view 2)" not in found
    local = operations(multi_crop(32, local_size=16, local_views=3))
    assert local["crop (view 3)"][0].size == 16
    assert not any("(view 4)" in name for name in local)


def test_whole_images_share_everything_and_small_crops_little() -> None:
    (same,) = overlaps((WHOLE, WHOLE), height=32, width=32, seed=0)
    assert same.common == same.union == 1.0 and same.none == 0
    small = Augmentation(32, area=(0.04, 0.06), aspect=(1.0, 1.0))
    (apart,) = overlaps((small, small), height=32, width=32, seed=0)
    # two intervals of length 7 among the 26 places of 32 px: apart on an axis in (19 x 20) / 26²
    axis = 19 * 20 / 26**2
    assert apart.none == pytest.approx(1 - (1 - axis) ** 2, abs=0.03)
    assert apart.little >= apart.none
    assert "share no pixel in" in audit_finding([apart], None).sentence


def test_pairs_of_different_views_are_told_apart() -> None:
    found = overlaps(multi_crop(32, local_size=16, local_views=2), height=40, width=40, seed=0)
    assert [one.pairs for one in found] == [1, 4, 1]
    assert found[0].none < found[2].none
