"""How long an encoder takes that is found without gradient steps: measured on a few images."""

import time

import numpy as np

from selfsight.beginning import (
    LAYER,
    PATCHES,
    PROTOTYPES,
    VIEWS,
    begin,
    bytes_of_whole,
    looked_at,
    whole_images,
)
from selfsight.data.images import ImageSet
from selfsight.forecast import Pace
from selfsight.memory import peak_memory
from selfsight.nets.encoder import Encoder
from selfsight.speed.steps import Steps

MEASURED = 200  # images


def time_beginning(encoder: Encoder, pixels: ImageSet, *, images: int, seed: int) -> Steps:
    """Find the encoder in a few of the pixels, and return what that takes with so many images.

    The pace is that of the whole: its images are the pairs of views that are looked at. Patches are
    found in as many places of few images as of many, and the layer is one equation; looking at
    pairs takes longer the more there are, and finding prototypes the more images. The memory is
    that of the few, and what more whole images and their features take.
    """
    measured = pixels.part(np.arange(min(MEASURED, len(pixels))))
    since: dict[str, float] = {}

    def note(phase: str, done: int, total: int) -> None:  # noqa: ARG001
        since.setdefault(phase, time.perf_counter())

    begin(encoder, measured, seed=seed, progress=note)
    moments = [since[phase] for phase in (PATCHES, VIEWS, LAYER, PROTOTYPES)]
    patches, views, layer, prototypes = np.diff([*moments, time.perf_counter()])
    views *= looked_at(images) / looked_at(len(measured))
    prototypes *= whole_images(images) / len(measured)
    parts = {PATCHES: patches, VIEWS: views, LAYER: layer, PROTOTYPES: prototypes}
    whole = float(sum(parts.values()))
    shares = {part: float(seconds) / whole for part, seconds in parts.items()}
    pace = Pace(whole, looked_at(images), shares)
    more = max(0, whole_images(images) - len(measured))
    memory = peak_memory(encoder.mean.device) + more * bytes_of_whole(encoder)
    return Steps(pace, len(measured), memory)
