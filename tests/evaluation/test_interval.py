"""Bootstrap intervals, against resampling image by image and against the normal approximation."""

import numpy as np
import pytest

from selfsight.evaluation.interval import accuracy_interval, difference_interval


def answers(n: int, share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(n) < share


def test_the_interval_is_that_of_resampling_image_by_image():
    correct = answers(150, 0.7)
    rows = np.random.default_rng(3).integers(150, size=(20_000, 150))
    low, high = np.quantile(correct[rows].mean(axis=1), [0.025, 0.975])
    found = accuracy_interval(correct, seed=0)
    assert found.value == correct.mean()
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.008)


def test_the_paired_interval_is_that_of_resampling_image_by_image():
    first = answers(150, 0.7)
    second = first & answers(150, 0.8, seed=1)
    rows = np.random.default_rng(3).integers(150, size=(20_000, 150))
    gains = first[rows].mean(axis=1) - second[rows].mean(axis=1)
    low, high = np.quantile(gains, [0.025, 0.975])
    found = difference_interval(first, second, seed=0)
    assert found.value == pytest.approx(first.mean() - second.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.008)


def test_an_interval_shrinks_with_the_root_of_the_number_of_images():
    few, many = (accuracy_interval(answers(n, 0.5), seed=0) for n in (100, 10_000))
    assert few.high - few.low == pytest.approx(2 * 1.96 * 0.05, rel=0.1)
    assert many.high - many.low == pytest.approx(2 * 1.96 * 0.005, rel=0.1)


def test_pairing_narrows_the_interval_of_predictors_that_agree():
    first = answers(1000, 0.6)
    second = first.copy()
    second[:10] = False
    paired = difference_interval(first, second, seed=0)
    alone = accuracy_interval(first, seed=0)
    assert paired.high - paired.low < (alone.high - alone.low) / 3


def test_a_predictor_does_not_differ_from_itself():
    found = difference_interval(answers(50, 0.5), answers(50, 0.5), seed=0)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_swapping_the_predictors_turns_the_sign():
    first, second = answers(400, 0.7), answers(400, 0.5, seed=1)
    there = difference_interval(first, second, seed=0)
    back = difference_interval(second, first, seed=0)
    assert there.value == -back.value
    assert there.low == pytest.approx(-back.high, abs=0.01)


def test_the_seed_decides_the_interval():
    correct = answers(100, 0.6)
    assert accuracy_interval(correct, seed=1) == accuracy_interval(correct, seed=1)


def test_a_higher_level_is_wider():
    correct = answers(100, 0.6)
    wide, narrow = (accuracy_interval(correct, seed=1, level=level) for level in (0.99, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_bootstrap_covers_at_its_nominal_rate():
    rng = np.random.default_rng(0)
    trials, n = 600, 300
    covered, paired = 0, 0
    for trial in range(trials):
        first, second = rng.random(n) < 0.7, rng.random(n) < 0.6
        alone = accuracy_interval(first, seed=trial, resamples=1000)
        covered += alone.low <= 0.7 <= alone.high
        found = difference_interval(first, second, seed=trial, resamples=1000)
        paired += found.low <= 0.1 <= found.high
    assert covered / trials == pytest.approx(0.95, abs=0.025)
    assert paired / trials == pytest.approx(0.95, abs=0.025)
