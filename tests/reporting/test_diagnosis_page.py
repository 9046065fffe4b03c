"""The page of a diagnosis: everything that was found is on it, and nothing else gets in."""

import pytest
from made_up_finding import made_up
from test_page import Page

from selfsight.diagnosis.finding import Column, Finding, Row, Table, not_measured
from selfsight.evaluation.interval import Interval
from selfsight.reporting.diagnosis import render_diagnosis
from selfsight.reporting.marks import drawing


def page_of(*findings: Finding) -> Page:
    return Page(render_diagnosis(findings, title="simclr", on="cats", facts=["convnet", "8 px"]))


def test_every_finding_has_its_section_with_all_its_cells():
    page = page_of(made_up(), not_measured("twin", "Twin", why="It needs <labels>."))
    assert [name for name in page.ids if name != "theme"] == ["planted_cue", "twin"]
    for text in ("71.0 %", "66.0 to 75.0", "4e-05", "41,234", "Bootstrap.", "Source", "weak"):
        assert text in page.words
    assert page.tags.count("img") == 2
    assert page.resources.count("#planted_cue") == 1
    assert "It needs <labels>." in page.words


def test_markup_in_names_stays_text_and_nothing_is_fetched():
    page = page_of(made_up())
    assert "corner <b>mark</b>" in page.words
    assert "<b>mark" not in page.source
    outside = [one for one in page.resources if not one.startswith(("data:", "#"))]
    assert outside == []
    assert page.handlers == []
    assert "default-src 'none'" in page.source


def one_row(*cells: Interval | float, kind: str = "number", **row) -> str:
    columns = tuple(Column(f"c{place}", kind, drawn=True) for place in range(len(cells)))
    table = Table("t", "", columns, (Row("row", cells, **row),))
    return drawing(table, table.rows[0])


def test_every_drawn_cell_stands_in_its_place_on_one_axis():
    drawn = one_row(Interval(4.0, 2.0, 6.0), 8.0)
    assert 'cx="40.00%"' in drawn
    assert 'x1="20.00%" x2="60.00%"' in drawn
    assert 'cx="80.00%"' in drawn
    assert "<span>0</span><span>10</span>" in drawn


def test_shares_are_drawn_between_nothing_and_all_and_negatives_up_to_nought():
    assert 'cx="25.00%"' in one_row(0.25, kind="share")
    assert 'cx="25.00%"' in one_row(-3.0, axis=(-4.0, 0.0))
    assert "<span>-4</span><span>0</span>" in one_row(-3.0)


def test_levels_are_marked_in_their_place():
    drawn = one_row(0.7, kind="share", levels=(("chance", 0.5),))
    assert 'class="chance" x1="50.00%"' in drawn
    assert "<span>0 %</span><span>100 %</span>" in drawn


def test_levels_are_named_once_if_all_rows_have_the_same_else_in_each():
    def rows(*names: str) -> str:
        columns = (Column("guessed", "share", drawn=True),)
        made = tuple(Row(name, (0.7,), levels=((name, 0.5),)) for name in names)
        table = Table("t", "", columns, made)
        return page_of(Finding("f", "F", "w", "bad", "", (table,))).source

    assert rows("chance", "chance").count("┊ chance") == 1
    apart = rows("chance", "as much")
    assert apart.count("┊ chance") == apart.count("┊ as much") == 1


@pytest.mark.parametrize("cell", [float("nan"), Interval(*[float("nan")] * 3)])
def test_what_was_not_measured_is_not_drawn(cell):
    assert one_row(cell) == ""
