"""Nuisances, told: which traits of the files tell the class, and whether the encoder sees them."""

from collections.abc import Sequence

from selfsight.diagnosis.finding import Column, Finding, Row, Table, Tone
from selfsight.diagnosis.shortcuts.nuisance import Nuisance, Shown
from selfsight.diagnosis.shortcuts.permutation import LEVEL, PERMUTATIONS
from selfsight.diagnosis.shortcuts.wording import joined, percent, sure

NAME, TITLE = "nuisances", "What the files give away"
WORTH = 0.05  # of the way from chance to certainty, below which a leak is no news
TELLING = 3  # leaks told in the sentence; the table has all


def leaks(found: Sequence[Nuisance]) -> list[Nuisance]:
    """Return the traits that tell the class surely and by more than a trifle, the worst first.

    Their p-values are corrected: any false alarm among them comes in at most LEVEL of diagnoses.
    """
    return sorted(
        (
            one
            for one in found
            if one.leak and one.leak.p <= LEVEL and one.leak.reading.share >= WORTH
        ),
        key=lambda one: -(one.leak.reading.share if one.leak else 0),
    )


def nuisance_finding(found: Sequence[Nuisance]) -> Finding:
    """Return what was measured as a finding."""
    leaking = leaks(found)
    word, tone = _word(found, leaking)
    sentences = [leak_sentence(one, of=_tested(found)) for one in leaking[:TELLING]]
    if len(leaking) > TELLING:
        more = joined([one.trait.name for one in leaking[TELLING:]])
        sentences.append(f"So {'do' if len(leaking) > TELLING + 1 else 'does'} {more}.")
    if not sentences:
        sentences.append(_nothing(found))
    for why in dict.fromkeys(one.why_not for one in found if one.why_not):
        names = joined([one.trait.name for one in found if one.why_not == why])
        sentences.append(f"Not tested, being {why}: {names}.")
    return Finding(
        name=NAME,
        title=TITLE,
        word=word,
        tone=tone,
        sentence=" ".join(sentences),
        tables=tuple(_tables(found, leaking)),
        protocol={
            "p": f"permutation tests with {PERMUTATIONS} orders, corrected by Holm's method over "
            f"the traits: any false alarm in at most {LEVEL:.0%} of diagnoses, for each table",
            "leak": f"p of at most {LEVEL:g}, and at least {WORTH:.0%} of the way from chance to "
            "certainty",
            "reading": "fitted on training images; each test image is answered once; where there "
            "are labels, what features tell of a trait is tested within classes",
        },
    )


def leak_sentence(one: Nuisance, *, of: int) -> str:
    """Return a leak in words, with its p-value and what the encoder makes of it."""
    assert one.leak is not None
    reading = one.leak.reading
    most = f", {joined(one.leak.classes)} most of all" if one.leak.classes else ""
    seen = ""
    if one.shown and one.shown.p <= LEVEL:
        seen = (
            f" Features tell it beyond the class: {_read(one.shown)}, "
            f"{percent(one.shown.untrained.accuracy.value)} from the untrained encoder."
        )
    elif one.shown:
        seen = " Features tell not surely more of it than the class does."
    return (
        f"{one.trait.name[0].upper()}{one.trait.name[1:]} tells the class: from it alone held-out "
        f"images are put in their class with a balanced accuracy of "
        f"{percent(reading.accuracy.value)} ({percent(reading.chance)} by chance; "
        f"{sure(one.leak.p)}, corrected for {of} traits)"
        f"{most}.{seen}"
    )


def _read(shown: Shown) -> str:
    return (
        f"{percent(shown.encoder.accuracy.value)} of its {shown.encoder.kinds} kinds "
        f"against {percent(shown.encoder.chance)}"
    )


def _tested(found: Sequence[Nuisance]) -> int:
    return sum(one.leak is not None for one in found)


def _word(found: Sequence[Nuisance], leaking: Sequence[Nuisance]) -> tuple[str, Tone]:
    if any(not _of_content(one) for one in leaking):
        return "leak", "bad"
    if leaking:
        return "looks tell the class", "doubtful"
    return ("no leak found", "good") if _tested(found) else ("no labels", "neutral")


def _nothing(found: Sequence[Nuisance]) -> str:
    tested = _tested(found)
    if tested:
        hardly = [one.trait.name for one in found if one.leak and one.leak.p <= LEVEL]
        return (
            f"None of {tested} traits of the images surely tells the class by itself by "
            f"{WORTH:.0%} or more of the way from chance to certainty{_but(hardly)}."
        )
    return "Without labels it cannot be asked whether files give the class away."


def _but(hardly: Sequence[str]) -> str:
    return f"; surely, but hardly: {joined(hardly)}" if hardly else ""


def _tables(found: Sequence[Nuisance], leaking: Sequence[Nuisance]) -> list[Table]:
    tables = []
    if _tested(found):
        rows = [_leak_row(one, one in leaking) for one in found if one.leak]
        tables.append(
            Table(
                "leaks",
                "How well the class can be guessed from one trait alone",
                (Column("guessed", "share", drawn=True), Column("p", "p"), Column("known", "text")),
                tuple(rows),
                "Balanced accuracy on held-out images; 95 % bootstrap interval. Traits known from "
                "pixels, and the size of a file, may belong to the content.",
                "trait",
            )
        )
    tables.append(
        Table(
            "shown",
            "How well features tell a trait",
            (
                Column("encoder", "share", drawn=True),
                Column("untrained", "share", drawn=True),
                Column("gain", "points"),
                Column("p", "p", about="encoder, beyond the class"),
            ),
            tuple(
                Row(
                    one.trait.name,
                    (
                        one.shown.encoder.accuracy,
                        one.shown.untrained.accuracy,
                        one.shown.gain,
                        one.shown.p,
                    ),
                    levels=(("chance", one.shown.encoder.chance),),
                )
                for one in found
                if one.shown
            ),
            "Balanced accuracy of a linear probe on held-out images; chance knows the class where "
            "there are labels. The gain is of plain accuracy, paired.",
            "trait",
        )
    )
    return tables


def _of_content(one: Nuisance) -> bool:
    """Return whether a trait may belong to the content: detail makes files large, too."""
    return one.trait.source == "pixels" or one.trait.name == "file size"


def _leak_row(one: Nuisance, leaking: bool) -> Row:
    assert one.leak is not None
    tone: Tone = "neutral"
    if leaking:
        tone = "doubtful" if _of_content(one) else "bad"
    return Row(
        one.trait.name,
        (one.leak.reading.accuracy, one.leak.p, f"by {one.trait.source}"),
        levels=(("chance", one.leak.reading.chance),),
        tone=tone,
    )
