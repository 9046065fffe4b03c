"""A finding with every kind of cell, for the tests of its text, its JSON and its page."""

import math

import numpy as np

from selfsight.diagnosis.finding import Column, Finding, Picture, Row, Sheet, Table
from selfsight.evaluation.interval import Interval


def made_up() -> Finding:
    """Return a finding with every kind of cell."""
    columns = (
        Column("follows", "share", drawn=True),
        Column("moved", "points"),
        Column("p", "p"),
        Column("named", "text"),
        Column("rank"),
    )
    rows = (
        Row(
            "corner <b>mark</b>",
            (Interval(0.71, 0.66, 0.75), -0.031, 0.00004, "yes", 12.34),
            tone="bad",
            levels=(("chance", 0.5),),
            facts=(("Source", "ours"),),
        ),
        Row("tint", (Interval(math.nan, math.nan, math.nan), 0.0, 0.5, None, 41234), note="weak"),
    )
    table = Table("reliance", "Follow rate", columns, rows, caption="Bootstrap.", head="cue")
    tile = Picture(np.full((3, 8, 8), 40, dtype=np.uint8), "plain", tone="bad")
    sheet = Sheet("The cues", (("mark", (tile, tile)),))
    return Finding(
        "planted_cue",
        "Planted cues",
        "reliance",
        "bad",
        "The probe follows the mark.",
        (table,),
        (sheet,),
        {"images": 500, "share": Interval(0.5, 0.4, 0.6), "odd": math.inf},
    )
