"""Gaussian blur as one small matrix per sample, and solarisation.

Blurring is linear and separable like resizing: a matrix that blurs can be multiplied into the
matrix that resizes (see `geometry`), and then costs no further pass over the pixels.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfsight.views.geometry import resample


def blur_kernel(size: int) -> int:
    """Return SimCLR's kernel width: a tenth of the image's side, odd, at least 3."""
    return max(3, size // 10 // 2 * 2 + 1)


def blur_matrices(
    sigma: Float[Tensor, "batch"], *, size: int, kernel: int
) -> Float[Tensor, "batch size size"]:
    """Return matrices that convolve `size` pixels with a Gaussian of each sample's `sigma`.

    The Gaussian is cut off after `kernel` pixels (an odd number) and normalised; the border is
    reflected without repeating the edge pixel. Sigma is in pixels; 0 gives the identity.
    """
    radius = kernel // 2
    assert kernel % 2 == 1 and radius < size
    offsets = torch.arange(-radius, radius + 1, device=sigma.device)
    # exp(-1 / (2 * 0.05²)) is 0 in float32: no neighbour has weight
    weights = torch.softmax(-0.5 * (offsets / sigma.clamp(min=0.05)[:, None]) ** 2, 1)
    pixels = torch.arange(size, device=sigma.device)
    read = (size - 1) - ((size - 1) - (pixels + offsets[:, None]).abs()).abs()
    shifts = torch.eye(size, device=sigma.device)[read]  # one reflected shift matrix per offset
    return (weights @ shifts.flatten(1)).view(-1, size, size)


def gaussian_blur(
    images: Float[Tensor, "batch channels height width"],
    sigma: Float[Tensor, "batch"],
    *,
    kernel: int,
) -> Float[Tensor, "batch channels height width"]:
    """Blur each sample with its own `sigma` (see `blur_matrices`)."""
    height, width = images.shape[2:]
    return resample(
        images,
        blur_matrices(sigma, size=height, kernel=kernel),
        blur_matrices(sigma, size=width, kernel=kernel),
    )


def solarise(
    images: Float[Tensor, "batch channels height width"], chosen: Bool[Tensor, "batch"]
) -> Float[Tensor, "batch channels height width"]:
    """Invert the pixels of at least 0.5 in the chosen samples (images in [0, 1])."""
    return torch.where((images >= 0.5) & chosen[:, None, None, None], 1 - images, images)
