"""What the measures say together: better, worse, or not surely different."""

import numpy as np
import pytest
from test_spread import gaussian

from selfsight.data.images import quiet
from selfsight.diagnosis import quality
from selfsight.diagnosis.measures import MEASURES, Sample
from selfsight.evaluation.interval import Interval


@pytest.fixture(autouse=True)
def few_halvings(monkeypatch):
    monkeypatch.setattr("selfsight.diagnosis.clusters.HALVINGS", 2)


def found(gain: float, noise: float, *, seed: int) -> quality.Found:
    """Return a measure at `gain`, and without each group about there."""
    values = gain + noise * np.random.default_rng(seed).normal(size=10)
    return quality.Found(Interval(gain, gain, gain), values)


def test_one_of_eight_comparisons_at_its_own_level_is_not_sure_and_a_strong_one_is():
    names = [measure.name for measure in MEASURES]
    other = [found(0.0, 0.0, seed=0) for _ in names]
    weak = [found(0.0, 0.1, seed=place) for place in range(len(names))]
    deviation = float(3 * weak[0].spread.std())  # sqrt((K - 1) / K * sum of squares)
    at_level = 2.4 * deviation  # p of 0.04 by itself
    weak[0] = quality.Found(Interval(at_level, 0.0, 0.0), weak[0].spread + at_level)
    alone = quality.jackknife_p(at_level, weak[0].spread)
    p_values = quality.better_or_worse(weak, other)
    assert alone < 0.05 < p_values[names[0]] == pytest.approx(8 * alone)
    strong = quality.Found(Interval(9 * deviation, 0.0, 0.0), weak[0].spread + 9 * deviation)
    assert quality.better_or_worse([strong, *weak[1:]], other)[names[0]] < 0.01


def test_a_measure_that_gives_no_number_is_told_as_not_measured():
    names = [measure.name for measure in MEASURES]
    known = [found(0.0, 0.1, seed=place) for place in range(len(names))]
    nothing = quality.Found(Interval(np.nan, np.nan, np.nan), np.full(10, np.nan))
    one = [nothing, *known[1:], known[0]]  # the last stands for cluster stability
    said = quality._sentence(one, [*known, known[0]])
    assert f"Not measured: {names[0]}." in said
    assert names[0] not in said.partition("Not surely different: ")[2].partition(".")[0]


def test_what_a_measure_calls_good_decides_which_is_better():
    rows, views = gaussian(60, 8), gaussian(60 * 2, 8, seed=1).reshape(60, 2, 8)
    near = Sample(rows, rows[:, None] + 0.05 * views)
    far = Sample(rows, rows[:, None] + 0.5 * views)
    finding = quality.quality(
        {"encoder": near, "untrained": far, "pixels": far}, views="made up", seed=0, progress=quiet
    )
    said = finding.sentence
    assert "corrected for 8 comparisons" in said
    better = said.partition("Better: ")[2].partition(".")[0].split(", ")
    assert {"alignment", "neighbour agreement"} <= set(better)
    assert "RankMe" in said.partition("Not surely different: ")[2]
    assert "Worse" not in said
    assert "more stable in 0 of 2 halvings" in said  # of the same features
