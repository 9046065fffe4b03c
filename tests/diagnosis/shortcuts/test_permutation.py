"""Chance is what shuffling says, within strata where asked, and many tests are corrected."""

import numpy as np
import pytest

from selfsight.diagnosis.shortcuts.permutation import orders, p_value, sign_flip
from selfsight.diagnosis.shortcuts.reading import probed, read
from selfsight.evaluation.seeds import holm


def test_orders_keep_what_there_is_and_stay_within_strata() -> None:
    truth = np.arange(12)
    within = np.array([0] * 5 + [3] * 7)
    drawn = np.concatenate(list(orders(truth, within=within, seed=0, permutations=50)))
    assert drawn.shape == (50, 12)
    assert (np.sort(drawn[:, :5], axis=1) == truth[:5]).all()
    assert (np.sort(drawn[:, 5:], axis=1) == truth[5:]).all()
    assert len({tuple(order) for order in drawn.tolist()}) == 50


def test_p_counts_the_order_that_was_found() -> None:
    assert p_value(1.0, np.zeros(99)) == pytest.approx(0.01)
    assert p_value(0.0, np.zeros(99)) == 1.0
    assert p_value(0.1 + 0.2, np.array([0.3])) == 1.0  # equal but for their last digit


def test_holm_is_the_worked_example() -> None:
    # sorted .01 .02 .03 .04, times 4 3 2 1, never falling: .04 .06 .06 .06
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_a_sign_flip_sees_a_shift_and_not_noise() -> None:
    rng = np.random.default_rng(0)
    assert sign_flip(rng.normal(0.5, 1, 100), seed=0) < 0.01
    assert sign_flip(rng.normal(-0.5, 1, 100), seed=0) > 0.9
    assert sign_flip(np.zeros(10), seed=0) == 1.0


def test_chance_knows_the_stratum() -> None:
    """Answers that follow the class only tell a trait of the class, and nothing beyond it."""
    rng = np.random.default_rng(1)
    label = rng.integers(2, size=400)
    trait = np.where(rng.random(400) < 0.8, label, 1 - label)
    plain, within = read(label, trait, seed=0), read(label, trait, within=label, seed=0)
    assert plain.accuracy.value == within.accuracy.value == pytest.approx(0.8, abs=0.05)
    assert plain.p < 0.01 and plain.chance == pytest.approx(0.5, abs=0.02)
    assert within.p == 1.0 and within.chance == pytest.approx(within.accuracy.value)


def test_balanced_accuracy_does_not_count_the_frequent_kind_more() -> None:
    truth = np.array([0] * 90 + [1] * 10)
    found = read(np.zeros(100, dtype=np.int64), truth, seed=0)
    assert found.accuracy.value == pytest.approx(0.5)
    assert found.p == 1.0 and found.share == pytest.approx(0.0)


def test_p_values_of_answers_without_connection_are_even() -> None:
    rng = np.random.default_rng(2)
    p_values = [
        read(rng.integers(3, size=60), rng.integers(3, size=60), seed=seed).p for seed in range(100)
    ]
    assert abs(np.mean(np.array(p_values) <= 0.1) - 0.1) < 0.09  # 3 deviations
    assert abs(np.mean(p_values) - 0.5) < 0.08


def test_one_probe_answers_several_sets() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(60, 4)).astype(np.float32)
    kinds = (features[:, 0] > 0).astype(np.int64)
    one, other = probed((features, kinds), features[:7], features[7:], seed=0)
    assert len(one) == 7 and len(other) == 53
    assert (np.concatenate([one, other]) == kinds).mean() > 0.8
    (same,) = probed((features, np.zeros(60, dtype=np.int64)), features[:5], seed=0)
    assert (same == 0).all()
