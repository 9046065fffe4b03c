"""The tables of planted cues: reliance, presence, shift and identity, a row for each cue."""

from collections.abc import Mapping, Sequence

from selfsight.diagnosis.cells import Cell
from selfsight.diagnosis.finding import Column, Row, Table, Tone
from selfsight.diagnosis.shortcuts.beyond import WORTH, Beyond
from selfsight.diagnosis.shortcuts.planted import BLIND, READER, Corrected, CueTest

ABOUT = {BLIND: "must be at chance", READER: "must follow"}
CONTROLS = (
    "The cue network was trained to tell the cue, and nothing else; blind is the encoder shown "
    "images without the cue."
)
DRAW = (
    "The untrained encoder is one draw of random weights, and another differs: "
    f"{100 * WORTH:.0f} points or more count."
)
OVER = (
    Column("over untrained", "points", about="on the same images, less chance"),
    Column("p over untrained", "p", about="sign flips"),
)

ByCue = Mapping[str, Mapping[str, CueTest]]  # what each encoder makes of each cue


def tables_of(
    tests: Sequence[CueTest],
    p_values: Mapping[str, Corrected],
    tones: Mapping[str, Tone],
    more: Mapping[str, Beyond],
) -> list[Table]:
    """Return the tables; the mappings are the first encoder's, by the cue's name.

    more: its reliance beyond the untrained encoder's, empty if there is none.
    """
    found: dict[str, dict[str, CueTest]] = {}
    for test in tests:
        found.setdefault(test.cue.name, {})[test.encoder] = test
    tables = [_presence(found, p_values), _shift(found), _identity(found, p_values)]
    if any(test.reliance for test in tests):
        return [_reliance(found, p_values, tones, more), *tables]
    return tables


def _reliance(
    found: ByCue,
    p_values: Mapping[str, Corrected],
    tones: Mapping[str, Tone],
    more: Mapping[str, Beyond],
) -> Table:
    rows = []
    for cue, tests in found.items():
        decided = [test.reliance for test in tests.values()]
        first = decided[0]
        assert first is not None
        cells: list[Cell] = [one.follow if one else None for one in decided]
        cells.append(p_values[cue].reliance)
        if more:
            cells += [more[cue].difference, more[cue].p]
        rows.append(
            Row(
                cue,
                tuple(cells),
                levels=(("chance", first.chance),),
                tone=tones[cue],
            )
        )
    return Table(
        "reliance",
        "How often an answer follows the cue against the label",
        (*_columns(found), *(OVER if more else ())),
        tuple(rows),
        "Share of conflict images answered with the class that the cue stood for; "
        f"95 % bootstrap interval over images. {CONTROLS}" + (f" {DRAW}" if more else ""),
        "cue",
    )


def _presence(found: ByCue, p_values: Mapping[str, Corrected]) -> Table:
    rows = []
    for cue, tests in found.items():
        readings = [test.presence for test in tests.values()]
        cells = (one.accuracy for one in readings)
        levels = (("chance", readings[0].chance),)
        rows.append(Row(cue, (*cells, p_values[cue].presence), levels=levels))
    return Table(
        "presence",
        "How well features tell the cue",
        _columns(found),
        tuple(rows),
        "Balanced accuracy of a linear probe on held-out images; an untrained network shows "
        f"most cues, so this alone is no fault. {CONTROLS}",
        "cue",
    )


def _shift(found: ByCue) -> Table:
    names = [name for name in _encoders(found) if name not in ABOUT]
    rows = (
        Row(cue, tuple(tests[name].shift for name in names), levels=(("as much", 1.0),))
        for cue, tests in found.items()
    )
    return Table(
        "shift",
        "How far the cue moves an embedding, against another image of its class",
        tuple(Column(name, "number", drawn=True) for name in names),
        tuple(rows),
        "Mean 1 - cosine when the cue alone changes, divided by that between images with one "
        "cue. Above 1 the cue outweighs which image it is.",
        "cue",
    )


def _identity(found: ByCue, p_values: Mapping[str, Corrected]) -> Table:
    rows = []
    for cue, tests in found.items():
        one = next(iter(tests.values())).identity
        if one is not None:
            cells = (one.shared, one.changed, one.gain, p_values[cue].identity)
            rows.append(Row(cue, cells))
    return Table(
        "identity",
        "How often an image's other view is nearer than another image's",
        (
            Column("shared cue", "share", drawn=True, about="both views carry the image's own"),
            Column("changed", "share", drawn=True, about="it carries the other"),
            Column("gain", "points"),
            Column("p", "p"),
        ),
        tuple(rows),
        "By cosine, over all other images; a half is chance. p from a sign-flip test, corrected "
        "over the cues.",
        "cue",
    )


def _columns(found: ByCue) -> tuple[Column, ...]:
    names = _encoders(found)
    shares = (Column(name, "share", drawn=True, about=ABOUT.get(name, "")) for name in names)
    return (*shares, Column("p", "p", about=names[0]))


def _encoders(found: ByCue) -> list[str]:
    return list(next(iter(found.values())))
