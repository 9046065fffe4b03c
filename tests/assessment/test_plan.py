"""What may be asked for, and what is answered to everything else, in one line."""

import numpy as np
import pytest

from selfsight.assessment.plan import (
    Amount,
    distinct,
    parse_against,
    parse_amounts,
    parse_protocols,
)
from selfsight.errors import UserError


def test_amounts_are_sorted_and_named():
    assert [one.name for one in parse_amounts("10,all,2,10", None)] == [
        "2 per class",
        "10 per class",
        "all",
    ]
    assert [one.name for one in parse_amounts(None, "1,0.001,0.1")] == ["0.1 %", "10 %", "all"]
    assert parse_amounts(None, None)[0].name == "1 per class"


@pytest.mark.parametrize(
    ("per_class", "fractions", "message"),
    [
        ("0", None, "'0'"),
        ("2.5", None, "'2.5'"),
        ("many", None, "whole numbers"),
        (None, "1.5", "'1.5'"),
        (None, "half", "'half'"),
        (None, "nan", "'nan'"),
        (",", None, "empty"),
        ("1", "0.1", "both given"),
    ],
)
def test_a_wrong_amount_is_an_error_of_one_line(per_class, fractions, message):
    with pytest.raises(UserError, match=message):
        parse_amounts(per_class, fractions)


def test_an_unknown_protocol_or_opponent_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'finetune'"):
        parse_protocols("linear,finetun")
    with pytest.raises(UserError, match="did you mean 'scratch'"):
        parse_against("scrach")
    assert parse_protocols("finetune,knn") == ("knn", "finetune")
    assert parse_against("random, a/b.safetensors,timm:resnet18") == (
        "random",
        "a/b.safetensors",
        "timm:resnet18",
    )


def test_amounts_that_draw_the_same_images_are_one():
    labels = np.array([0] * 6 + [1] * 2 + [-1] * 3)
    amounts = parse_amounts("1,2,4,6,100,all", None)
    kept = distinct(amounts, labels)
    assert [len(one.rows(labels, seed=0)) for one in kept] == [2, 4, 6, 8]
    assert kept[-1] == Amount(None, 1.0)
