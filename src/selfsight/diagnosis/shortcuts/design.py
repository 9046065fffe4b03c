"""Which image carries which number of a cue, and what an encoder makes of those images.

Two sets of training images, the number tied to nothing and to the label, and two of test images,
the number tied to nothing and changed, are all that presence, shift and reliance need.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int64

from selfsight.data.images import ImageSet
from selfsight.diagnosis.shortcuts import ties
from selfsight.diagnosis.shortcuts.cues import Cue, planting
from selfsight.diagnosis.shortcuts.shown import shown, unchanged
from selfsight.evaluation.embed import Encode, Progress

MOVED = 200  # images whose cue is changed

Features = Float32[np.ndarray, "_images dim"]  # of sets of different sizes
Numbers = Int64[np.ndarray, "_images"]


@dataclass(frozen=True, slots=True)
class Design:
    """Which image carries which number, in each of the four sets of features."""

    cue: Cue
    train: ImageSet
    test: ImageSet
    train_free: Numbers  # tied to nothing
    train_tied: Numbers | None  # to the label
    test_free: Numbers
    test_changed: Numbers  # another number on each of the first images
    seed: int

    @classmethod
    def of(cls, cue: Cue, train: ImageSet, test: ImageSet, *, seed: int) -> "Design":
        """Return the design for a cue, drawn by the seed."""
        labels = train.labels.index
        labelled = bool((labels >= 0).all()) and len(np.unique(labels)) > 1
        if labelled:  # a number for every class, and none that stands for no class
            cue = replace(cue, kinds=len(train.labels.names))
        kinds = cue.kinds
        test_free = ties.to_nothing(len(test), kinds=kinds, seed=seed + 1)
        return cls(
            cue,
            train,
            test,
            train_free=ties.to_nothing(len(train), kinds=kinds, seed=seed),
            train_tied=ties.to_label(labels, kinds=kinds, seed=seed) if labelled else None,
            test_free=test_free,
            test_changed=ties.changed(test_free[:MOVED], kinds=kinds, seed=seed),
            seed=seed,
        )

    @property
    def moved(self) -> int:
        """Return how many test images are shown with another number too."""
        return len(self.test_changed)


@dataclass(frozen=True, slots=True)
class Seen:
    """What an encoder makes of the four sets of a design."""

    train_free: Features
    train_tied: Features
    test_free: Features
    test_changed: Features

    @classmethod
    def of(cls, encode: Encode, design: Design, *, what: str, progress: Progress) -> "Seen":
        """Return the features of a design's images; `what` names the phase of progress."""

        def features(images: ImageSet, numbers: Numbers | None, *, first: int = 0) -> Features:
            change = unchanged if numbers is None else planting(design.cue, numbers, first=first)
            return shown(encode, images, change, what=what, progress=progress)

        free, moved = features(design.train, design.train_free), np.arange(design.moved)
        after = len(design.train)
        return cls(
            train_free=free,
            train_tied=free
            if design.train_tied is None
            else features(design.train, design.train_tied),
            test_free=features(design.test, design.test_free, first=after),
            test_changed=features(design.test.part(moved), design.test_changed, first=after),
        )
