"""Deletion and insertion: hide the places that a map puts first, or show only these.

Petsiuk et al., BMVC 2018 (arXiv 1806.07421), section 3.3. The image is cut into about 8x8 square
cells, because single pixels hidden at random destroy any image; an order of the cells is followed
in eight steps, and the score is averaged over the way by the trapezoid rule. If a map is faithful,
hiding its first cells makes the score fall fast (a low area) and showing them makes it rise fast (a
high area). What hides a cell matters, so there are two fills: the mean colour, and the image itself
strongly blurred. A random order of the same cells is what an order is worth by itself.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from selfsight.explaining.maps import LOOKED_AT, features_of, pieces, plain_colour
from selfsight.explaining.targets import Target
from selfsight.nets.encoder import Encoder

Image = Float[Tensor, "channels height width"]
CELLS = 8  # along the shorter side
STEPS = 8
FILLS = ("mean colour", "blurred")
_DIFFERENCES = ((0, (0, 0, 0, 1)), (1, (0, 1)))  # axis, and padding that restores the shape
BLUR = 4  # the blurred image keeps this many places along the shorter side


@dataclass(frozen=True, slots=True)
class Areas:
    """Mean score on the way, for each order of one image; one column a fill of FILLS."""

    deletion: Float[Tensor, "orders fills"]
    insertion: Float[Tensor, "orders fills"]


def cell_grid(height: int, width: int, *, cells: int = CELLS) -> tuple[int, int]:
    """Return how many rows and columns of about square cells an image is cut into."""
    side = max(1.0, min(height, width) / cells)
    return round(height / side), round(width / side)


def cell_values(
    values: Float[Tensor, "height width"], *, cells: int = CELLS
) -> Float[Tensor, "places"]:
    """Return the mean of a map over each cell, row by row."""
    shape = cell_grid(*values.shape, cells=cells)
    return F.adaptive_avg_pool2d(values[None, None].double(), shape).flatten()


def order_of(values: Float[Tensor, "height width"]) -> Int[Tensor, "places"]:
    """Return the cells in the order in which a map puts them, highest first."""
    return cell_values(values).argsort(descending=True, stable=True)


def random_orders(
    image: Image, *, count: int, generator: torch.Generator
) -> Int[Tensor, "count places"]:
    """Return random orders of an image's cells."""
    rows, columns = cell_grid(*image.shape[1:])
    return torch.rand(count, rows * columns, generator=generator).argsort(1)


def centre_first(image: Image) -> Int[Tensor, "places"]:
    """Return the cells from the centre outwards: photographers put their objects there."""
    height, width = image.shape[1:]
    rows, columns = (torch.arange(length) - (length - 1) / 2 for length in (height, width))
    return order_of(-(rows[:, None] ** 2 + columns**2).sqrt())


def edges_first(image: Image) -> Int[Tensor, "places"]:
    """Return the cells with the strongest contrast between neighbouring pixels first."""
    grey = image.detach().cpu().mean(0)
    down, right = (F.pad(grey.diff(dim=axis).abs(), pad) for axis, pad in _DIFFERENCES)
    return order_of(down + right)


def areas(
    encoder: Encoder, image: Image, target: Target, *, orders: Int[Tensor, "orders places"]
) -> Areas:
    """Return the areas under the deletion and insertion curves of one image for several orders.

    target: of this image alone.
    """
    # The rank of each cell in each order, and from it which cells have been reached by each step.
    rank = orders.argsort(1)
    places = orders.shape[1]
    reached = torch.arange(STEPS + 1, dtype=torch.float64) * places / STEPS
    masks = rank[:, None, :] < reached.round()[None, :, None]
    grid = cell_grid(*image.shape[1:])
    visible = F.interpolate(
        masks.float().reshape(-1, 1, *grid), image.shape[1:], mode="nearest-exact"
    ).to(image)
    found = []
    for fill in fills(encoder, image):
        for shown in (1 - visible, visible):  # deletion, insertion
            scores = []
            for part in pieces(len(shown), image[None], pixels=LOOKED_AT):
                mask = shown[part.start : part.stop]
                mixed = fill + mask * (image - fill)
                rows = torch.zeros(len(mask), dtype=torch.int64)
                scores.append(target.score(features_of(encoder, mixed), rows))
            found.append(trapezoid(torch.cat(scores).cpu().double().reshape(-1, STEPS + 1)))
    deletion, insertion = (torch.stack(found[first::2], dim=1) for first in (0, 1))
    return Areas(deletion, insertion)


def trapezoid(scores: Float[Tensor, "*curves points"]) -> Float[Tensor, "*curves"]:
    """Return the mean height of curves given at equal distances, by the trapezoid rule."""
    inner = scores[..., 1:-1].sum(-1) + (scores[..., 0] + scores[..., -1]) / 2
    return inner / (scores.shape[-1] - 1)


def fills(encoder: Encoder, image: Image) -> list[Image]:
    """Return the pictures that hidden cells are taken from, in the order of FILLS."""
    return [plain_colour(encoder).expand_as(image), blurred(image)]


def blurred(image: Image) -> Image:
    """Return the image with no detail left: averaged down to a few places and enlarged again."""
    coarse = F.adaptive_avg_pool2d(image[None], cell_grid(*image.shape[1:], cells=BLUR))
    fine = F.interpolate(coarse, image.shape[1:], mode="bilinear", align_corners=False)
    return fine[0]
