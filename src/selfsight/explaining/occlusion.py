"""Occlusion: what is lost when a part of the image is hidden.

Zeiler & Fergus, ECCV 2014 (arXiv 1311.2901). A square slides over the image and is filled with the
mean colour; a pixel's value is the mean, over all squares that cover it, of the score's fall.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.explaining.maps import LOOKED_AT, Images, Maps, features_of, pieces, plain_colour
from selfsight.explaining.targets import Target, all_rows
from selfsight.nets.encoder import Encoder

ACROSS = 4  # squares beside one another along the shorter side
OVERLAP = 3  # squares that cover a place, along each side


@dataclass(frozen=True, slots=True)
class Occlusion:
    """Occlusion by a sliding square.

    side, stride: in px; 0 for a quarter of the image's shorter side, and a third of that.
    """

    side: int = 0
    stride: int = 0

    def __call__(self, encoder: Encoder, images: Images, target: Target) -> Maps:
        """Return the maps; positive where hiding lowers the score, negative where it raises it."""
        side = self.side or max(1, round(min(images.shape[2:]) / ACROSS))
        stride = self.stride or max(1, side // OVERLAP)
        height, width = images.shape[2:]
        corners = [
            (top, left)
            for top in _starts(height, side, stride)
            for left in _starts(width, side, stride)
        ]
        whole = target.score(features_of(encoder, images), all_rows(images))
        drawn = []
        for row in all_rows(images).tolist():
            scores = _hidden(encoder, images[row], target, row=row, corners=corners, side=side)
            drawn.append(_mean_fall(whole[row] - scores, corners, side, images))
        return Maps(torch.stack(drawn), signed=True)


def _starts(length: int, side: int, stride: int) -> list[int]:
    """Return where the squares begin along one side; the last one ends with the image."""
    last = max(0, length - side)
    return [*range(0, last, stride), last]


def _hidden(
    encoder: Encoder,
    image: Float[Tensor, "channels height width"],
    target: Target,
    *,
    row: int,
    corners: list[tuple[int, int]],
    side: int,
) -> Float[Tensor, "squares"]:
    """Return the score with each square hidden in turn."""
    scores = []
    for part in pieces(len(corners), image[None], pixels=LOOKED_AT):
        copies = image.repeat(len(part), 1, 1, 1)
        for copy, number in zip(copies, part, strict=True):
            top, left = corners[number]
            copy[:, top : top + side, left : left + side] = plain_colour(encoder)
        rows = torch.full((len(part),), row, device=image.device)
        scores.append(target.score(features_of(encoder, copies), rows))
    return torch.cat(scores)


def _mean_fall(
    falls: Float[Tensor, "squares"], corners: list[tuple[int, int]], side: int, images: Images
) -> Float[Tensor, "height width"]:
    total = torch.zeros(images.shape[2:], device=images.device)
    covered = torch.zeros_like(total)
    for fall, (top, left) in zip(falls, corners, strict=True):
        total[top : top + side, left : left + side] += fall
        covered[top : top + side, left : left + side] += 1
    return total / covered.clamp(min=1)  # a stride above the side leaves gaps
