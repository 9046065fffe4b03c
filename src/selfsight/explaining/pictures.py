"""The explained images as a person knows them, and where in each lies what the encoder saw.

An encoder sees the central square of an image. The picture shown is the whole image, so that a map
lies where it belongs and the ends that nobody looked at are told apart.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

LONGEST = 320  # px of a picture kept for the page


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as colours."""

    pixels: UInt8[np.ndarray, "3 height width"]

    @property
    def square(self) -> bool:
        """Whether nothing of the image lies outside of the central square."""
        height, width = self.pixels.shape[1:]
        return bool(height == width)

    @property
    def box(self) -> tuple[int, int, int]:
        """Return the top, the left and the side of the central square, in px."""
        height, width = self.pixels.shape[1:]
        side = min(height, width)
        return (height - side) // 2, (width - side) // 2, side


def picture_of(pixels: Shaped[np.ndarray, "channels height width"]) -> Picture:
    """Return pixels (uint8, or float in [0, 1]) as a picture of at most LONGEST px.

    Three channels are red, green and blue. Any other number is shown as its mean, in grey.
    """
    eight = pixels if pixels.dtype == np.uint8 else np.rint(pixels.clip(0, 1) * 255)
    if eight.shape[0] != 3:
        eight = np.repeat(eight.astype(np.float32).mean(0, keepdims=True), 3, axis=0)
    image = Image.fromarray(np.ascontiguousarray(eight.transpose(1, 2, 0)).astype(np.uint8))
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return Picture(np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)))
