"""Stress, told: texture or form, colour or form, object or background."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from selfsight.diagnosis.finding import Cell, Column, Finding, Picture, Row, Sheet, Table, Tone
from selfsight.diagnosis.shortcuts.permutation import LEVEL, holm
from selfsight.diagnosis.shortcuts.stress import WHOLE, Stressed, told
from selfsight.diagnosis.shortcuts.versions import VERSIONS
from selfsight.diagnosis.shortcuts.wording import joined, percent, points, sure

NAME, TITLE = "stress", "What the class is read from"
WORTH = 0.05  # share of the way from chance to certainty from which the background tells the class
MISSING = {
    "patches shuffled": "form",
    "low pass": "fine structure",
    "high pass": "colour and coarse structure",
    "grey": "colour",
    "background only": "the centre",
    "centre only": "the background",
}


def background_tells(found: Sequence[Stressed]) -> tuple[bool, float]:
    """Return whether the class is read with the centre covered, and p of that, corrected.

    The first encoder's p-values are corrected over the versions by Holm's method.
    """
    own = [one for one in found if one.encoder == found[0].encoder and one.version != WHOLE]
    p_values = holm([one.reading.p for one in own])
    covered, p = next(
        (one, p) for one, p in zip(own, p_values, strict=True) if one.version == "background only"
    )
    return p <= LEVEL and covered.reading.share >= WORTH, p


def stress_finding(
    found: Sequence[Stressed], *, example: UInt8[np.ndarray, "3 side side"]
) -> Finding:
    """Return what was measured as a finding; `example` is an image to show the versions of."""
    encoders = list(dict.fromkeys(one.encoder for one in found))
    own = {one.version: one for one in found if one.encoder == encoders[0]}
    if own[WHOLE].reading.p > LEVEL:
        word = "not readable"
        sentence = "The class is not even read from whole images: nothing can be taken away."
    else:
        word, sentence = _told(own, found)
    background, _ = background_tells(found)
    tone: Tone = "doubtful" if background and word != "not readable" else "neutral"
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
            "images": own[WHOLE].reading.images,
        },
    )


def _told(own: dict[str, Stressed], found: Sequence[Stressed]) -> tuple[str, str]:
    falls = {name: own[name].fall for name in VERSIONS}
    sure_falls = [name for name in VERSIONS if falls[name].low > 0]
    parts = []
    if sure_falls:
        worst = max(("patches shuffled", "low pass", "grey"), key=lambda name: falls[name].value)
        word = f"{MISSING[worst]} most" if falls[worst].low > 0 else "robust"
        parts.append(
            "Of the class that is read from whole images, "
            + joined(
                [
                    f"{percent(min(1.0, max(0.0, told(own[name], own[WHOLE]))))} survives without "
                    f"{MISSING[name]}"
                    for name in ("patches shuffled", "low pass", "grey")
                ]
            )
            + "."
        )
    else:
        word = "robust"
        parts.append("No version of the images costs accuracy for sure.")
    background, p = background_tells(found)
    covered = own["background only"].reading
    if background:
        parts.append(
            f"With the centre covered {percent(covered.accuracy.value)} are still read right "
            f"({percent(covered.chance)} by chance; {sure(p)}): the background tells the class."
        )
    else:
        parts.append("With the centre covered nothing is read beyond chance.")
    differ = [
        f"{points(one.beside.value)} points without {MISSING[one.version]} "
        f"({points(one.beside.low)} to {points(one.beside.high)})"
        for one in found
        if one.encoder == "supervised"
        and one.beside
        and one.version in VERSIONS
        and (one.beside.low > 0 or one.beside.high < 0)
    ]
    if differ:
        parts.append(f"A supervised network falls otherwise than this one: by {joined(differ)}.")
    return word, " ".join(parts)


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
    caption = "Accuracy on whole images minus accuracy on these, paired; 95 % bootstrap interval."
    return [Table("falls", "How far accuracy falls", columns, tuple(rows), caption, "images")]


def _sheet(example: UInt8[np.ndarray, "3 side side"]) -> Sheet:
    pictures = [Picture(example, WHOLE)]
    pictures += [
        Picture(change(example[None], np.zeros(1, dtype=np.int64))[0], name)
        for name, change in VERSIONS.items()
    ]
    return Sheet("The versions of one image", (("", tuple(pictures)),))
