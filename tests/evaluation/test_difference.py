"""Differences over seeds and images: what they are, and that their interval holds what it says."""

import numpy as np
import pytest

from selfsight.evaluation.difference import accuracy_over, difference_over, reach_over_images


def drawn(rng: np.random.Generator, *, seeds: int, images: int, gain: float) -> np.ndarray:
    """Return answers whose share right varies with the seed and with the image."""
    ease = rng.normal(0, 0.15, size=images)
    luck = rng.normal(0, 0.03, size=(seeds, 1))
    return rng.random((seeds, images)) < 0.5 + gain + ease + luck


def test_a_difference_is_the_mean_over_seeds_and_images():
    rng = np.random.default_rng(0)
    first, second = (drawn(rng, seeds=3, images=50, gain=gain) for gain in (0.1, 0.0))
    found = difference_over(first, second)
    assert found.mean == pytest.approx(first.mean() - second.mean())
    assert found.deviation == pytest.approx((first.mean(1) - second.mean(1)).std(ddof=1))
    assert found.low < found.mean < found.high
    turned = difference_over(second, first)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_with_one_seed_the_interval_is_that_of_the_images():
    correct = np.random.default_rng(0).random((1, 400)) < 0.6
    found = accuracy_over(correct)
    share = correct.mean()
    assert np.isnan(found.deviation)
    reach = 1.96 * np.sqrt(share * (1 - share) / 400)
    assert found.high - found.mean == pytest.approx(reach, rel=0.03)


@pytest.mark.parametrize("images", [1, 2, 4])
def test_a_few_images_that_agree_are_not_sure(images):
    first, second = np.ones((2, images), bool), np.zeros((2, images), bool)
    assert difference_over(first, second).low < 0
    assert reach_over_images(np.ones(images)) > 1
    assert reach_over_images(np.ones(100)) < 0.05  # a hundred are


def test_an_arm_does_not_differ_from_itself():
    same = np.random.default_rng(0).random((3, 40)) < 0.5
    found = difference_over(same, same)
    assert (found.mean, found.deviation) == (0, 0)
    assert found.low == -found.high < 0


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_the_interval_covers_at_least_at_its_nominal_rate_and_not_much_more(seeds):
    rng = np.random.default_rng(seeds)
    covered = 0
    for _ in range(400):
        # One seed cannot tell its own luck: then none is drawn.
        ease, luck = rng.normal(0, 0.1, 300), rng.normal(0, 0.03 * (seeds > 1), (2, seeds, 1))
        first = rng.random((seeds, 300)) < 0.6 + ease + luck[0]
        second = rng.random((seeds, 300)) < 0.5 + ease + luck[1]
        found = difference_over(first, second)
        covered += found.low <= 0.1 <= found.high
    assert 0.93 <= covered / 400 <= 0.995
    assert seeds > 1 or covered / 400 <= 0.97
