"""Stress, told: texture or form, colour or form, object or background."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from selfsight.diagnosis.cells import Cell
from selfsight.diagnosis.finding import Column, Finding, Picture, Row, Sheet, Table, Tone
from selfsight.diagnosis.shortcuts.permutation import LEVEL
from selfsight.diagnosis.shortcuts.stress import WHOLE, Stressed
from selfsight.diagnosis.shortcuts.versions import VERSIONS
from selfsight.diagnosis.shortcuts.wording import joined, percent, points, sure
from selfsight.evaluation.seeds import holm

NAME, TITLE = "stress", "What the class is read from"
WORTH = 0.05  # share of the way from chance to certainty from which the background tells the class
MISSING = {
    "patches shuffled": "form",
    "low pass": "fine structure",
    "high pass": "colour and coarse structure",
    "grey": "colour",
    "background only": "the centre",
    "centre only": "the surround",
}
ASKED = ("patches shuffled", "low pass", "grey")  # told in the sentence; the tables have all


def background_tells(found: Sequence[Stressed]) -> tuple[bool, float]:
    """Return whether the class is read with the centre covered, and p of that, corrected.

    The first encoder's p-values are corrected over the versions by Holm's method.
    """
    own = _versions(found)
    p_values = holm([one.reading.p for one in own])
    covered, p = next(
        (one, p) for one, p in zip(own, p_values, strict=True) if one.version == "background only"
    )
    return p <= LEVEL and covered.reading.share >= WORTH, p


def sure_falls(found: Sequence[Stressed]) -> list[Stressed]:
    """Return the first encoder's versions that surely cost accuracy, the largest fall first.

    By sign flips, corrected over the versions by Holm's method.
    """
    own = _versions(found)
    p_values = holm([one.fall_p for one in own])
    falling = [one for one, p in zip(own, p_values, strict=True) if p <= LEVEL]
    return sorted(falling, key=lambda one: -one.fall.value)


def stress_finding(
    found: Sequence[Stressed], *, example: UInt8[np.ndarray, "3 side side"]
) -> Finding:
    """Return what was measured as a finding; `example` is an image to show the versions of."""
    encoders = list(dict.fromkeys(one.encoder for one in found))
    whole = found[0]
    assert whole.version == WHOLE
    background, _ = background_tells(found)
    tone: Tone = "neutral"
    if whole.reading.p > LEVEL:
        word = "not readable"
        sentence = "The class is not even read from whole images: nothing can be taken away."
    else:
        word, sentence = _word(found), " ".join(_sentences(found))
        tone = "doubtful" if background else "neutral"
    return Finding(
        name=NAME,
        title=TITLE,
        word=word,
        tone=tone,
        sentence=sentence,
        tables=(_accuracies(found, encoders), *_falls(found, encoders)),
        sheets=(_sheet(example),),
        protocol={
            "probe": "linear, fitted on whole training images, asked about every version of the "
            "test images; strangeness of a version counts as well as what it lacks",
            "centre": "the central square of half the area stands in for the object: a proxy",
            "p": "permutation test for what is read, sign flips for falls, each corrected by "
            "Holm's method over the versions",
            "images": whole.reading.images,
        },
    )


def _versions(found: Sequence[Stressed]) -> list[Stressed]:
    return [one for one in found if one.encoder == found[0].encoder and one.version != WHOLE]


def _word(found: Sequence[Stressed]) -> str:
    """Return the answer in a word: what raises doubt before what does not."""
    if background_tells(found)[0]:
        return "surround tells"
    falling = [MISSING[one.version] for one in sure_falls(found) if one.version in ASKED]
    return f"needs {joined(falling)}" if falling else "no sure fall"


def _sentences(found: Sequence[Stressed]) -> list[str]:
    return [_of_falls(found), _of_background(found), *_of_supervised(found)]


def _of_falls(found: Sequence[Stressed]) -> str:
    """Return how far the probe's answers fall, against its answers to the same whole images."""
    whole, falling = found[0].reading, sure_falls(found)
    sure_of = [one for one in falling if one.version in ASKED]
    unsure = [MISSING[name] for name in ASKED if name not in {one.version for one in falling}]
    start = (
        f"On whole held-out images a probe has a balanced accuracy of "
        f"{percent(whole.accuracy.value)} ({percent(whole.chance)} by chance)"
    )
    drops = [f"{100 * one.fall.value:.0f} points without {MISSING[one.version]}" for one in sure_of]
    none = f"without {joined(unsure, last='or')} no fall is sure"
    if not drops:
        return f"{start}; of the same images {none}."
    told = f"{start}; of the same images it loses {joined(drops)}"
    return f"{told}, and {none}." if unsure else f"{told}."


def _of_background(found: Sequence[Stressed]) -> str:
    background, p = background_tells(found)
    covered = next(one.reading for one in found if one.version == "background only")
    read = (
        f"With the centre covered it is {percent(covered.accuracy.value)} "
        f"({percent(covered.chance)} by chance; {sure(p)})"
    )
    if background:
        return (
            f"{read}: what lies around the centre, the background or the rest of a large object, "
            "tells the class."
        )
    more = "hardly" if p <= LEVEL else "not surely"
    return f"{read}, {more if covered.share > 0 else 'no'} more than chance."


def _of_supervised(found: Sequence[Stressed]) -> list[str]:
    differ = [
        f"{points(one.beside.value)} points without {MISSING[one.version]} "
        f"({points(one.beside.low)} to {points(one.beside.high)})"
        for one in found
        if one.encoder == "supervised"
        and one.beside
        and one.version != WHOLE
        and (one.beside.low > 0 or one.beside.high < 0)
    ]
    if not differ:
        return []
    return [
        "The supervised network's fall minus this one's, where the 95 % interval leaves out 0 "
        f"(not corrected for {len(MISSING)} versions): {joined(differ)}."
    ]


def _accuracies(found: Sequence[Stressed], encoders: Sequence[str]) -> Table:
    cell = {(one.encoder, one.version): one for one in found}
    return Table(
        "accuracy",
        "How well the class is read from images with something taken away",
        tuple(Column(name, "share", drawn=True) for name in encoders),
        tuple(
            Row(
                version,
                tuple(cell[name, version].reading.accuracy for name in encoders),
                note=f"without {MISSING[version]}" if version in MISSING else "",
                levels=(("chance", cell[encoders[0], WHOLE].reading.chance),),
            )
            for version in (WHOLE, *VERSIONS)
        ),
        "Balanced accuracy on held-out images; 95 % bootstrap interval.",
        "images",
    )


def _falls(found: Sequence[Stressed], encoders: Sequence[str]) -> list[Table]:
    cell = {(one.encoder, one.version): one for one in found}
    others = encoders[1:]
    columns = (
        Column(f"fall, {encoders[0]}", "points", drawn=True),
        *(Column(f"{name} falls more by", "points", drawn=True) for name in others),
    )
    rows = []
    for version in VERSIONS:
        cells: tuple[Cell, ...] = (
            cell[encoders[0], version].fall,
            *(cell[name, version].beside for name in others),
        )
        rows.append(Row(version, cells, levels=(("none", 0.0),)))
    caption = (
        "Balanced accuracy on whole images minus that on these, paired; 95 % bootstrap interval."
    )
    return [Table("falls", "How far accuracy falls", columns, tuple(rows), caption, "images")]


def _sheet(example: UInt8[np.ndarray, "3 side side"]) -> Sheet:
    pictures = [Picture(example, WHOLE)]
    pictures += [
        Picture(change(example[None], np.zeros(1, dtype=np.int64))[0], name)
        for name, change in VERSIONS.items()
    ]
    return Sheet("The versions of one image", (("", tuple(pictures)),))
