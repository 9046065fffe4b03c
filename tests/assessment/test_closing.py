"""The closing sentence and the place of overtaking, from made-up differences."""

import math

import pytest

from selfsight.assessment.closing import closing
from selfsight.assessment.contrasts import Contrast, overtaking
from selfsight.evaluation.difference import Measured

LABELS = (10, 100, 1000)


def contrast(second: str, *means: float, width: float = 0.02, first: str = "linear") -> Contrast:
    points = tuple(Measured(mean, mean - width, mean + width, 0.01, 3) for mean in means)
    protocol = "scratch" if second == "scratch" else first
    return Contrast(("encoder", first), (second, protocol), LABELS[: len(means)], points)


def said(*contrasts: Contrast, seeds: int = 3) -> str:
    return closing(contrasts, protocol="linear", seeds=seeds)


def test_ahead_of_everything_with_every_number_of_labels():
    text = said(contrast("scratch", 0.2, 0.1, 0.05), contrast("pixels", 0.3, 0.3, 0.04))
    assert text == (
        "Pretraining helped: with every number of labels (10 to 1,000) the frozen encoder was "
        "ahead of training from scratch and raw pixels by 4.0 points or more."
    )


def test_overtaken_where_labels_are_many():
    text = said(contrast("scratch", 0.2, 0.01, -0.1), contrast("untrained", 0.3, 0.3, 0.3))
    assert text.startswith("Pretraining helped where labels are few: with 10 labels")
    assert "with 100 labels the frozen encoder was not surely ahead of all of" in text
    assert "with 1,000 labels the frozen encoder was behind training from scratch" in text
    assert "by up to 10.0 points" in text


def test_no_help_is_told():
    unsure = said(contrast("pixels", 0.01, 0.0, -0.01))
    assert unsure.startswith("Pretraining did not surely help: with every number of labels")
    assert "was not surely ahead of raw pixels, nor surely behind" in unsure
    behind = said(contrast("pixels", -0.1, -0.2, -0.3))
    assert behind.startswith("Pretraining did not help: with every number of labels")
    assert "behind raw pixels, by up to 30.0 points" in behind


def test_only_what_was_surely_ahead_says_by_how_much():
    scratch = contrast("scratch", -0.03, -0.03, -0.03, width=0.02)
    pixels = contrast("pixels", -0.3, -0.3, -0.3, width=0.5)
    text = said(scratch, pixels)
    assert "was behind training from scratch, by up to 3.0 points" in text
    assert "raw pixels" not in text


def test_an_other_encoder_is_no_part_of_the_sentence():
    assert "Nothing without pretraining" in said(contrast("timm:resnet18", 0.2, 0.2, 0.2))


def test_fine_tuning_and_a_single_seed_are_told():
    tuned = contrast("scratch", 0.2, 0.0, -0.2, first="finetune")
    text = said(contrast("scratch", 0.2, 0.2, 0.2), tuned, seeds=1)
    assert "Fine-tuned, against training from scratch, it was ahead with 10 labels" in text
    assert "level with 100 labels, behind with 1,000 labels" in text
    assert "One seed only" in text


def test_the_place_of_overtaking_lies_on_the_line_between_two_amounts():
    found = overtaking(contrast("scratch", 0.2, 0.1, -0.1))
    assert found == (pytest.approx(math.sqrt(100 * 1000)), True)
    assert overtaking(contrast("scratch", 0.2, -0.1, 0.1)) is None  # it leads again
    assert overtaking(contrast("scratch", -0.1, -0.1, -0.1)) == (10, True)
    place, sure = overtaking(contrast("scratch", 0.3, 0.1, -0.01)) or (0, True)
    assert 100 < place < 1000
    assert not sure
