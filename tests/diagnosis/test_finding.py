"""The shape that every finding has: as JSON, as text."""

import json
import math

import numpy as np
import pytest
from made_up_finding import made_up

from selfsight.diagnosis.cells import cell_text
from selfsight.diagnosis.finding import Column, Row, Table, not_measured
from selfsight.diagnosis.finding_arrays import finding_from_arrays, finding_to_arrays
from selfsight.evaluation.interval import Interval


def test_a_finding_is_plain_json_without_what_is_not_finite():
    text = json.dumps(made_up().to_json(), allow_nan=False)
    found = json.loads(text)
    row, other = found["tables"]["reliance"]["rows"]
    assert row["cells"]["follows"] == {"value": 0.71, "low": 0.66, "high": 0.75}
    assert row["levels"] == {"chance": 0.5}
    assert row["facts"] == {"Source": "ours"}
    assert other["cells"]["follows"] == {"value": None, "low": None, "high": None}
    assert other["cells"]["named"] is None
    assert found["protocol"]["odd"] is None
    assert "sheets" not in found


def test_the_lines_hold_every_cell_in_line():
    title, sentence, _, head, names, first, second = made_up().lines()
    assert title == "Planted cues: reliance"
    assert sentence.strip() == "The probe follows the mark."
    assert head.strip() == "Follow rate"
    assert first.split("  ")[-1] == "12.3"
    for text in ("71.0 % (66.0 to 75.0)", "-3.1", "4e-05", "yes"):
        assert first.index(text) in [names.index(name) for name in names.split()]
    assert "–" in second
    assert "41,234" in second


@pytest.mark.parametrize(
    ("cell", "kind", "text"),
    [
        (0.5, "share", "50.0 %"),
        (1, "number", "1.00"),
        (100.0, "number", "100"),
        (0.00002, "number", "2.00e-05"),
        (0.01, "points", "+1.0"),
        (0.05, "p", "0.0500"),
        (math.nan, "share", "–"),
        (None, "text", "–"),
        (Interval(2.0, math.nan, math.nan), "number", "2.00"),
    ],
)
def test_a_cell_reads_as_its_column_says(cell, kind, text):
    assert cell_text(cell, kind) == text


def test_a_row_must_have_a_cell_for_every_column():
    with pytest.raises(AssertionError, match="t: wrong"):
        Table("t", "", (Column("a"), Column("b")), (Row("wrong", (1.0,)),))


def test_what_could_not_be_asked_says_why():
    found = not_measured("twin", "Twin", why="It needs labels.")
    assert found.lines() == ["Twin: not measured", "  It needs labels."]


def test_a_finding_comes_back_whole_from_arrays(tmp_path):
    finding = made_up()
    np.savez(tmp_path / "finding.npz", **finding_to_arrays(finding))
    with np.load(tmp_path / "finding.npz") as file:
        back = finding_from_arrays(dict(file))
    assert back.lines() == finding.lines() and back.to_json() == finding.to_json()
    assert repr(back) == repr(finding)  # NaN is not equal to itself
    (tile, _) = back.sheets[0].rows[0][1]
    assert (tile.pixels == finding.sheets[0].rows[0][1][0].pixels).all()
