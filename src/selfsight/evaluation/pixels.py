"""Raw pixels as features: what can be read from images without any encoder."""

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.nn import functional


def pixel_features(
    pixels: UInt8[np.ndarray, "batch channels height width"], *, side: int = 32
) -> Float32[np.ndarray, "batch dim"]:
    """Return the pixels of images in [0, 1], flattened: a callable for `embed`.

    Images larger than `side` are shrunk to it by averaging areas; smaller ones stay as they are.
    """
    height, width = (min(side, length) for length in pixels.shape[2:])
    images = torch.tensor(pixels, dtype=torch.float32) / 255
    shrunk = functional.adaptive_avg_pool2d(images, (height, width))
    features: Float32[np.ndarray, "batch dim"] = shrunk.flatten(1).numpy()
    return features
