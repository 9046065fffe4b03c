"""Differences over seeds: the t interval covers, Holm's calls are rarely false."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from selfsight.evaluation.seeds import (
    holm,
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
    assert math.isnan(smallest_found([0.1], seeds=1, comparisons=2))


def test_equal_differences_are_certain() -> None:
    assert paired_over_seeds(np.array([0.25, 0.25])).p == 0
    assert paired_over_seeds(np.zeros(3)).p == 1


def test_holm_is_his_example_and_leaves_gaps() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, math.nan, 0.7])[::2] == pytest.approx([1.0, 1.0])
    assert math.isnan(holm([0.6, math.nan])[1])
    assert holm([]) == []


def test_the_best_of_equal_methods_is_falsely_called_so_once_in_twenty_times() -> None:
    random, false = np.random.default_rng(0), 0
    for _ in range(200):
        drawn = random.normal(0, 1, (4, 3))
        pairs = list(combinations(np.argsort(-drawn.mean(1)), 2))
        raised = holm([paired_over_seeds(drawn[a] - drawn[b]).p for a, b in pairs])
        false += min(raised[:3]) < 0.05  # those of the best, which was chosen by looking
    assert false / 200 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_the_smallest_difference_that_could_be_found_is_just_found() -> None:
    differences = np.array([-0.01, 0.0, 0.01])
    needed = smallest_found([0.01], seeds=3, comparisons=1)
    assert paired_over_seeds(differences + 1.001 * needed).p < 0.05
    assert paired_over_seeds(differences + 0.999 * needed).p > 0.05
    assert smallest_found([0.01], seeds=3, comparisons=4) > needed
