"""Brightness, contrast, saturation, hue and greyscale as one affine colour map per sample.

Take luma Y = 0.299 R + 0.587 G + 0.114 B and the two chroma axes I and Q of YIQ. Brightness b
scales a colour, contrast c draws it towards the image's mean luma, saturation s towards its own
luma, hue turns its chroma by an angle t, and grey is s = 0. In YIQ all of these are diagonal or a
rotation of (I, Q), so they commute, and together are

    x  ->  b c (P + s cos t K + s sin t J) x  +  b (1 - c) mean luma,

where P keeps the luma, K = 1 - P the chroma and J turns the chroma by a right angle. torchvision
draws a random order instead. Order changes its result only through the clamping after every step,
which is not imitated here (we clamp once, at the end), and through its hue: that one is a shift in
HSV, which changes luma; ours keeps it.
"""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, for R, G, B
_IN_PHASE = (0.59590059, -0.27455667, -0.32134392)  # chroma axes of NTSC's YIQ (FCC, 1953)
_QUADRATURE = (0.21153661, -0.52273617, 0.31119955)


def random_factors(like: Tensor, *, strength: float) -> Float[Tensor, "batch"]:
    """Draw a factor per sample, uniform in [max(0, 1 - strength), 1 + strength]."""
    low = max(0.0, 1 - strength)
    draws = torch.rand(len(like), device=like.device)
    return draws.mul_(1 + strength - low).add_(low)


def recolour(
    images: Float[Tensor, "batch 3 height width"],
    *,
    brightness: Float[Tensor, "batch"],
    contrast: Float[Tensor, "batch"],
    saturation: Float[Tensor, "batch"],
    hue: Float[Tensor, "batch"],
) -> Float[Tensor, "batch 3 height width"]:
    """Change the colours of each sample by its own factors (1 changes nothing), without clamping.

    `hue` is in full turns, 0 changing nothing; saturation 0 makes a sample grey.
    """
    generators = _generators(images.device)
    gain = brightness * contrast
    chroma, angle = gain * saturation, hue * (2 * torch.pi)
    mixture = torch.stack((gain, chroma * angle.cos(), chroma * angle.sin()), 1)
    matrices = (mixture @ generators).view(-1, 3, 3)
    luma = images.mean((2, 3)) @ generators[0, :3]
    offset = (brightness * (1 - contrast) * luma)[:, None, None]
    return torch.baddbmm(offset, matrices, images.flatten(2)).view_as(images)


def adjust_tone(
    images: Float[Tensor, "batch channels height width"],
    *,
    brightness: Float[Tensor, "batch"],
    contrast: Float[Tensor, "batch"],
) -> Float[Tensor, "batch channels height width"]:
    """Change brightness and contrast of images with any channels, without clamping.

    Contrast draws every channel towards the mean over all pixels and channels.
    """
    offset = brightness * (1 - contrast) * images.mean((1, 2, 3))
    return torch.addcmul(
        offset[:, None, None, None], images, (brightness * contrast)[:, None, None, None]
    )


@cache
def _generators(device: torch.device) -> Float[Tensor, "3 9"]:
    """Return P, K and J of the module's equation, flattened.

    Each row of P holds the luma's weights. J turns from Q to I, so that a positive hue goes from
    red to yellow as in HSV.
    """
    to_yiq = torch.tensor((LUMA, _IN_PHASE, _QUADRATURE), dtype=torch.float64)
    quarter_turn = torch.tensor(((0, 0, 0), (0, 0, 1), (0, -1, 0)), dtype=torch.float64)
    keep_luma = to_yiq[0].expand(3, 3)  # a grey has three equal channels
    turn_chroma = torch.linalg.inv(to_yiq) @ quarter_turn @ to_yiq
    parts = torch.stack((keep_luma, torch.eye(3, dtype=torch.float64) - keep_luma, turn_chroma))
    return parts.flatten(1).float().to(device)
