"""Does an image's cue become its identity? The cue tied to the instance, the same in both views.

A contrastive encoder learns to find an image's other view among all others; a cue that both views
share makes that easy without any content. So two light views of each image are made, the cue is
planted after that, and it is asked how often the other view is nearer, by cosine, than another
image's view: once with both views of an image carrying its number, once with the other view
carrying the other number. There are two, as far apart as the cue can say, and each image draws one.
The gain of the first over the second is how far the cue stands for the image; p is from a sign-flip
test.

The design is that of instance-unique bits shared by views (Chen, Luo and Li, 2020, arXiv
2011.02803), asked of an encoder that is already trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

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
Shares = Float64[np.ndarray, "images"]


@dataclass(frozen=True, slots=True)
class Identity:
    """How often an image's other view is nearer than that of another image, in [0, 1].

    1: nearer than all; 1/2: by chance.
    """

    shared: float  # both views carry the image's number
    changed: float  # the other view carries the other number
    gain: Interval  # shared - changed
    p: float  # of a gain above 0, not corrected for other tests
    images: int


def identity(
    encode: Encode, cue: Cue, images: ImageSet, *, seed: int, progress: Progress = quiet
) -> Identity:
    """Return what a cue adds to finding an image's other view; at most MOST images are used."""
    images = images.part(np.arange(min(MOST, len(images))))
    own = ties.to_nothing(len(images), kinds=2, seed=seed)
    shared, changed = nearer(
        encode, cue, images, own, others=(own, 1 - own), seed=seed, progress=progress
    )
    gains = shared - changed
    return Identity(
        shared=float(shared.mean()),
        changed=float(changed.mean()),
        gain=mean_interval(gains, seed=seed),
        p=sign_flip(gains, seed=seed),
        images=len(gains),
    )


def nearer(
    encode: Encode,
    cue: Cue,
    images: ImageSet,
    own: Numbers,
    *,
    others: Sequence[Numbers],
    seed: int,
    progress: Progress = quiet,
) -> list[Shares]:
    """Return the share of other images from which each image's other view lies farther.

    own: the number, 0 or 1, that the first view of each image carries. others: those of its other
    view, one after the other; a list of shares for each.
    """
    two = replace(cue, kinds=2)
    crop = Augmentation(images.pixels.shape[-1], area=AREA)

    def features(numbers: Numbers, *, view: int) -> Features:
        change = viewed(crop, seed=seed + view)

        def planted(pixels: Pixels, rows: Numbers) -> Pixels:
            # Other rows for the other view: noise that both share would be found by itself.
            return two(change(pixels, rows), numbers[rows], rows + view * len(images))

        return shown(encode, images, planted, what=f"{cue.name}: views", progress=progress)

    first = features(own, view=0)
    return [_nearer(first, features(numbers, view=1)) for numbers in others]


def _nearer(first: Features, second: Features) -> Shares:
    """Return the share of other images' first views that are less like each second view, by cosine.

    Equal ones count half. It is NaN of a single image.
    """
    one, other = (
        rows / np.maximum(1e-12, np.linalg.norm(rows, axis=1, keepdims=True))
        for rows in (first.astype(np.float64), second.astype(np.float64))
    )
    cosines = other @ one.T
    own = cosines.diagonal()[:, None]
    less, equal = (cosines < own).sum(axis=1), (cosines == own).sum(axis=1) - 1
    shares: Shares = (less + equal / 2) / np.float64(len(own) - 1)
    return shares
