"""Small images whose classes a network can learn: stripes of three directions under noise."""

import numpy as np
import torch

from selfsight.data.images import ImageSet
from selfsight.data.labels import Labels
from selfsight.nets.encoder import Encoder, build_encoder

NAMES = ("across", "down", "slanted")


def striped(labels: list[int] | np.ndarray, *, seed: int = 0, side: int = 8) -> ImageSet:
    """Return an image for every label; -1 is an image without one (and without stripes)."""
    rng = np.random.default_rng(seed)
    index = np.asarray(labels, dtype=np.int64)
    rows, columns = np.mgrid[:side, :side]
    places = np.stack([rows, columns, (rows + columns) / 1.4, 0 * rows])[index]
    phases = rng.uniform(0, 6.28, (len(index), 1, 1))
    waves = np.sin(1.6 * places + phases)[:, None] + 0.8 * rng.standard_normal(
        (len(index), 3, side, side)
    )
    pixels = np.clip(128 + 50 * waves, 0, 255).astype(np.uint8)
    pixels.flags.writeable = False
    paths = tuple(f"striped/{seed}-{row}" for row in range(len(index)))
    return ImageSet(pixels, paths, Labels(NAMES, index), (), "striped")


def small_encoder(seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return build_encoder("convnet", image_size=8, mean=[0.5] * 3, std=[0.25] * 3)
