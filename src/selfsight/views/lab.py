"""sRGB to CIE Lab and back, in float: lightness L (0 to 100) and two opponent colours a and b.

IEC 61966-2-1 gives the curve and the primaries of sRGB, CIE 15 the rest; the white is D65. Each row
of the matrix is divided by its sum, which is the white, so a grey has a = b = 0. An 8-bit Lab image
would round a and b, and a model of colours would learn the rounding: nothing here is rounded.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.precision import full_precision

PRIMARIES = (  # X, Y, Z of the linear red, green and blue of sRGB
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
KNEE = 6 / 29  # where CIE's cube root becomes a line


@full_precision
def srgb_to_lab(
    images: Float[Tensor, "batch 3 height width"],
) -> Float[Tensor, "batch 3 height width"]:
    """Return L, a and b of sRGB images in [0, 1]; a and b lie within -108 to 99."""
    curved = ((images.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    linear = torch.where(images <= 0.04045, images / 12.92, curved)
    xyz = torch.einsum("bchw,xc->bxhw", linear, _matrix(images))
    root = xyz.clamp(min=KNEE**3) ** (1 / 3)
    x, y, z = torch.where(xyz > KNEE**3, root, xyz / (3 * KNEE**2) + 4 / 29).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


@full_precision
def lab_to_srgb(
    lab: Float[Tensor, "batch 3 height width"],
) -> Float[Tensor, "batch 3 height width"]:
    """Return sRGB images; a colour that no screen has leaves [0, 1] and is not clipped."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    roots = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    xyz = torch.where(roots > KNEE, roots**3, 3 * KNEE**2 * (roots - 4 / 29))
    linear = torch.einsum("bxhw,cx->bchw", xyz, torch.linalg.inv(_matrix(lab)))
    curved = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curved)


def _matrix(images: Tensor) -> Float[Tensor, "3 3"]:
    """Return linear sRGB to XYZ relative to the white."""
    rows = torch.tensor(PRIMARIES, dtype=torch.float64)
    return (rows / rows.sum(1, keepdim=True)).to(images)
