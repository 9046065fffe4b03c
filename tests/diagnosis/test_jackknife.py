"""The intervals of label-free measures: known values, and coverage."""

import numpy as np
import pytest
import torch
from test_spread import gaussian

from selfsight.diagnosis.jackknife import groups_of, jackknife_interval, jackknife_p, left_out
from selfsight.diagnosis.measures import MEASURES, Sample, part_of


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


def test_p_is_at_its_level_where_the_interval_ends_at_0():
    without = np.random.default_rng(0).normal(size=10)
    interval = jackknife_interval(0.0, without)
    assert jackknife_p(interval.high, without) == pytest.approx(0.05, abs=1e-4)
    assert jackknife_p(-interval.high, without) == pytest.approx(0.05, abs=1e-4)
    assert jackknife_p(0.0, without) == 1
    assert jackknife_p(0.0, np.zeros(10)) == 1 and jackknife_p(0.1, np.full(10, 0.1)) == 0
    assert np.isnan(jackknife_p(np.nan, np.full(10, np.nan)))


def test_groups_are_equal_and_drawn_by_the_seed():
    assert np.bincount(groups_of(1003, seed=0)).tolist() == [101] * 3 + [100] * 7
    assert not np.array_equal(groups_of(50, seed=0), groups_of(50, seed=1))


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_intervals_hold_the_value_that_other_images_give_on_average(measure):
    scales = torch.arange(1, 13, dtype=torch.float64) ** -0.7

    def draw(seed: int) -> Sample:
        rows = gaussian(100, 12, seed=seed).double() * scales + 0.3
        moved = gaussian(300, 12, seed=10_000 + seed).double().reshape(100, 3, 12) * scales
        return Sample(rows, rows[:, None] + 0.5 * moved)

    truth = np.mean([measure.value(draw(1000 + seed)) for seed in range(60)])
    groups = groups_of(100, seed=0)
    held = 0
    for seed in range(30):
        sample = draw(seed)

        def without(kept: np.ndarray, sample: Sample = sample) -> float:
            return measure.value(part_of(sample, torch.from_numpy(kept)))

        found = jackknife_interval(measure.value(sample), left_out(without, groups))
        held += found.low <= truth <= found.high
    assert held >= 25  # of 30, where 28.5 are meant: 2.9 deviations below
