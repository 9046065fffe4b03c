"""The intervals of label-free measures: known values, and coverage."""

import numpy as np
import pytest
import torch
from test_spread import gaussian

from selfsight.diagnosis.alignment import uniformity
from selfsight.diagnosis.jackknife import groups_of, jackknife_interval, left_out
from selfsight.diagnosis.spread import participation_ratio, rankme


def test_the_interval_of_a_mean_is_the_textbooks():
    values = np.random.default_rng(0).normal(size=1000)
    groups = groups_of(1000, seed=1)
    found = jackknife_interval(
        float(values.mean()), left_out(lambda kept: float(values[kept].mean()), groups)
    )
    means = np.array([values[groups == group].mean() for group in range(10)])
    error = means.std(ddof=1) / np.sqrt(10)  # the standard error of a mean, in groups
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(2.262 * error)
    assert found.value - found.low == pytest.approx(2.262 * error)


def test_groups_are_equal_and_drawn_by_the_seed():
    assert np.bincount(groups_of(1003, seed=0)).tolist() == [101] * 3 + [100] * 7
    assert not np.array_equal(groups_of(50, seed=0), groups_of(50, seed=1))


@pytest.mark.parametrize("measure", [rankme, participation_ratio, uniformity])
def test_intervals_hold_the_value_that_other_images_give_on_average(measure):
    scales = torch.arange(1, 13, dtype=torch.float64) ** -0.7

    def draw(seed: int) -> torch.Tensor:
        return gaussian(120, 12, seed=seed).double() * scales + 0.3

    truth = np.mean([measure(draw(1000 + seed)) for seed in range(200)])
    groups = groups_of(120, seed=0)
    held = 0
    for seed in range(60):
        rows = draw(seed)
        without = left_out(lambda kept, rows=rows: measure(rows[torch.from_numpy(kept)]), groups)
        found = jackknife_interval(measure(rows), without)
        held += found.low <= truth <= found.high
    assert held >= 0.85 * 60  # 95 % are meant; 51 of 60 is 3.5 deviations below
