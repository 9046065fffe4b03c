"""Crops, flips and quarter turns of a batch, with a separate box for every sample.

Resizing a box is linear and separable, so that one view is rows @ image @ columns with two small
matrices per sample. A flip mirrors a matrix, a blur multiplies it, and the pixels are read once.
The weights are those of a triangle that widens with the shrinking factor, as in Pillow and
torchvision with antialiasing: a view of a box is what resizing the cut-out box would give.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Boxes:
    """One rectangle per sample, in whole pixels."""

    top: Float[Tensor, "batch"]
    left: Float[Tensor, "batch"]
    height: Float[Tensor, "batch"]
    width: Float[Tensor, "batch"]


def random_boxes(
    images: Shaped[Tensor, "batch channels height width"],
    *,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> Boxes:
    """Draw a box per sample with a uniform share of the image's area and a log-uniform aspect.

    `area` is a range of shares in (0, 1], `aspect` a range of width / height. As in torchvision's
    RandomResizedCrop the first of ten draws that fits is taken, and if none does, the largest
    central box whose aspect is within range.
    """
    batch, _, height, width = images.shape
    draws = torch.rand(2, 10, batch, device=images.device)
    wanted = height * width * (area[0] + (area[1] - area[0]) * draws[0])
    low, high = math.log(aspect[0]), math.log(aspect[1])
    stretch = torch.exp(low + (high - low) * draws[1])
    widths = (wanted * stretch).sqrt_().round_()
    heights = (wanted / stretch).sqrt_().round_()
    fits = (widths >= 1) & (widths <= width) & (heights >= 1) & (heights <= height)
    first = fits.int().argmax(0, keepdim=True)  # the first one of equals
    some = fits.any(0)
    box_width = torch.where(some, widths.gather(0, first)[0], min(width, round(height * aspect[1])))
    box_height = torch.where(
        some, heights.gather(0, first)[0], min(height, round(width / aspect[0]))
    )
    spare_rows, spare_columns = height - box_height, width - box_width
    place = torch.rand(2, batch, device=images.device)
    top = (place[0] * (spare_rows + 1)).floor_().minimum(spare_rows)
    left = (place[1] * (spare_columns + 1)).floor_().minimum(spare_columns)
    return Boxes(
        top=torch.where(some, top, (spare_rows / 2).floor_()),
        left=torch.where(some, left, (spare_columns / 2).floor_()),
        height=box_height,
        width=box_width,
    )


def resizing_matrices(
    start: Float[Tensor, "batch"],
    length: Float[Tensor, "batch"],
    *,
    source: int,
    target: int,
    mirrored: Bool[Tensor, "batch"],
) -> Float[Tensor, "batch target source"]:
    """Return the weights that stretch pixels [start, start + length) of `source` to `target`.

    Rows sum to 1. No pixel outside the box has weight. A mirrored sample has its rows reversed.
    """
    scale = length / target
    centres = (torch.arange(target, device=start.device) + 0.5) * scale[:, None]
    centres = torch.where(mirrored[:, None], length[:, None] - centres, centres)
    pixels = torch.arange(source, device=start.device) + 0.5 - start[:, None]
    pixels = pixels.where((pixels > 0) & (pixels < length[:, None]), torch.inf)
    reach = scale.clamp(min=1)[:, None]  # in source pixels; wider when pixels are merged
    distance = (pixels / reach)[:, None, :] - (centres / reach)[:, :, None]
    weights = distance.abs_().neg_().add_(1).clamp_(min=0)
    return weights.div_(weights.sum(2, keepdim=True))


def resample(
    images: Float[Tensor, "batch channels height width"],
    rows: Float[Tensor, "batch tall height"],
    columns: Float[Tensor, "batch wide width"],
) -> Float[Tensor, "batch channels tall wide"]:
    """Return rows @ image @ columns.T for every channel of every sample."""
    batch, channels, height, _ = images.shape
    narrowed = images.flatten(1, 2).bmm(columns.mT).view(batch, channels, height, -1)
    return rows[:, None].matmul(narrowed)


def resized_crop(
    images: Float[Tensor, "batch channels height width"],
    boxes: Boxes,
    *,
    size: int,
    mirrored: Bool[Tensor, "batch"],
    overturned: Bool[Tensor, "batch"],
) -> Float[Tensor, "batch channels size size"]:
    """Cut out each sample's box and resize it to a square of `size` pixels, antialiased.

    `mirrored` samples are flipped left to right, `overturned` ones upside down.
    """
    _, _, height, width = images.shape
    rows = resizing_matrices(
        boxes.top, boxes.height, source=height, target=size, mirrored=overturned
    )
    columns = resizing_matrices(
        boxes.left, boxes.width, source=width, target=size, mirrored=mirrored
    )
    return resample(images, rows, columns)


def rotate90(
    images: Shaped[Tensor, "batch channels height width"], quarters: Int[Tensor, "batch"]
) -> Shaped[Tensor, "batch channels height width"]:
    """Turn each sample counter-clockwise by its number of quarter turns (any whole number).

    Only transposes and flips: no pixel is changed, whatever the dtype. Raises ValueError when the
    images are not square, since a batch has one shape.
    """
    height, width = images.shape[2:]
    if height != width:
        raise ValueError(
            f"cannot turn images of {height} x {width} pixels by 90 degrees: crop them to squares"
        )
    turns = (quarters % 4)[:, None, None, None]
    turned = images.where(turns % 2 == 0, images.mT)
    turned = turned.where((turns == 0) | (turns == 3), turned.flip(2))
    return turned.where(turns < 2, turned.flip(3))
