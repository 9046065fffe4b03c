"""Gaussian blur with a width of its own for every sample, and solarisation."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def blur_kernel(size: int) -> int:
    """Return SimCLR's kernel width: a tenth of the image's side, odd, at least 3."""
    return max(3, size // 10 // 2 * 2 + 1)


def gaussian_blur(
    images: Float[Tensor, "batch channels height width"],
    sigma: Float[Tensor, "batch"],
    *,
    kernel: int,
) -> Float[Tensor, "batch channels height width"]:
    """Convolve each sample with a Gaussian of its own `sigma`, in pixels; 0 changes nothing.

    The Gaussian is cut off after `kernel` pixels (an odd number) and normalised; the border is
    reflected without repeating the edge pixel.
    """
    batch, channels, height, width = images.shape
    radius = kernel // 2
    assert kernel % 2 == 1 and radius < min(height, width)
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    # exp(-1 / (2 * 0.05²)) is 0 in float32: no neighbour has weight
    weights = torch.softmax(-0.5 * (offsets / sigma.clamp(min=0.05)[:, None]) ** 2, 1)
    weights = weights.repeat_interleave(channels, 0)[:, None]
    padded = F.pad(images, (radius,) * 4, mode="reflect").flatten(0, 1)[None]
    narrowed = F.conv2d(padded, weights[:, :, None], groups=batch * channels)
    return F.conv2d(narrowed, weights[..., None], groups=batch * channels).view_as(images)


def solarise(
    images: Float[Tensor, "batch channels height width"], chosen: Bool[Tensor, "batch"]
) -> Float[Tensor, "batch channels height width"]:
    """Invert the pixels of at least 0.5 in the chosen samples (images in [0, 1]).

    An inverted pixel is the smaller of x and 1 - x; 2 - x is never smaller than x.
    """
    bound = (2 - chosen.to(images.dtype))[:, None, None, None]
    return images.minimum(bound - images)
