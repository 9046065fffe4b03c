"""Images of any type and size, made into what an encoder takes."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn.functional import interpolate

from selfsight.errors import UserError

SLACK = 1e-3  # interpolation and half precision may step a little out of [0, 1]


def unit_range(
    images: Shaped[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch channels height width"]:
    """Return the images as float in [0, 1]: uint8 divided by 255, float as it is.

    Raises UserError for another type and for floats elsewhere (in [0, 255], or normalised).
    """
    if images.dtype == torch.uint8:
        return images.float() / 255
    if not images.is_floating_point():
        raise UserError(f"images are {images.dtype}; an encoder takes uint8, or float in [0, 1]")
    if images.numel() and not (images.min() >= -SLACK and images.max() <= 1 + SLACK):
        low, high = images.min().item(), images.max().item()
        raise UserError(f"float images must lie in [0, 1]; these lie in [{low:.4g}, {high:.4g}]")
    return images


def centre(
    images: Float[Tensor, "batch channels height width"], *, side: int
) -> Float[Tensor, "batch channels {side} {side}"]:
    """Return the central squares, scaled (bilinear, antialiased) so that the shorter side fits.

    side: of the squares, in px. Images that have it already come back as they are.
    """
    height, width = images.shape[2:]
    if (height, width) == (side, side):
        return images
    scale = side / min(height, width)
    high, wide = max(side, round(height * scale)), max(side, round(width * scale))
    if len(images) == 0:  # which torch refuses to interpolate
        return images.new_empty(0, images.shape[1], side, side)
    scaled = interpolate(images, (high, wide), mode="bilinear", antialias=True)
    top, left = (high - side) // 2, (wide - side) // 2
    return scaled[:, :, top : top + side, left : left + side]
