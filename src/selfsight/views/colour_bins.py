"""Colours as classes: the cells of a grid over a and b (CIE Lab) that sRGB reaches.

Zhang, Isola, Efros: Colorful Image Colorization, ECCV 2016 (arXiv 1603.08511). The cells are found
by converting a fine cube of sRGB colours, so nothing is shipped: a grid of 10 gives 260 cells that
hold a colour of the screen, while the authors' file has 313.
"""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.precision import full_precision
from selfsight.views.lab import srgb_to_lab

SHADES = 52  # steps of 5/255 along each side of the cube


@cache
def colour_bins(*, grid: float) -> Float[Tensor, "bins 2"]:
    """Return the centres (a, b) of all cells of side `grid` that an sRGB colour falls into.

    Treat them as read-only.
    """
    shade = torch.linspace(0, 1, SHADES)
    cube = torch.cartesian_prod(shade, shade, shade)
    ab = srgb_to_lab(cube[:, :, None, None])[:, 1:, 0, 0]
    cells: Tensor = (ab / grid).round().unique(dim=0)  # type: ignore[no-untyped-call]
    return cells * grid


@full_precision
def soft_code(
    ab: Float[Tensor, "batch 2 rows columns"],
    bins: Float[Tensor, "bins 2"],
    *,
    neighbours: int,
    sigma: float,
) -> Float[Tensor, "batch bins rows columns"]:
    """Return each pixel's distribution over the bins: its nearest ones by a Gaussian in Lab units.

    The weights exp(-distance^2 / (2 sigma^2)) of the `neighbours` nearest bins, made to sum to 1.
    """
    batch, _, rows, columns = ab.shape
    pixels = ab.permute(0, 2, 3, 1).reshape(-1, 2)
    # without the matrix product, whose rounding is as large as small distances
    distance = torch.cdist(pixels, bins, compute_mode="donot_use_mm_for_euclid_dist")
    nearest, places = distance.topk(neighbours, largest=False)
    shares = (-nearest.square() / (2 * sigma**2)).softmax(1)
    codes = torch.zeros_like(distance).scatter_(1, places, shares)
    return codes.view(batch, rows, columns, -1).permute(0, 3, 1, 2)


def rarity(prior: Float[Tensor, "bins"], *, uniform: float) -> Float[Tensor, "bins"]:
    """Return 1 / ((1 - uniform) p + uniform / Q), scaled so that its mean under the prior p is 1.

    Q counts all bins (equation 4), not only those that occur.
    """
    weights = 1 / ((1 - uniform) * prior + uniform / len(prior))
    return weights / (prior * weights).sum()
