"""Stress: one probe, fitted on whole images, asked about images with something taken away.

Accuracy falls by what the encoder's readable features needed of what is missing, and by the mere
strangeness of such images: so the rows stand side by side, for the encoder, its untrained twin and,
if there is one, a supervised network, all measured alike. Whoever loses more to shuffled tiles
lives more off form, to blur more off texture, to grey more off colour.

Geirhos et al., 2018 (arXiv 1811.12231) used style transfer where this shuffles tiles; Xiao et al.,
2020 (arXiv 2006.09994) had masks where this covers the centre.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from selfsight.data.images import ImageSet, quiet
from selfsight.diagnosis.shortcuts.permutation import sign_flip
from selfsight.diagnosis.shortcuts.reading import Reading, evenly, probed, read
from selfsight.diagnosis.shortcuts.resampling import mean_interval
from selfsight.diagnosis.shortcuts.shown import shown
from selfsight.diagnosis.shortcuts.versions import VERSIONS
from selfsight.evaluation.embed import Encode, Progress
from selfsight.evaluation.interval import Interval

WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Stressed:
    """How one network reads the class from one version of the test images."""

    encoder: str
    version: str
    reading: Reading  # p: not corrected for other tests
    fall: Interval  # balanced accuracy on whole images minus that on these; paired
    fall_p: float  # of a fall above 0 by chance (sign flips); not corrected for other tests
    beside: Interval | None  # this fall minus that of the first encoder; None for the first


def measure_stress(
    encoders: Mapping[str, Encode],
    *,
    train: ImageSet,
    test: ImageSet,
    seed: int,
    progress: Progress = quiet,
) -> list[Stressed]:
    """Return how each encoder's probe reads each version of the test images, all labelled.

    train, test: images of the same classes, numbered alike. For each encoder the whole images come
    first, then the versions.
    """
    truth = test.labels.index
    found: list[Stressed] = []
    falls: dict[str, Float64[np.ndarray, "images"]] = {}
    for name, encode in encoders.items():
        fitted = shown(encode, train, what=f"{name}: training images", progress=progress)
        features = [shown(encode, test, what=f"{name}: whole images", progress=progress)]
        features += [
            shown(encode, test, change, what=f"{name}: {version}", progress=progress)
            for version, change in VERSIONS.items()
        ]
        answers = probed((fitted, train.labels.index), *features, seed=seed)
        rights = [evenly(truth) * (given == truth) for given in answers]
        for version, given, right in zip((WHOLE, *VERSIONS), answers, rights, strict=True):
            fall = rights[0] - right
            first = falls.setdefault(version, fall)
            found.append(
                Stressed(
                    encoder=name,
                    version=version,
                    reading=read(given, truth, seed=seed),
                    fall=mean_interval(fall, seed=seed),
                    fall_p=sign_flip(fall, seed=seed),
                    beside=None if first is fall else mean_interval(fall - first, seed=seed),
                )
            )
    return found
