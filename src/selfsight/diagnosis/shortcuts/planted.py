"""What an encoder makes of a cue that is planted in the images: does it show, move, decide?

For each cue and encoder:

presence   how well a linear probe reads the cue's number from features of held-out images, the
           number being tied to nothing. An untrained network shows most cues: presence is no fault.
shift      how far changing the cue alone moves an embedding, mean 1 - cos, against how far another
           image of the same class with the same cue lies away. Above 1 the cue outweighs identity.
reliance   see `reliance.py`: how often an answer follows the cue where it conflicts with the label.
identity   see `identity.py`: whether the cue, tied to the instance, helps to find its other view.

Controls are rows like any other: `blind` is the encoder shown the images without the cue, which
must be at chance (negative); `cue network` was trained to tell the cue and must follow it
(positive): where it does not, the test cannot see this cue and a null result says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from selfsight.data.images import ImageSet, quiet
from selfsight.diagnosis.shortcuts.cues import Cue, planting
from selfsight.diagnosis.shortcuts.design import Design, Features, Numbers, Seen
from selfsight.diagnosis.shortcuts.identity import Identity, identity
from selfsight.diagnosis.shortcuts.reading import Reading, probed, read
from selfsight.diagnosis.shortcuts.reliance import Reliance, reliance
from selfsight.diagnosis.shortcuts.resampling import percentiles, resampled_means
from selfsight.diagnosis.shortcuts.shown import Reader, shown
from selfsight.evaluation.embed import Encode, Progress
from selfsight.evaluation.interval import Interval
from selfsight.evaluation.seeds import holm

BLIND, READER = "blind", "cue network"
KINDS = 4  # numbers of a cue, and classes in the test of reliance, at most
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class CueTest:
    """What one encoder makes of one cue."""

    cue: Cue
    encoder: str
    presence: Reading
    shift: Interval
    reliance: Reliance | None  # None without labels
    identity: Identity | None  # None for the controls


def measure_cues(
    encoders: Mapping[str, Encode],
    cues: Sequence[Cue],
    *,
    train: ImageSet,
    test: ImageSet,
    reader: Reader | None,
    seed: int,
    progress: Progress = quiet,
) -> list[CueTest]:
    """Return what each encoder makes of each cue; probes are fitted on `train`, read on `test`.

    train, test: images of the same classes, all labelled or none (see `reliance.commonest`); with
    labels a cue has a number for each class. The first encoder is also shown the images without the
    cue (BLIND).
    reader: trains the positive control on images, the change that plants, and the numbers.
    """
    first = next(iter(encoders.values()))
    clean = [
        shown(first, part, what="embedding images without cue", progress=progress)
        for part in (train, test)
    ]
    tests: list[CueTest] = []
    blind_answers: Numbers | None = None
    for place, cue in enumerate(cues):
        design = Design.of(cue, train, test, seed=seed + 100 * place)
        readers = dict(encoders)
        if reader is not None:
            plant = planting(design.cue, design.train_free)
            readers[READER] = reader(train, plant, design.train_free)
        for name, encode in readers.items():
            found = Seen.of(encode, design, what=f"{cue.name}: {name}", progress=progress)
            twins = (
                identity(encode, cue, test, seed=design.seed, progress=progress)
                if name in encoders
                else None
            )
            answers = _answers(found, design, seed=seed)
            tests.append(_test(name, found, design, answers=answers, twins=twins))
        blind = Seen(clean[0], clean[0], clean[1], clean[1][: design.moved])
        if place == 0:  # without a cue its answers are the same for all of them
            blind_answers = _answers(blind, design, seed=seed)
        tests.append(_test(BLIND, blind, design, answers=blind_answers, twins=None))
    return tests


@dataclass(frozen=True, slots=True)
class Corrected:
    """The p-values of one encoder and cue, each family corrected over the cues."""

    presence: float
    reliance: float | None
    identity: float | None


def corrected(tests: Sequence[CueTest], encoder: str) -> dict[str, Corrected]:
    """Return an encoder's p-values by the name of the cue, each family corrected by Holm."""
    own = [test for test in tests if test.encoder == encoder]
    presence = holm([test.presence.p for test in own])
    decided = iter(holm([test.reliance.p for test in own if test.reliance]))
    twins = iter(holm([test.identity.p for test in own if test.identity]))
    return {
        test.cue.name: Corrected(
            p,
            next(decided) if test.reliance else None,
            next(twins) if test.identity else None,
        )
        for test, p in zip(own, presence, strict=True)
    }


def _answers(found: Seen, design: Design, *, seed: int) -> Numbers | None:
    """Return the classes that a probe answers which was fitted where cue and label agree."""
    if design.train_tied is None:
        return None
    (answers,) = probed((found.train_tied, design.train.labels.index), found.test_free, seed=seed)
    return answers


def _test(
    name: str, found: Seen, design: Design, *, answers: Numbers | None, twins: Identity | None
) -> CueTest:
    seed = design.seed
    (told,) = probed((found.train_free, design.train_free), found.test_free, seed=seed)
    decided = None
    if answers is not None:
        decided = reliance(answers, design.test.labels.index, design.test_free, seed=seed)
    return CueTest(
        cue=design.cue,
        encoder=name,
        presence=read(told, design.test_free, seed=seed),
        shift=_shift(found, design),
        reliance=decided,
        identity=twins,
    )


def _shift(found: Seen, design: Design) -> Interval:
    """Return how far the cue moves embeddings, over how far content does, with its interval."""
    labels, numbers = design.test.labels.index, design.test_free
    by_cue = 1 - _cosines(found.test_free[: design.moved], found.test_changed)
    partner = np.full(len(labels), -1)
    for group in np.unique(np.stack([labels, numbers], 1), axis=0):
        rows = np.flatnonzero((labels == group[0]) & (numbers == group[1]))
        if len(rows) > 1:
            partner[rows] = np.roll(rows, 1)
    paired = partner >= 0
    if not paired.any():
        return Interval(np.nan, np.nan, np.nan)
    by_content = 1 - _cosines(found.test_free[paired], found.test_free[partner[paired]])
    ratios = resampled_means(by_cue, seed=design.seed) / np.maximum(
        TINY, resampled_means(by_content, seed=design.seed + 1)
    )
    return percentiles(float(by_cue.mean() / max(TINY, by_content.mean())), ratios)


def _cosines(one: Features, other: Features) -> Float64[np.ndarray, "images"]:
    first, second = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines: Float64[np.ndarray, "images"] = (first * second).sum(axis=1) / np.maximum(
        lengths, TINY
    )
    return cosines
