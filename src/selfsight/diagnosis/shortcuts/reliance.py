"""Does an answer follow the cue or the content, where a cue of class b is planted on class a?

A linear probe is fitted on features of images in which the cue agrees with the label. On conflict
images reliance is the share of answers b. What it would be without any reliance is no fixed number:
a poor encoder answers b by mistake, and often. So chance is the same share after the cues have been
shuffled among conflict images of the same class, and p the share of such shuffles that follow as
much. Taken off image by image, chance is the share of conflict images of the same class whose cue
is that image's answer: what is left is 0 on average for whoever errs without following, however
often, so that two encoders can be compared. `either` is the share of answers b among the answers a
or b: 0 for content alone, 1 for the cue alone, a half for neither.

Which cue an image carries is drawn by chance and says nothing of its class, so one set of images
serves as conflict images, as agreeing ones, and for reading the cue itself.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from selfsight.data.images import ImageSet, Labels
from selfsight.diagnosis.shortcuts.permutation import orders, p_value
from selfsight.evaluation.interval import Interval, accuracy_interval

Numbers = Int64[np.ndarray, "images"]


@dataclass(frozen=True, slots=True)
class Reliance:
    """How far answers follow a cue, all in [0, 1]."""

    follow: Interval  # share of conflict images answered with the cue's class
    chance: float  # the same with cues shuffled within each class
    p: float  # of the permutation test, not corrected for other tests
    either: float  # share of such answers among those with the cue's or the own class
    agreeing: float  # accuracy where cue and label agree
    conflicting: float  # accuracy where they conflict
    conflicts: int  # images
    over_chance: Float64[np.ndarray, "conflicts"]  # 1 where an answer follows, less its chance

    @property
    def excess(self) -> float:
        """How far from chance (0) to following always (1)."""
        return (self.follow.value - self.chance) / max(1e-9, 1 - self.chance)


def reliance(predicted: Numbers, labels: Numbers, numbers: Numbers, *, seed: int) -> Reliance:
    """Return how far answers follow the cue; `numbers` are the classes that the cue points to."""
    conflict = numbers != labels
    assert conflict.any()
    answers, own, cues = predicted[conflict], labels[conflict], numbers[conflict]
    follows = answers == cues
    by_chance = np.concatenate(
        [(answers == shuffled).mean(axis=1) for shuffled in orders(cues, within=own, seed=seed)]
    )
    either = follows | (answers == own)
    agree = ~conflict
    return Reliance(
        follow=accuracy_interval(follows, seed=seed),
        chance=float(by_chance.mean()),
        p=p_value(float(follows.mean()), by_chance),
        either=float(follows[either].mean()) if either.any() else np.nan,
        agreeing=float((predicted == labels)[agree].mean()) if agree.any() else np.nan,
        conflicting=float((answers == own).mean()),
        conflicts=int(conflict.sum()),
        over_chance=follows - _chances(answers, own, cues),
    )


def _chances(answers: Numbers, own: Numbers, cues: Numbers) -> Float64[np.ndarray, "images"]:
    """Return how often each answer is the cue, over all orders of the cues within classes."""
    same = own[:, None] == own
    chances: Float64[np.ndarray, "images"] = (same & (answers[:, None] == cues)).sum(axis=1) / (
        same.sum(axis=1)
    )
    return chances


def commonest(images: ImageSet, *, most: int) -> ImageSet:
    """Return the images of the `most` commonest classes, renumbered from 0; of equals the first."""
    counts = np.bincount(images.labels.index[images.labels.index >= 0])
    kept = np.sort(np.argsort(-counts, kind="stable")[:most])
    kept = kept[counts[kept] > 0]
    return _only(images, tuple(images.labels.names[label] for label in kept.tolist()))


def same_classes(images: ImageSet, like: ImageSet) -> ImageSet:
    """Return the images of the classes that another set has, with its numbers."""
    return _only(images, like.labels.names)


def _only(images: ImageSet, names: tuple[str, ...]) -> ImageSet:
    number = np.array(
        [names.index(name) if name in names else -1 for name in images.labels.names] + [-1]
    )
    index = number[images.labels.index]  # -1, no label, reads the last
    rows = np.flatnonzero(index >= 0)
    part = images.part(rows)
    return ImageSet(part.pixels, part.paths, Labels(names, index[rows]), part.skipped, part.root)
