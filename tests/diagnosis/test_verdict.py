"""The verdict: which word, on what grounds, in a sentence that a person understands."""

import pytest

from selfsight.diagnosis.verdict import judge

LOOK = {"step": 812, "loss_share": 0.314}
ROWS = {"encoder": 0.512, "untrained": 0.402, "pixels": 0.371}


def verdict(**changes: object):
    return judge(
        **{"finite": True, "collapse": "", "look": LOOK, "rows": ROWS, "gain": (0.08, 0.14)}
        | changes
    )


def test_a_gain_beyond_its_interval_is_learning_and_the_sentence_has_the_numbers() -> None:
    found = verdict()
    assert found.word == "learned"
    assert found.sentence == (
        "Learned: a linear probe reads 51.2% of the held-out images right from the encoder, 40.2% "
        "from the untrained one, 37.1% from raw pixels (95% interval of the gain +8.0 to +14.0 "
        "points)."
    )


def test_an_encoder_below_raw_pixels_is_told_so() -> None:
    assert "Raw pixels are still as good" in verdict(rows=ROWS | {"pixels": 0.53}).sentence


@pytest.mark.parametrize(
    ("rows", "gain"),
    [
        (ROWS, (-0.001, 0.2)),  # the interval holds 0
        (ROWS, (0.0, 0.2)),
        (ROWS | {"encoder": 0.411}, (0.001, 0.02)),  # sure, but less than a point
        (ROWS | {"encoder": 0.35}, (-0.1, 0.01)),  # worse, but not surely
    ],
)
def test_no_sure_gain_is_barely_above_untrained(rows, gain) -> None:
    found = verdict(rows=rows, gain=gain)
    assert found.word == "barely"
    assert found.sentence.startswith("Barely above an untrained encoder, if at all: ")


def test_an_encoder_that_lost_what_random_weights_have_is_told_so() -> None:
    found = verdict(rows=ROWS | {"encoder": 0.2}, gain=(-0.3, -0.1))
    assert found.word == "worse"
    assert found.sentence.startswith("Worse than an untrained encoder: ")


def test_a_collapse_is_named_whatever_the_accuracy() -> None:
    found = verdict(collapse="complete collapse: all vectors are nearly one")
    assert found.word == "collapsed"
    assert found.sentence == "Collapsed. Complete collapse: all vectors are nearly one."


def test_a_loss_that_is_no_number_comes_first() -> None:
    found = verdict(finite=False, collapse="complete collapse", rows={})
    assert found.word == "diverged"
    assert "after step 812" in found.sentence
    assert "--lr" in found.sentence


def test_without_labels_nothing_is_claimed() -> None:
    found = verdict(rows={}, gain=(0.0, 0.0))
    assert found.word == "unmeasured"
    assert "no labels of two or more classes" in found.sentence
    assert "31%" in found.sentence
