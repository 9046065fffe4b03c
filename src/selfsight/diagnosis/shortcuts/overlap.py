"""How often two views of an image show the same place: what a method that compares views asks for.

Two crops without a common pixel may still share their content (texture, scene), but nothing is left
of one that the other shows; an encoder that must give them one vector learns what they have in
common, be it the background or the colour. The boxes are those that the augmentation draws, so the
numbers hold for any images of this aspect.
"""

from dataclasses import dataclass
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from selfsight.views.augmentation import Augmentation
from selfsight.views.geometry import Boxes, random_boxes

DRAWS = 4000  # pairs of views
LITTLE = 0.1  # of the smaller view


@dataclass(frozen=True, slots=True)
class Overlap:
    """How far two kinds of views of one image show the same place, all in [0, 1]."""

    areas: tuple[tuple[float, float], tuple[float, float]]  # ranges of the two views' areas
    common: float  # mean share of the smaller view that the other shows too
    union: float  # mean intersection over union
    none: float  # share of pairs without a common pixel
    little: float  # share of pairs with less than LITTLE in common
    pairs: int  # of views of this kind, for each image


def overlaps(
    augmentations: tuple[Augmentation, ...], *, height: int, width: int, seed: int
) -> list[Overlap]:
    """Return the overlap of each kind of pair among the views of one image, in px of the store."""
    alike: dict[tuple[tuple[float, float], ...], list[tuple[Augmentation, Augmentation]]] = {}
    for one, other in combinations(augmentations, 2):
        areas = tuple(sorted((one.area, other.area), reverse=True))
        alike.setdefault(areas, []).append((one, other))
    return [
        _overlap(*pairs[0], height=height, width=width, pairs=len(pairs), seed=seed)
        for pairs in alike.values()
    ]


def _overlap(
    one: Augmentation, other: Augmentation, *, height: int, width: int, pairs: int, seed: int
) -> Overlap:
    canvas = torch.empty(1).expand(DRAWS, 1, height, width)  # sizes only; it takes no memory
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first, second = (
            random_boxes(canvas, area=view.area, aspect=view.aspect) for view in (one, other)
        )
    common = _common(first, second)
    areas = [boxes.height * boxes.width for boxes in (first, second)]
    share = common / torch.minimum(*areas)
    return Overlap(
        areas=(one.area, other.area),
        common=float(share.mean()),
        union=float((common / (areas[0] + areas[1] - common)).mean()),
        none=float((common == 0).float().mean()),
        little=float((share < LITTLE).float().mean()),
        pairs=pairs,
    )


def _common(first: Boxes, second: Boxes) -> Float[Tensor, "pairs"]:
    """Return the common area of boxes, in px."""
    down = torch.minimum(first.top + first.height, second.top + second.height)
    right = torch.minimum(first.left + first.width, second.left + second.width)
    high = (down - torch.maximum(first.top, second.top)).clamp(min=0)
    return high * (right - torch.maximum(first.left, second.left)).clamp(min=0)
