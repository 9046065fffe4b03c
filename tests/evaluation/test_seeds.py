"""Differences over seeds: the t interval covers, Holm's calls are rarely false."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from selfsight.evaluation.seeds import (
    UNKNOWN,
    Noise,
    holm,
    noise_of,
    paired_over_seeds,
    smallest_found,
    spread_over_seeds,
)


def test_the_interval_and_p_are_scipys() -> None:
    one, other = np.array([0.61, 0.64, 0.66, 0.6]), np.array([0.6, 0.6, 0.65, 0.61])
    found, truth = paired_over_seeds(one - other), stats.ttest_rel(one, other)
    assert found.p == pytest.approx(truth.pvalue)
    interval = truth.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_interval_covers_as_often_as_it_says(seeds) -> None:
    drawn = np.random.default_rng(0).normal(0.02, 0.01, (600, seeds))
    found = [paired_over_seeds(row) for row in drawn]
    covered = np.mean([one.low <= 0.02 <= one.high for one in found])
    assert covered == pytest.approx(0.95, abs=0.027)  # three deviations of 600 draws


def test_one_seed_has_no_spread() -> None:
    found = paired_over_seeds(np.array([0.1]))
    assert found.mean == pytest.approx(0.1)
    assert math.isnan(found.low + found.high)
    assert math.isnan(found.p)
    assert math.isnan(spread_over_seeds(np.array([0.1])).deviation)
    assert math.isnan(smallest_found(UNKNOWN, seeds=1, comparisons=2))


def test_equal_differences_are_certain() -> None:
    assert paired_over_seeds(np.array([0.25, 0.25])).p == 0
    assert paired_over_seeds(np.zeros(3)).p == 1


def test_holm_is_his_example_and_leaves_gaps() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, math.nan, 0.7])[::2] == pytest.approx([1.0, 1.0])
    assert math.isnan(holm([0.6, math.nan])[1])
    assert holm([]) == []


def calls(drawn: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of arms, the better one first, that are called different."""
    noise, pairs = noise_of(drawn), list(combinations(np.argsort(-drawn.mean(1)).tolist(), 2))
    raised = holm([paired_over_seeds(drawn[a] - drawn[b], noise=noise).p for a, b in pairs])
    return [pair for pair, p in zip(pairs, raised, strict=True) if p < 0.05]


def test_among_equal_arms_a_false_call_is_rare_though_the_best_was_chosen_by_looking() -> None:
    random = np.random.default_rng(0)
    drawn = random.normal(0, 1, (200, 4, 3)) + random.normal(0, 3, (200, 1, 3))  # seeds differ
    false = sum(bool(calls(experiment)) for experiment in drawn)
    assert false / 200 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_a_difference_of_five_deviations_is_mostly_found_with_three_seeds() -> None:
    random = np.random.default_rng(0)
    drawn = random.normal(0, 1, (100, 4, 3)) + random.normal(0, 3, (100, 1, 3))
    drawn[:, 0] += 5
    found = [sum(pair[0] == 0 for pair in calls(experiment)) for experiment in drawn]
    assert np.mean(found) / 3 > 0.85


def test_the_noise_of_a_grid_is_what_arms_and_seeds_leave() -> None:
    arms, seeds = np.array([[0.0], [3.0], [5.0], [1.0]]), np.array([[0.0, 1.0, -4.0]])
    random = np.random.default_rng(0).normal(0, 0.1, (4, 3))
    whole = noise_of(arms + seeds + random)
    left = random - random.mean(0) - random.mean(1, keepdims=True) + random.mean()
    assert whole.freedom == 6
    assert whole.deviation == pytest.approx(math.sqrt((left**2).sum() / 6))
    holes = arms + seeds
    holes[0, 1] = holes[3, 2] = np.nan
    assert noise_of(holes).freedom == 4
    assert noise_of(holes).deviation == pytest.approx(0, abs=1e-12)
    assert noise_of(np.ones((4, 1))).freedom == 0


def test_two_arms_have_no_noise_but_their_own() -> None:
    drawn = np.random.default_rng(0).normal(0, 1, (2, 4))
    alone = paired_over_seeds(drawn[0] - drawn[1])
    together = paired_over_seeds(drawn[0] - drawn[1], noise=noise_of(drawn))
    assert (together.low, together.high, together.p) == pytest.approx(
        (alone.low, alone.high, alone.p)
    )


def test_a_pair_that_varies_more_than_the_grid_keeps_its_own_spread() -> None:
    wild = np.array([-3.0, 0.0, 3.0])
    calm = Noise(0.01, 12)
    found, alone = paired_over_seeds(wild, noise=calm), paired_over_seeds(wild)
    assert found.high > 3
    assert found.high < alone.high  # but the grid lends its degrees of freedom


def test_the_smallest_difference_that_could_be_found_is_just_found() -> None:
    noise, steady = Noise(0.01, 6), np.zeros(3)
    needed = smallest_found(noise, seeds=3, comparisons=1)
    assert paired_over_seeds(steady + 1.001 * needed, noise=noise).p < 0.05
    assert paired_over_seeds(steady + 0.999 * needed, noise=noise).p > 0.05
    assert smallest_found(noise, seeds=3, comparisons=4) > needed
