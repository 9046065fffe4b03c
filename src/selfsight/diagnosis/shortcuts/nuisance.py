"""Nuisances: does the size, age or sharpness of a file tell its class, and do features tell it?

For each trait of the images (see `traits.py`):

tells     how well the class can be guessed from the trait alone, on held-out images: each of at
          most ten kinds of the trait is answered with the class in which it is commonest. A leak in
          the data: whoever reads the trait need not look at the content.
encoder   how well a linear probe reads the trait, as four kinds, from features. Where there are
          labels the truth is shuffled within classes only, so that chance knows the class, and p
          asks for what features tell beyond it.
untrained the same from the untrained encoder; `gain` is the paired difference of plain accuracies.

Both families of p-values, of leaks and of what the encoder shows, are corrected by Holm's method
over all traits that vary. The probe and every choice of kinds are made on the training part; the
test part is answered once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int64

from selfsight.data.labels import without_split
from selfsight.diagnosis.shortcuts.bins import Binned, binned
from selfsight.diagnosis.shortcuts.reading import Reading, probed, read
from selfsight.diagnosis.shortcuts.traits import Trait
from selfsight.evaluation.interval import Interval, difference_interval
from selfsight.evaluation.seeds import holm

GUESSED, READ = 10, 4  # kinds of a trait: to guess the class from it; to read it from features
MOST_NAMED = 3  # classes that a leak gives away
FEWEST = 20  # test images

Features = Float32[np.ndarray, "images _dim"]
Rows = Int64[np.ndarray, "_rows"]


@dataclass(frozen=True, slots=True)
class Leak:
    """How well the class can be guessed from a trait alone."""

    reading: Reading
    p: float  # corrected for the number of traits
    classes: tuple[str, ...]  # that it gives away most of all


@dataclass(frozen=True, slots=True)
class Shown:
    """How well a trait can be read from features."""

    encoder: Reading
    p: float  # corrected for the number of traits
    untrained: Reading
    gain: Interval  # accuracy of the encoder minus the untrained one's


@dataclass(frozen=True, slots=True)
class Nuisance:
    """What is known of a trait; None where it was not or could not be measured, with the reason.

    Nor is `shown` measured where nearly every class has one kind of the trait.
    """

    trait: Trait
    leak: Leak | None
    shown: Shown | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A class for every image, -1 for none, and what the classes are called."""

    index: Int64[np.ndarray, "images"]
    names: tuple[str, ...]


def measure_nuisances(
    traits: Sequence[Trait],
    encoder: Features,
    untrained: Features,
    *,
    labels: Labelled,
    training: Rows,
    test: Rows,
    seed: int,
) -> list[Nuisance]:
    """Return what each trait tells of the class, and what features tell of the trait.

    traits, encoder, untrained, labels: of the same images, in one order. training, test: rows.
    """
    found = [
        _measured(
            trait, (encoder, untrained), labels=labels, training=training, test=test, seed=seed
        )
        for trait in traits
    ]
    leaks = iter(holm([one.leak.reading.p for one in found if one.leak]))
    shows = iter(holm([one.shown.encoder.p for one in found if one.shown]))
    return [
        replace(
            one,
            leak=one.leak and replace(one.leak, p=next(leaks)),
            shown=one.shown and replace(one.shown, p=next(shows)),
        )
        for one in found
    ]


def _measured(
    trait: Trait,
    features: tuple[Features, Features],
    *,
    labels: Labelled,
    training: Rows,
    test: Rows,
    seed: int,
) -> Nuisance:
    chosen = np.zeros(len(labels.index), dtype=bool)
    chosen[training] = True
    fine, coarse = (binned(trait, training=chosen, most=most) for most in (GUESSED, READ))
    if not fine.varies:
        return Nuisance(trait, None, None, "nearly the same for all images")
    if _is_the_label(trait, labels):
        return Nuisance(trait, None, None, "the label itself")
    return Nuisance(
        trait,
        _leak(fine, labels, training, test, seed=seed),
        _shown(coarse, features, labels, training, test, seed=seed),
    )


def _is_the_label(trait: Trait, labels: Labelled) -> bool:
    """Return whether words of a trait and classes stand for one another, as folders may."""
    if not isinstance(trait.values, tuple) or trait.name != "source folder":
        return False
    pairs = {
        (word, label)
        for word, label in zip(without_split(trait.values), labels.index.tolist(), strict=True)
        if label >= 0
    }
    return len(pairs) == len({label for _, label in pairs}) == len({word for word, _ in pairs})


def _leak(kinds: Binned, labels: Labelled, training: Rows, test: Rows, *, seed: int) -> Leak | None:
    known = (labels.index >= 0) & (kinds.kinds >= 0)
    training, test = training[known[training]], test[known[test]]
    classes = labels.index[training]
    if len(test) < FEWEST or len(np.unique(classes)) < 2:
        return None
    table = np.zeros((len(kinds.names), len(labels.names)))
    np.add.at(table, (kinds.kinds[training], classes), 1)
    # The share of a class in each kind; a class without training images is never answered.
    shares = table / np.maximum(1, table.sum(axis=0))
    answers = shares.argmax(axis=1)[kinds.kinds[test]]
    truth = labels.index[test]
    reading = read(answers, truth, seed=seed)
    given_away = tuple(labels.names[label] for label in _given_away(answers, truth))
    return Leak(reading, reading.p, given_away)


def _given_away(answers: Rows, truth: Rows) -> list[int]:
    """Return the classes that are told best: answered for their own images and no others'."""
    told = {}
    for label in np.unique(truth).tolist():
        answered, own = answers == label, truth == label
        told[label] = answered[own].mean() - answered[~own].mean() if not own.all() else 0.0
    most = max(told.values())
    best = [label for label in sorted(told, key=lambda one: -told[one]) if told[label] > most / 2]
    return best[:MOST_NAMED] if most > 0 else []


def _told_by_class(truth: Rows, classes: Rows) -> bool:
    """Return whether fewer than FEWEST images are of a class that has two kinds of the trait."""
    mixed = [
        int((classes == label).sum())
        for label in np.unique(classes)
        if len(np.unique(truth[classes == label])) > 1
    ]
    return sum(mixed) < FEWEST


def _shown(
    kinds: Binned,
    features: tuple[Features, Features],
    labels: Labelled,
    training: Rows,
    test: Rows,
    *,
    seed: int,
) -> Shown | None:
    known = kinds.kinds >= 0
    training, test = training[known[training]], test[known[test]]
    truth = kinds.kinds[test]
    if len(test) < FEWEST or len(np.unique(truth)) < 2:
        return None
    if _told_by_class(truth, labels.index[test]):
        return None
    readings, rights = [], []
    for rows in features:
        (answers,) = probed((rows[training], kinds.kinds[training]), rows[test], seed=seed)
        # -1, no label, is a stratum of its own: images whose class is not known.
        readings.append(read(answers, truth, within=labels.index[test], seed=seed))
        rights.append(answers == truth)
    gain = difference_interval(rights[0], rights[1], seed=seed)
    return Shown(readings[0], readings[0].p, readings[1], gain)
