"""Twins: who relies more on a planted cue, a supervised network or a self-supervised one?

The cue is planted in the training images so that it agrees with the label (with a stated
probability). One network learns the labels, one learns from the same pixels without them, and a
third stays untrained. Then all are measured alike: a linear probe on frozen features of the planted
training images, asked about test images in which the cue is drawn by chance (see `reliance.py`).
Chance is taken off before they are compared: who errs more often hits the cue's class more often.

Either answer is a result. The interval of the difference is over test images for one training each;
with several seeds (data, cue and training anew) it is Student's over seeds, which is what a claim
about methods needs; three or more are advised.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from selfsight.data.images import ImageSet, quiet
from selfsight.diagnosis.shortcuts import ties
from selfsight.diagnosis.shortcuts.cues import Cue, planting
from selfsight.diagnosis.shortcuts.reading import probed
from selfsight.diagnosis.shortcuts.reliance import Reliance, reliance
from selfsight.diagnosis.shortcuts.resampling import mean_interval
from selfsight.diagnosis.shortcuts.shown import shown, unchanged
from selfsight.evaluation.embed import Encode, Progress
from selfsight.evaluation.interval import Interval

Learn = Callable[[ImageSet, int], Encode]  # images with labels, seed


@dataclass(frozen=True, slots=True)
class Twin:
    """How far one way of learning made an encoder rely on the cue, for every seed."""

    name: str
    reliances: tuple[Reliance, ...]
    clean: tuple[float, ...]  # accuracy on test images without a cue


@dataclass(frozen=True, slots=True)
class Twins:
    """All ways of learning, and how much more often the first follows the cue than the second."""

    cue: Cue
    agreement: float
    twins: tuple[Twin, ...]
    difference: Interval  # of the shares of conflict images whose answer follows, less chance
    seeds: int
    train_images: int
    test_images: int


def measure_twins(
    learners: Mapping[str, Learn],
    cue: Cue,
    *,
    train: ImageSet,
    test: ImageSet,
    agreement: float,
    seeds: tuple[int, ...],
    progress: Progress = quiet,
) -> Twins:
    """Return how far encoders rely on a cue that agreed with the label while they learned.

    learners: two or more ways of learning; each is given the planted images with their labels and a
    seed, and returns an encoder. train, test: labelled images of at most `cue.kinds` classes.
    """
    assert len(learners) > 1
    results: dict[str, list[tuple[Reliance, float]]] = {name: [] for name in learners}
    for seed in seeds:
        taught = planted(train, cue, agreement=agreement, seed=seed)
        numbers = ties.to_nothing(len(test), kinds=cue.kinds, seed=seed + 1)
        truth = test.labels.index
        for name, learn in learners.items():
            encode = learn(taught, seed)
            fitted, asked, clean = (
                shown(encode, images, change, what=f"{name}: {what}", progress=progress)
                for images, change, what in (
                    (taught, unchanged, "training images"),
                    (test, planting(cue, numbers, first=len(train)), "conflict images"),
                    (test, unchanged, "images without cue"),
                )
            )
            answers, plain = probed((fitted, taught.labels.index), asked, clean, seed=seed)
            found = reliance(answers, truth, numbers, seed=seed)
            results[name].append((found, float((plain == truth).mean())))
    first, second = list(results.values())[:2]
    differences = [
        one.over_chance - other.over_chance
        for (one, _), (other, _) in zip(first, second, strict=True)
    ]
    return Twins(
        cue=cue,
        agreement=agreement,
        twins=tuple(
            Twin(name, tuple(one[0] for one in found), tuple(one[1] for one in found))
            for name, found in results.items()
        ),
        difference=_difference(differences, seed=seeds[0]),
        seeds=len(seeds),
        train_images=len(train),
        test_images=len(test),
    )


def planted(images: ImageSet, cue: Cue, *, agreement: float, seed: int) -> ImageSet:
    """Return images with the cue tied to the label; the changed pixels are held in memory."""
    numbers = ties.to_label(images.labels.index, kinds=cue.kinds, agreement=agreement, seed=seed)
    ends = [*range(0, len(images), 256), len(images)]
    parts = [
        cue(images.batch(rows), numbers[rows], rows)
        for rows in (np.arange(start, end) for start, end in pairwise(ends))
    ]
    return replace(images, pixels=np.concatenate(parts))


def _difference(differences: list[Float64[np.ndarray, "_conflicts"]], *, seed: int) -> Interval:
    if len(differences) == 1:
        return mean_interval(differences[0], seed=seed)
    from scipy.stats import t  # comes with scikit-learn

    means = np.array([values.mean() for values in differences])
    half = float(t.ppf(0.975, len(means) - 1)) * means.std(ddof=1) / math.sqrt(len(means))
    return Interval(float(means.mean()), float(means.mean() - half), float(means.mean() + half))
