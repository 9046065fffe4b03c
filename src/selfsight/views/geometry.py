"""Crops, flips and quarter turns of a batch, with a separate box for every sample.

Resizing has the weights of a triangle that widens with the shrinking factor, as in Pillow and
torchvision with antialiasing: a view of a box is what resizing the cut-out box would give. Where a
box is not larger than its view, the triangle covers two pixels along each axis, and reading those
four is the same and faster. Otherwise a view is rows @ image @ columns with two small matrices per
sample, since resizing a box is linear and separable; a flip mirrors one of them. On a processor
these products take longer for large views than resizing the larger boxes one after the other.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from selfsight.joined import joined

Sides = tuple[Tensor, ...]  # top, height, left, width, whether overturned, whether mirrored
LARGE = 96  # px of a view, from which products take longer (bench/crops.py)


@dataclass(frozen=True, slots=True)
class Boxes:
    """One rectangle per crop, in whole pixels."""

    top: Float[Tensor, "crops"]
    left: Float[Tensor, "crops"]
    height: Float[Tensor, "crops"]
    width: Float[Tensor, "crops"]

    def sides(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the first row, the rows, the first column and the columns of each box."""
        return self.top, self.height, self.left, self.width


def random_boxes(
    images: Shaped[Tensor, "batch channels height width"],
    *,
    area: tuple[float, float],
    aspect: tuple[float, float],
    boxes: int = 1,
) -> Boxes:
    """Draw boxes in each sample with a uniform share of its area and a log-uniform aspect.

    With n `boxes` a sample, box k is of sample k mod batch. `area` is a range of shares in (0, 1],
    `aspect` a range of width / height. As in torchvision's RandomResizedCrop the first of ten draws
    that fits is taken, and if none does, the largest central box whose aspect is within range.
    """
    height, width = images.shape[2:]
    count = boxes * len(images)
    draws = torch.rand(2, 10, count, device=images.device)
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
    place = torch.rand(2, count, device=images.device)
    top = (place[0] * (spare_rows + 1)).floor_().minimum(spare_rows)
    left = (place[1] * (spare_columns + 1)).floor_().minimum(spare_columns)
    return Boxes(
        top=torch.where(some, top, (spare_rows / 2).floor_()),
        left=torch.where(some, left, (spare_columns / 2).floor_()),
        height=box_height,
        width=box_width,
    )


def _centres(
    length: Float[Tensor, "crops"], *, target: int, mirrored: Bool[Tensor, "crops"]
) -> Float[Tensor, "crops target"]:
    """Return where in its box, in pixels, each of `target` pixels looks."""
    centres = (torch.arange(target, device=length.device) + 0.5) * (length / target)[:, None]
    return torch.where(mirrored[:, None], length[:, None] - centres, centres)


def _matrices(
    start: Float[Tensor, "crops"],
    length: Float[Tensor, "crops"],
    *,
    source: int,
    target: int,
    mirrored: Bool[Tensor, "crops"],
) -> Float[Tensor, "crops target source"]:
    """Return the weights that stretch pixels [start, start + length) of `source` to `target`.

    Rows sum to 1. No pixel outside the box has weight. A mirrored crop has its rows reversed.
    """
    centres = _centres(length, target=target, mirrored=mirrored)
    pixels = torch.arange(source, device=start.device) + 0.5 - start[:, None]
    pixels = pixels.where((pixels > 0) & (pixels < length[:, None]), torch.inf)
    reach = (length / target).clamp(min=1)[:, None]  # source pixels; wider when they are merged
    distance = (pixels / reach)[:, None, :] - (centres / reach)[:, :, None]
    weights = distance.abs_().neg_().add_(1).clamp_(min=0)
    return weights.div_(weights.sum(2, keepdim=True))


def _places(
    start: Float[Tensor, "crops"],
    length: Float[Tensor, "crops"],
    *,
    source: int,
    target: int,
    mirrored: Bool[Tensor, "crops"],
) -> Float[Tensor, "crops target"]:
    """Return where each of `target` pixels looks, -1 and 1 being the edges of `source` pixels.

    None looks beyond the centre of the box's outermost pixel, so that nothing outside has weight.
    """
    centres = _centres(length, target=target, mirrored=mirrored)
    centres = centres.clamp_(min=0.5).minimum((length - 0.5)[:, None])
    return (centres + start[:, None]).mul_(2 / source).sub_(1)


def can_shrink(
    *, height: int, width: int, area: tuple[float, float], aspect: tuple[float, float], size: int
) -> bool:
    """Return whether a random box of an image may be larger than a view of `size` pixels."""
    least, most = (height * width * share for share in area)
    tallest = math.ceil(math.sqrt(most / aspect[0]))
    widest = math.ceil(math.sqrt(most * aspect[1]))
    shortest = math.sqrt(least * min(aspect[0], 1 / aspect[1]))
    if tallest > height or widest > width or shortest < 1:
        return max(height, width) > size  # a draw may not fit, and then the largest box is taken
    return max(tallest, widest) > size


def resized_crop(
    images: Float[Tensor, "batch channels height width"],
    boxes: Boxes,
    *,
    size: int,
    mirrored: Bool[Tensor, "crops"],
    overturned: Bool[Tensor, "crops"],
    antialias: bool = True,
) -> Float[Tensor, "crops channels size size"]:
    """Cut out boxes and resize each to a square of `size` pixels.

    There is a box for each image, or n times as many: then box k is of image k mod batch.
    `mirrored` crops are flipped left to right, `overturned` ones upside down. Antialiasing changes
    nothing, and takes longer, where no box is larger than the view.
    """
    sides = (*boxes.sides(), overturned, mirrored)
    if not antialias:
        return _read(images, sides, size=size)
    parts = zip(*(torch.split(side, len(images)) for side in sides), strict=True)
    return joined([_antialiased(images, part, size=size) for part in parts])


def _antialiased(
    images: Float[Tensor, "batch channels height width"], sides: Sides, *, size: int
) -> Float[Tensor, "batch channels size size"]:
    """Return a crop of each image."""
    if images.device.type != "cpu" or size < LARGE:
        return _multiplied(images, sides, size=size)
    _, tall, _, wide, *_ = sides
    shrunk = (tall > size) | (wide > size)
    crops = images.new_empty(*images.shape[:2], size, size)
    for chosen, cut in ((shrunk, _resized), (~shrunk, _read)):
        rows = chosen.nonzero()[:, 0]
        if len(rows) > 0:
            crops[rows] = cut(images[rows], tuple(side[rows] for side in sides), size=size)
    return crops


def _read(
    images: Float[Tensor, "batch channels height width"], sides: Sides, *, size: int
) -> Float[Tensor, "crops channels size size"]:
    """Return crops by reading the four pixels around each place: no box may be shrunk."""
    top, tall, left, wide, overturned, mirrored = sides
    batch, channels, height, width = images.shape
    across = _places(left, wide, source=width, target=size, mirrored=mirrored)
    down = _places(top, tall, source=height, target=size, mirrored=overturned)
    across, down = (found.view(-1, batch, size).transpose(0, 1) for found in (across, down))
    places = torch.stack(
        (
            across[:, :, None, :].expand(-1, -1, size, -1),
            down[:, :, :, None].expand(-1, -1, -1, size),
        ),
        4,
    )
    # an image's crops below one another, as one tall crop
    crops = F.grid_sample(images, places.flatten(1, 2), align_corners=False)
    return crops.view(batch, channels, -1, size, size).permute(2, 0, 1, 3, 4).flatten(0, 1)


def _resized(
    images: Float[Tensor, "batch channels height width"], sides: Sides, *, size: int
) -> Float[Tensor, "batch channels size size"]:
    """Return a crop of each image, made one after the other."""
    crops = images.new_empty(*images.shape[:2], size, size)
    boxes = zip(*(side.int().tolist() for side in sides), strict=True)
    for place, (top, tall, left, wide, overturned, mirrored) in enumerate(boxes):
        box = images[place : place + 1, :, top : top + tall, left : left + wide]
        crop = F.interpolate(box, (size, size), mode="bilinear", antialias=True)[0]
        turned = [axis for axis, turns in ((1, overturned), (2, mirrored)) if turns]
        crops[place] = crop.flip(turned) if turned else crop
    return crops


def _multiplied(
    images: Float[Tensor, "batch channels height width"], sides: Sides, *, size: int
) -> Float[Tensor, "batch channels size size"]:
    """Return a crop of each image by two matrices."""
    top, tall, left, wide, overturned, mirrored = sides
    batch, channels, height, width = images.shape
    rows = _matrices(top, tall, source=height, target=size, mirrored=overturned)
    columns = _matrices(left, wide, source=width, target=size, mirrored=mirrored)
    narrowed = images.flatten(1, 2).bmm(columns.mT).view(batch, channels, height, -1)
    return rows[:, None].matmul(narrowed)


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
