"""Holes for inpainting: which part of an image is missing.

Pathak et al. 2016 (arXiv 1604.07379), section 3.3: the central square, or a region of any shape.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import interpolate

Region = Literal["random", "centre"]
CELLS = 6  # across the coarse noise that a random hole is cut from


def draw_holes(
    images: Float[Tensor, "batch channels side side"], *, region: Region, share: float
) -> Bool[Tensor, "batch 1 side side"]:
    """Return where the images' holes are: `share` of every image's pixels.

    random: the lowest values of coarse noise, enlarged bicubically, so each image has exactly the
    same area in blobs of its own. centre: the central square, its side rounded to whole pixels.
    """
    batch, side = len(images), images.shape[-1]
    if region == "random":
        noise = torch.rand(batch, 1, CELLS, CELLS, device=images.device)
        field = interpolate(noise, size=(side, side), mode="bicubic").flatten(1)
        rank = field.argsort(1).argsort(1)
        return (rank < round(share * side**2)).view(batch, 1, side, side)
    across = max(1, round(side * share**0.5))
    start = (side - across) // 2
    hole = torch.zeros(batch, 1, side, side, dtype=torch.bool, device=images.device)
    hole[:, :, start : start + across, start : start + across] = True
    return hole
