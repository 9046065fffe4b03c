"""Charts and their axes: round ticks, kept extremes, gaps, and words that cannot become markup."""

import json
import math

import numpy as np
import pytest

from selfsight.reporting.accuracies import axis_top, interval_bar, panels, remarks
from selfsight.reporting.axes import nice_ticks, rolling_mean, thin, tick_labels, value_range
from selfsight.reporting.charts import Level, Series, line_chart
from selfsight.reporting.curves import _live_knn


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (2.9, 5.6, [3, 4, 5]),
        (0, 0.094, [0, 0.02, 0.04, 0.06, 0.08]),
        (-3.5, -1, [-3.5, -3, -2.5, -2, -1.5, -1]),
        (0, 12345, [0, 5000, 10000]),
    ],
)
def test_ticks_are_round_and_within_the_range(low, high, ticks):
    assert nice_ticks(float(low), float(high)) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ([0, 0.02, 0.04], ["0.00", "0.02", "0.04"]),
        ([0, 5000, 10000], ["0", "5,000", "10,000"]),
        ([0, 0.0002, 0.0004], ["0", "2e−4", "4e−4"]),
        ([0, 2e6], ["0", "2e6"]),
        ([-0.0, 1.0], ["0", "1"]),
        ([], []),
    ],
)
def test_ticks_have_equal_decimals_or_powers(ticks, labels):
    assert tick_labels([float(tick) for tick in ticks]) == labels


def test_an_axis_of_equal_values_has_room_and_one_of_none_is_none():
    assert value_range(np.array([2.0, 2.0]), zero=False) == pytest.approx((1.8, 2.2))
    assert value_range(np.array([0.0]), zero=True) == (0, 1)
    assert value_range(np.array([np.nan, np.inf]), zero=False) is None


def test_a_look_that_asked_no_neighbours_leaves_no_gap_in_their_line():
    asked = _live_knn(np.array([0.1, 0.3]), np.array([0.5, 0.7]))
    assert _live_knn(np.array([0.1, 0.2, 0.3]), np.array([0.5, np.nan, 0.7])) == asked
    assert _live_knn(np.array([0.1]), np.array([np.nan])) == []


def test_thinning_keeps_extremes_ends_and_gaps():
    values = np.sin(np.arange(50_000) / 900)
    values[[77, 31_234]] = 9, -9
    values[40_000] = np.nan
    rows = thin(values, most=400)
    assert len(rows) <= 400
    assert {0, 77, 31_234, 40_000, 49_999} <= set(rows.tolist())
    assert (np.diff(rows) > 0).all()


def test_a_short_record_is_not_thinned():
    assert thin(np.arange(5.0), most=400).tolist() == [0, 1, 2, 3, 4]


def test_a_rolling_mean_is_that_of_a_loop():
    values = np.array([1.0, 4, np.nan, 2, 8, 5, 7])
    expected = [np.nanmean(values[max(0, i - 1) : i + 2]) for i in range(7)]
    expected[2] = np.nan
    np.testing.assert_allclose(rolling_mean(values, window=3), expected)


def test_a_gap_breaks_the_line_and_a_lone_point_is_a_dot():
    y = np.array([1.0, 2, np.nan, 3, np.inf, 2, 1])
    chart = str(line_chart([Series("a", np.linspace(0, 1, 7), y)], about="a"))
    path = chart.split(' d="')[1].split('"', maxsplit=1)[0]
    assert path.count("M") == 3
    assert chart.count('<circle class="dot') == 1
    assert "nan" not in chart
    assert "inf" not in chart


def test_a_chart_of_nothing_says_so():
    assert "Nothing was recorded" in line_chart([], about="loss")
    empty = Series("a", np.array([0.5]), np.array([np.nan]))
    assert "Nothing was recorded" in line_chart([empty], levels=[Level("x", 1.0)], about="loss")


def test_the_read_out_has_the_values_and_no_markup():
    chart = str(line_chart([Series("<b>", np.array([0.0, 1]), np.array([0.25, 0.5]))], about="<i>"))
    assert "<b>" not in chart
    assert "<i>" not in chart
    quoted = chart.split('data-points="')[1].split('"', maxsplit=1)[0]
    points = json.loads(quoted.replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">"))
    assert points[1][2] == "100.0\u202f% of the training: <b> 0.5"


def test_names_at_the_end_of_lines_do_not_overlap():
    x, y = np.array([0.0, 1]), np.array([1.0, 2])
    chart = str(line_chart([Series("a", x, y), Series("b", x, y)], about="two"))
    heights = [float(part.split('y="')[1].split('"')[0]) for part in chart.split('class="name')[1:]]
    assert abs(heights[0] - heights[1]) >= 12


@pytest.mark.parametrize(("largest", "top"), [(0.74, 1), (0.31, 0.35), (0.02, 0.02), (0, 1)])
def test_the_axis_of_shares_ends_at_a_round_one(largest, top):
    assert axis_top(float(largest)) == pytest.approx(top, abs=0.051)
    assert axis_top(float(largest)) >= largest


def test_a_bar_stands_where_its_numbers_say():
    bar = interval_bar(0.5, 0.4, 0.6, top=1.0, chance=0.1, tone="encoder")
    assert 'cx="50.00%"' in bar
    assert 'x1="40.00%" x2="60.00%"' in bar
    assert 'x1="10.00%" x2="10.00%"' in bar
    assert "nan" not in interval_bar(
        0.5, math.nan, math.nan, top=1.0, chance=math.nan, tone="other"
    )


def test_a_measure_that_is_missing_in_a_row_is_a_dash():
    rows = [{"name": "encoder", "knn": {"accuracy": 0.2}}, {"name": "pixels", "knn": None}]
    (panel,) = panels({"rows": rows}, majority=math.nan)
    assert [row.accuracy for row in panel.rows] == ["20.0\u202f%", "–"]
    assert panels({"rows": "nonsense"}, majority=math.nan) == []


def test_differences_and_probes_that_did_not_converge_are_told_of():
    gain = {"value": 0.2826, "low": 0.265, "high": 0.299}
    content = {
        "differences": [{"first": "encoder", "second": "pixels", "linear": gain}, "nonsense"],
        "rows": [{"name": "pixels", "linear": {"converged": False}}],
    }
    assert remarks(content) == [
        "Linear probe, this encoder over raw pixels: +28.3 points (+26.5 to +29.9, paired).",
        "The linear probe of raw pixels had not converged.",
    ]
    assert remarks({}) == []
