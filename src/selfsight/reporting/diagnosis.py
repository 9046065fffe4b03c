"""The page of a diagnosis: one section a finding, one file that needs no network.

The markup is in templates/diagnosis.html.jinja; the looks are those of a run's report, with what
only this page has in diagnosis.css.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from selfsight.diagnosis.cells import Cell, Kind, cell_text, number_text
from selfsight.diagnosis.finding import Finding, Picture, Row, Table
from selfsight.evaluation.interval import Interval
from selfsight.reporting.galleries import picture
from selfsight.reporting.headline import table as flat
from selfsight.reporting.marks import drawing, drawn_columns, legend
from selfsight.reporting.templating import environment, verbatim


@dataclass(frozen=True, slots=True)
class Shown:
    """A cell as the page has it: the value, and its interval smaller beneath it."""

    value: str
    interval: str


def render_diagnosis(
    findings: Sequence[Finding], *, title: str, on: str, facts: Sequence[str]
) -> str:
    """Return the page as text that is encodable as UTF-8.

    title: the encoder. on: the images. facts: a few words each, beneath the title.
    """
    return (
        environment()
        .get_template("diagnosis.html.jinja")
        .render(
            style=verbatim("report.css") + Markup("\n") + verbatim("diagnosis.css"),
            script=verbatim("report.js"),
            findings=findings,
            title=title,
            on=on,
            facts=facts,
            cells=_cells,
            drawn=lambda table: bool(drawn_columns(table)),
            tone_of=lambda table, place: drawn_columns(table).get(place, ""),
            drawing=drawing,
            legend=legend,
            image=_image,
            protocol=lambda finding: flat(finding.protocol),
        )
    )


def _cells(table: Table, row: Row) -> list[Shown]:
    return [
        _shown(cell, column.kind) for cell, column in zip(row.cells, table.columns, strict=True)
    ]


def _shown(cell: Cell, kind: Kind) -> Shown:
    if isinstance(cell, Interval):
        value = number_text(cell.value, kind)
        ends = (number_text(end, kind, unit=False) for end in (cell.low, cell.high))
        return Shown(value, " to ".join(ends) if cell.low == cell.low else "")
    return Shown(cell_text(cell, kind), "")


def _image(shown: Picture) -> str:
    return picture(shown.pixels)
