"""A finding: what one question about an encoder was answered with, in a shape that all share.

`selfsight diagnose` asks several questions (has it collapsed, how good is it, does it live off a
shortcut) and puts the answers on one page and into one JSON file. Each test returns a `Finding`:

    Finding(
        name="planted_cue",                      # the key in diagnosis.json
        title="Planted cues",                    # the heading of its section
        word="reliance", tone="bad",             # the answer in a word, and whether it is good news
        sentence="The probe follows the corner mark in 71 % of the conflicts (50 % by chance).",
        tables=(Table(
            name="reliance", title="How often a prediction follows the cue",
            columns=(Column("follows", "share", drawn=True), Column("p", "p")),
            rows=(Row("corner mark", (Interval(0.71, 0.66, 0.75), 0.002), tone="bad",
                      levels=(("chance", 0.5),)),),
            caption="95 % percentile bootstrap over the conflict images.",
        ),),
        sheets=(Sheet("The cues", (("plain", Picture(pixels, "plain")), …)),),
        protocol={"images": 500, "seed": 0},     # how it was measured, for the record
    )

A cell is a number, an `Interval`, a word, or None where nothing was measured. Numbers stay numbers
until they are shown: a column's kind says how. Every value of the drawn columns of a row is drawn
on one axis, each column in a colour of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8

from selfsight.diagnosis.cells import Cell, Kind, cell_text, plain

Tone = Literal["good", "doubtful", "bad", "neutral"]


@dataclass(frozen=True, slots=True)
class Column:
    """What the cells beneath it are.

    number: three digits. share: a fraction, shown in per cent. points: a difference of fractions,
    shown in points with its sign. p: a p-value. text: a word. about: a few words beneath the name.
    """

    name: str
    kind: Kind = "number"
    drawn: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; it has a cell for every column.

    axis: the ends of the axis on which the drawn cells stand; 0 to 1 if only shares are drawn, else
    from the values. levels: thin marks with a meaning on it, such as chance. note: sentences about
    the row alone. facts: names and texts about it, such as its range or its source. tone: what the
    row says of the encoder; "bad" is an alarm.
    """

    name: str
    cells: tuple[Cell, ...]
    note: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    axis: tuple[float, float] | None = None
    levels: tuple[tuple[str, float], ...] = ()
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows measured alike. name: its key in the JSON file. head: what the rows are."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    head: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            assert len(row.cells) == len(self.columns), f"{self.name}: {row.name}"


@dataclass(frozen=True, slots=True)
class Picture:
    """A square image and the words beneath it; tone "bad" frames it."""

    pixels: UInt8[np.ndarray, "3 side side"]
    caption: str = ""
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Pictures in rows, each row with its name; only the page has them, the JSON file does not."""

    title: str
    rows: tuple[tuple[str, tuple[Picture, ...]], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question. protocol: how it was measured, plain JSON values by name."""

    name: str
    title: str
    word: str
    tone: Tone
    sentence: str
    tables: tuple[Table, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    protocol: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return all but the pictures as plain JSON values; what is not finite is null."""
        return {
            "title": self.title,
            "word": self.word,
            "tone": self.tone,
            "sentence": self.sentence,
            "tables": {table.name: _table_to_json(table) for table in self.tables},
            "protocol": plain(self.protocol),
        }

    def lines(self) -> list[str]:
        """Return the finding as lines of text, without the notes and the pictures."""
        lines = [f"{self.title}: {self.word}", f"  {self.sentence}"]
        for table in self.tables:
            lines += ["", *(f"  {line}" for line in table_lines(table))]
        return lines


def not_measured(name: str, title: str, *, why: str) -> Finding:
    """Return the finding of a question that could not be asked, with the reason as a sentence."""
    return Finding(name, title, "not measured", "neutral", why)


def table_lines(table: Table) -> list[str]:
    """Return a table as aligned lines of text, its title first."""
    rows = [[table.head, *(column.name for column in table.columns)]]
    for row in table.rows:
        texts = [
            cell_text(cell, column.kind)
            for cell, column in zip(row.cells, table.columns, strict=True)
        ]
        rows.append([row.name, *texts])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [table.title, *lines]


def _table_to_json(table: Table) -> dict[str, Any]:
    rows = [
        {
            "name": row.name,
            "tone": row.tone,
            "cells": {
                column.name: plain(cell)
                for column, cell in zip(table.columns, row.cells, strict=True)
            },
            "levels": plain(dict(row.levels)),
            "note": row.note,
            "facts": dict(row.facts),
        }
        for row in table.rows
    ]
    kinds = {column.name: column.kind for column in table.columns}
    return {"title": table.title, "columns": kinds, "rows": rows, "caption": table.caption}
