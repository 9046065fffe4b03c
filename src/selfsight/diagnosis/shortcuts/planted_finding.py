"""Planted cues, told: which are read, which decide, which become an image's identity."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8

from selfsight.diagnosis.finding import Finding, Picture, Sheet, Tone
from selfsight.diagnosis.shortcuts.beyond import UNTRAINED, WORTH, Beyond, beyond_untrained
from selfsight.diagnosis.shortcuts.cues import Cue
from selfsight.diagnosis.shortcuts.permutation import LEVEL, PERMUTATIONS
from selfsight.diagnosis.shortcuts.planted import READER, Corrected, CueTest, corrected
from selfsight.diagnosis.shortcuts.planted_tables import tables_of
from selfsight.diagnosis.shortcuts.wording import joined, percent, points

TITLE = "Planted cues"
MOSTLY = 0.5  # of the way from chance to following always


def planted_finding(
    tests: Sequence[CueTest], *, example: UInt8[np.ndarray, "3 side side"]
) -> Finding:
    """Return what was measured as a finding; `example` is an image to show the cues on.

    The first test's encoder is the one that is judged, beside the untrained one if that is there:
    only reliance surely beyond its is bad.
    """
    first = tests[0].encoder
    p_values = corrected(tests, first)
    own = {test.cue.name: test for test in tests if test.encoder == first}
    more = beyond_untrained(tests, seed=tests[0].cue.seed)
    tones = {name: _tone(name, tests, p_values[name], more.get(name)) for name in own}
    word, tone = _word(tones, own, more)
    plain = {test.cue.name: test for test in tests if test.encoder == UNTRAINED}
    return Finding(
        name="planted_cues",
        title=TITLE,
        word=word,
        tone=tone,
        sentence=_sentence(own, plain, p_values=p_values, tones=tones, more=more),
        tables=tuple(tables_of(tests, p_values, tones, more)),
        sheets=(_sheet([test.cue for test in own.values()], example),),
        protocol={
            "images": tests[0].presence.images,
            "numbers": tests[0].cue.kinds,
            "strength": {test.cue.name: test.cue.strength for test in own.values()},
            "probe": "linear, fitted on other images; each test image is answered once",
            "p": f"permutation test with {PERMUTATIONS} orders, corrected by Holm's method over "
            f"the cues: any false alarm in at most {LEVEL:.0%} of diagnoses, for each column of p",
        },
    )


def relies(p: Corrected) -> bool:
    """Return whether answers surely follow the cue beyond chance."""
    return p.reliance is not None and p.reliance <= LEVEL


def _tone(name: str, tests: Sequence[CueTest], p: Corrected, more: Beyond | None) -> Tone:
    by_encoder = {test.encoder: test for test in tests if test.cue.name == name}
    test = by_encoder[tests[0].encoder]
    if test.reliance is None:
        return "doubtful" if p.identity is not None and p.identity <= LEVEL else "neutral"
    if relies(p):
        own = more is None or more.sure
        return "bad" if own and test.reliance.excess >= MOSTLY else "doubtful"
    control = by_encoder.get(READER)
    seen = control is not None and relies(corrected(tests, READER)[name])
    return "good" if seen else "neutral"


def _word(
    tones: Mapping[str, Tone], own: Mapping[str, CueTest], more: Mapping[str, Beyond]
) -> tuple[str, Tone]:
    if all(test.reliance is None for test in own.values()):
        return "no labels", "neutral"
    if "bad" in tones.values():
        return "reliance", "bad"
    doubtful = [name for name, tone in tones.items() if tone == "doubtful"]
    if doubtful:
        gained = any(name not in more or more[name].sure for name in doubtful)
        return "some reliance" if gained else "as untrained", "doubtful"
    return ("no reliance", "good") if "good" in tones.values() else ("cues not seen", "neutral")


def _sentence(
    own: Mapping[str, CueTest],
    plain: Mapping[str, CueTest],
    *,
    p_values: Mapping[str, Corrected],
    tones: Mapping[str, Tone],
    more: Mapping[str, Beyond],
) -> str:
    read = [name for name in own if p_values[name].presence <= LEVEL]
    parts = [
        f"Of {len(own)} planted cues, features of held-out images tell "
        + (f"{len(read)}: {joined(read)}." if read else "none.")
    ]
    following = sorted(
        (name for name in own if relies(p_values[name])),
        key=lambda name: -_follow(own[name]),
    )
    if following:
        shares = [
            f"the {name} in {percent(_follow(own[name]))} (by chance {percent(_chance(own[name]))}"
            + (f", untrained {percent(_follow(plain[name]))})" if name in plain else ")")
            for name in following
        ]
        parts.append(
            "Where cue and label agreed when the probe was fitted and conflict when it is asked, "
            f"answers follow {joined(shares)}."
        )
        parts += _against_untrained(following, more)
    elif any(test.reliance for test in own.values()):
        parts.append("Where cue and label conflict, no answer surely follows a cue beyond chance.")
    unseen = [name for name, tone in tones.items() if tone == "neutral"]
    if unseen and any(test.reliance for test in own.values()):
        parts.append(
            f"Of {joined(unseen)} nothing can be said: not even a network trained on it follows it."
        )
    same = [name for name in own if (p_values[name].identity or 1.0) <= LEVEL]
    if same:
        parts.append(
            f"Two views of an image are nearer where they share the {joined(same, last='or')} than "
            "where it is changed in one of them."
        )
    return " ".join(parts)


def _against_untrained(following: Sequence[str], more: Mapping[str, Beyond]) -> list[str]:
    """Return what of the reliance can come from training, and what cannot be told from the cue's.

    following: the cues that answers follow.
    """
    gained = [
        f"the {name} ({points(more[name].difference.value)} points)"
        for name in following
        if name in more and more[name].sure
    ]
    alike = [f"the {name}" for name in following if name in more and not more[name].sure]
    parts = []
    if gained:
        parts.append(
            f"Surely more often than from the untrained encoder they follow {joined(gained)}."
        )
    if alike:
        parts.append(
            f"From the untrained encoder they follow {joined(alike)} as often, or less than "
            f"{100 * WORTH:.0f} points more seldom: that warns of a cue so strong that a probe "
            "takes it from any features, and is no fault of the training."
        )
    return parts


def _follow(test: CueTest) -> float:
    return test.reliance.follow.value if test.reliance else np.nan


def _chance(test: CueTest) -> float:
    return test.reliance.chance if test.reliance else np.nan


def _sheet(cues: Sequence[Cue], example: UInt8[np.ndarray, "3 side side"]) -> Sheet:
    rows = []
    for cue in cues:
        numbers = np.arange(cue.kinds)
        copies = np.repeat(example[None], cue.kinds, axis=0)
        planted = cue(copies, numbers, numbers)
        pictures = tuple(Picture(image, str(number)) for number, image in enumerate(planted))
        rows.append((cue.name, (Picture(example, "without"), *pictures)))
    return Sheet("The cues on one image", tuple(rows), "Each number is one kind of the cue.")
