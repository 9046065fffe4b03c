"""Raw pixels as features: what can be read from images without any encoder."""

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.nn import functional

from selfsight.evaluation.embed import Encode


def pixel_features(*, side: int = 32) -> Encode:
    """Return the function from images to their pixels in [0, 1], flattened.

    Images larger than `side` are shrunk to it by averaging areas; smaller ones stay as they are.
    """

    def encode(
        pixels: UInt8[np.ndarray, "batch channels height width"],
    ) -> Float32[np.ndarray, "batch dim"]:
        height, width = (min(side, length) for length in pixels.shape[2:])
        images = torch.tensor(pixels, dtype=torch.float32) / 255
        shrunk: Float32[np.ndarray, "batch dim"] = (
            functional.adaptive_avg_pool2d(images, (height, width)).flatten(1).numpy()
        )
        return shrunk

    return encode
