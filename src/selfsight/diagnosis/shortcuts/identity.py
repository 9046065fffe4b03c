"""Does an image's cue become its identity? The cue tied to the instance, the same in both views.

A contrastive encoder learns to find an image's other view among all others; a cue that both views
share makes that easy without any content. So two light views of each image are made, the cue is
planted after that, and the other view is looked for by cosine among all: once with both views of an
image carrying its own number, once with numbers that have nothing to do with one another. The gain
of the first over the second is what the cue adds to identity; p is from a sign-flip test.

The design is that of instance-unique bits shared by views (Chen, Luo and Li, 2020, arXiv
2011.02803), asked of an encoder that is already trained.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from selfsight.data.images import ImageSet, quiet
from selfsight.diagnosis.shortcuts import ties
from selfsight.diagnosis.shortcuts.cues import Cue
from selfsight.diagnosis.shortcuts.permutation import sign_flip
from selfsight.diagnosis.shortcuts.resampling import mean_interval
from selfsight.diagnosis.shortcuts.shown import shown, viewed
from selfsight.evaluation.embed import Encode, Progress
from selfsight.evaluation.interval import Interval
from selfsight.views.augmentation import Augmentation

MOST = 300  # images
AREA = (0.5, 1.0)  # of a view

Pixels = UInt8[np.ndarray, "images 3 side side"]
Features = Float32[np.ndarray, "images dim"]
Numbers = Int64[np.ndarray, "images"]


@dataclass(frozen=True, slots=True)
class Identity:
    """How often an image's other view is found among all, in [0, 1]."""

    shared: float  # both views carry the image's number
    unrelated: float  # each view carries a number of its own
    gain: Interval  # shared - unrelated
    p: float  # of a gain above 0, not corrected for other tests
    images: int


def identity(
    encode: Encode, cue: Cue, images: ImageSet, *, seed: int, progress: Progress = quiet
) -> Identity:
    """Return what a cue adds to finding an image's other view; at most MOST images are used."""
    images = images.part(np.arange(min(MOST, len(images))))
    many = replace(cue, kinds=max(2, len(images)))
    own = ties.to_instance(len(images), seed=seed)
    other = np.roll(own, 1)
    crop = Augmentation(images.pixels.shape[-1], area=AREA)

    def features(numbers: Numbers, *, view: int) -> Features:
        change = viewed(crop, seed=seed + view)

        def planted(pixels: Pixels, rows: Numbers) -> Pixels:
            # Other rows for the other view: noise that both share would be found by itself.
            return many(change(pixels, rows), numbers[rows], rows + view * len(images))

        return shown(encode, images, planted, what=f"{cue.name}: views", progress=progress)

    first = features(own, view=0)
    hits = {
        name: _found(first, features(numbers, view=1)).astype(np.float64)
        for name, numbers in (("shared", own), ("unrelated", other))
    }
    gains = hits["shared"] - hits["unrelated"]
    return Identity(
        shared=float(hits["shared"].mean()),
        unrelated=float(hits["unrelated"].mean()),
        gain=mean_interval(gains, seed=seed),
        p=sign_flip(gains, seed=seed),
        images=len(images),
    )


def _found(first: Features, second: Features) -> Bool[np.ndarray, "images"]:
    """Return whether each second view's nearest first view, by cosine, is of its own image."""
    one, other = (
        rows / np.maximum(1e-12, np.linalg.norm(rows, axis=1, keepdims=True))
        for rows in (first, second)
    )
    nearest = (other @ one.T).argmax(axis=1)
    found: Bool[np.ndarray, "images"] = nearest == np.arange(len(nearest))
    return found
