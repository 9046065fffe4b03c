"""Crops against torchvision, in pixels and in distribution; quarter turns against torch."""

import pytest
import torch
from scipy.stats import ks_2samp
from torch import Tensor
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.v2 import functional as reference

from selfsight.views.geometry import (
    Boxes,
    _multiplied,
    _read,
    _resized,
    can_shrink,
    random_boxes,
    resized_crop,
    rotate90,
)


def boxes_of(*corners: tuple[int, int, int, int]) -> Boxes:
    top, left, height, width = torch.tensor(corners, dtype=torch.float32).unbind(1)
    return Boxes(top=top, left=left, height=height, width=width)


def no(batch: int) -> Tensor:
    return torch.zeros(batch, dtype=torch.bool)


@pytest.mark.parametrize("large", [1, 96])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    "corners",
    [
        (3, 5, 10, 14),  # enlarged
        (0, 0, 16, 16),  # one to one
        (2, 1, 37, 30),  # shrunk more than twice one way
        (7, 9, 40, 50),
        (0, 0, 48, 64),  # the whole image
        (47, 63, 1, 1),  # one pixel
        (5, 2, 3, 60),
    ],
)
def test_a_crop_is_the_crop_of_torchvision(
    channels: int, corners: tuple[int, int, int, int], large: int, monkeypatch
) -> None:
    monkeypatch.setattr("selfsight.views.geometry.LARGE", large)  # both ways on a processor
    torch.manual_seed(0)
    image = torch.rand(channels, 48, 64)
    ours = resized_crop(image[None], boxes_of(corners), size=16, mirrored=no(1), overturned=no(1))[
        0
    ]
    theirs = reference.resized_crop(image, *corners, size=[16, 16], antialias=True)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_enlarging_needs_no_antialiasing() -> None:
    torch.manual_seed(0)
    image = torch.rand(3, 20, 20)
    ours = resized_crop(
        image[None], boxes_of((4, 6, 9, 12)), size=32, mirrored=no(1), overturned=no(1)
    )[0]
    theirs = reference.resized_crop(image, 4, 6, 9, 12, size=[32, 32], antialias=False)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def random_crops(images: Tensor, *, size: int, boxes: int, antialias: bool) -> Tensor:
    torch.manual_seed(0)
    drawn = random_boxes(images, area=(0.05, 1.0), aspect=(0.5, 2.0), boxes=boxes)
    mirrored, overturned = torch.rand(2, len(drawn.top)) < 0.5
    return resized_crop(
        images, drawn, size=size, mirrored=mirrored, overturned=overturned, antialias=antialias
    )


@pytest.mark.parametrize("shape", [(32, 32), (20, 31)])
@pytest.mark.parametrize("size", [32, 17])
def test_three_ways_to_crop_are_one(shape: tuple[int, int], size: int) -> None:
    torch.manual_seed(0)
    images = torch.rand(60, 3, *shape)
    drawn = random_boxes(images, area=(0.05, 1.0), aspect=(0.5, 2.0))
    sides = (*drawn.sides(), *(torch.rand(2, 60) < 0.5))
    ways = [way(images, sides, size=size) for way in (_multiplied, _resized, _read)]
    torch.testing.assert_close(ways[1], ways[0], atol=1e-5, rtol=0)
    small = (drawn.height <= size) & (drawn.width <= size)
    assert bool(small.all()) == (size == 32)
    torch.testing.assert_close(ways[2][small], ways[0][small], atol=1e-5, rtol=0)


@pytest.mark.parametrize("boxes", [1, 3])
def test_boxes_that_shrink_and_others_keep_their_places(
    boxes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsight.views.geometry.LARGE", 1)
    images = torch.rand(40, 3, 20, 31)
    mixed, all_shrunk = (
        random_crops(images, size=size, boxes=boxes, antialias=True) for size in (17, 1)
    )
    torch.manual_seed(0)
    drawn = random_boxes(images, area=(0.05, 1.0), aspect=(0.5, 2.0), boxes=boxes)
    mirrored, overturned = torch.rand(2, len(drawn.top)) < 0.5
    sides = (*drawn.sides(), overturned, mirrored)
    for crops, size in ((mixed, 17), (all_shrunk, 1)):
        by_matrices = _multiplied(images.repeat(boxes, 1, 1, 1), sides, size=size)
        torch.testing.assert_close(crops, by_matrices, atol=1e-5, rtol=0)


@pytest.mark.parametrize("boxes", [1, 3])
def test_without_antialiasing_crops_are_the_same_where_nothing_shrinks(boxes: int) -> None:
    images = torch.rand(40, 3, 20, 31)
    plain, fast = (
        random_crops(images, size=31, boxes=boxes, antialias=antialias)
        for antialias in (True, False)
    )
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=0)


def test_a_box_of_the_views_size_is_cut_out_as_it_is() -> None:
    image = torch.rand(1, 3, 24, 24)
    crop = resized_crop(
        image, boxes_of((5, 7, 12, 12)), size=12, mirrored=no(1), overturned=no(1), antialias=False
    )
    torch.testing.assert_close(crop, image[:, :, 5:17, 7:19], atol=1e-5, rtol=0)


@pytest.mark.parametrize("antialias", [True, False])
def test_the_boxes_of_an_image_show_that_image(antialias: bool) -> None:
    values = torch.linspace(0, 1, 7)
    images = values[:, None, None, None].expand(-1, 3, 16, 20)
    crops = random_crops(images, size=20, boxes=3, antialias=antialias)
    torch.testing.assert_close(
        crops, values.repeat(3)[:, None, None, None].expand(-1, 3, 20, 20), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(
    ("area", "size", "expected"),
    [
        ((0.08, 1.0), 32, False),  # SimCLR's view is as large as the image
        ((0.08, 1.0), 31, True),
        ((0.25, 0.25), 16, False),  # EMP-SSL's patch keeps its resolution
        ((0.25, 0.26), 16, True),
        ((0.05, 0.4), 16, True),  # a small view of DINO
        ((0.05, 0.1), 16, False),
        ((0.0001, 0.0001), 16, True),  # less than a pixel, so that the whole image is taken
    ],
)
def test_whether_a_box_may_shrink_is_known_beforehand(
    area: tuple[float, float], size: int, expected: bool
) -> None:
    aspect = (0.75, 1.25) if area[0] in (0.05, 0.08) else (1.0, 1.0)
    assert can_shrink(height=32, width=32, area=area, aspect=aspect, size=size) == expected


@pytest.mark.parametrize("aspect", [(0.2, 0.3), (0.75, 4 / 3), (3.0, 5.0)])
def test_no_box_is_larger_than_a_view_that_does_not_shrink(aspect: tuple[float, float]) -> None:
    torch.manual_seed(0)
    for height, width in ((32, 32), (17, 40)):
        for area in ((0.3, 1.0), (0.1, 0.3), (0.01, 0.05)):
            boxes = random_boxes(torch.zeros(3000, 1, height, width), area=area, aspect=aspect)
            largest = int(torch.stack((boxes.height, boxes.width)).max())
            given = {"height": height, "width": width, "area": area, "aspect": aspect}
            assert can_shrink(**given, size=largest - 1)
            assert not can_shrink(**given, size=max(height, width))


def test_every_sample_has_its_own_box_and_flips() -> None:
    torch.manual_seed(1)
    images = torch.rand(3, 3, 24, 30)
    corners = [(0, 0, 24, 30), (3, 8, 12, 9), (10, 2, 11, 20)]
    mirrored, overturned = torch.tensor([True, False, True]), torch.tensor([False, True, True])
    ours = resized_crop(
        images, boxes_of(*corners), size=16, mirrored=mirrored, overturned=overturned
    )
    for view, image, corner, left, up in zip(
        ours, images, corners, mirrored, overturned, strict=True
    ):
        expected = reference.resized_crop(image, *corner, size=[16, 16], antialias=True)
        expected = reference.horizontal_flip(expected) if left else expected
        expected = reference.vertical_flip(expected) if up else expected
        torch.testing.assert_close(view, expected, atol=1e-5, rtol=0)


def test_nothing_outside_the_box_is_seen() -> None:
    image = torch.full((1, 1, 20, 20), 1000.0)
    image[:, :, 5:12, 6:17] = 0.5
    view = resized_crop(image, boxes_of((5, 6, 7, 11)), size=9, mirrored=no(1), overturned=no(1))
    torch.testing.assert_close(view, torch.full_like(view, 0.5))


@pytest.mark.parametrize("shape", [(32, 32), (40, 90)])
@pytest.mark.parametrize("area", [(0.08, 1.0), (0.05, 0.4), (0.9, 1.0)])
def test_boxes_are_distributed_as_in_torchvision(
    shape: tuple[int, int], area: tuple[float, float]
) -> None:
    torch.manual_seed(2)
    count, aspect = 4000, (3 / 4, 4 / 3)
    boxes = random_boxes(torch.zeros(count, 1, *shape), area=area, aspect=aspect)
    image = torch.zeros(1, *shape)
    theirs = torch.tensor(
        [RandomResizedCrop.get_params(image, list(area), list(aspect)) for _ in range(count)],
        dtype=torch.float32,
    )
    top, left, height, width = theirs.unbind(1)
    pairs = {
        "area": (boxes.height * boxes.width, height * width),
        "aspect": ((boxes.width / boxes.height).log(), (width / height).log()),
        "top": (boxes.top, top),
        "left": (boxes.left, left),
    }
    for name, (ours, expected) in pairs.items():
        assert ks_2samp(ours.numpy(), expected.numpy()).pvalue > 0.001, name


def test_an_image_has_several_boxes() -> None:
    torch.manual_seed(3)
    boxes = random_boxes(torch.zeros(50, 3, 32, 32), area=(0.1, 0.9), aspect=(0.5, 2.0), boxes=3)
    for side in boxes.sides():
        one, other, third = side.chunk(3)
        assert not torch.equal(one, other) and not torch.equal(other, third)


def test_boxes_lie_inside_the_image_on_whole_pixels() -> None:
    torch.manual_seed(3)
    boxes = random_boxes(torch.zeros(5000, 3, 17, 23), area=(0.01, 1.0), aspect=(0.2, 5.0))
    for start, length, side in ((boxes.top, boxes.height, 17), (boxes.left, boxes.width, 23)):
        assert (start >= 0).all() and (length >= 1).all() and (start + length <= side).all()
        assert (start == start.round()).all() and (length == length.round()).all()


@pytest.mark.parametrize("shape", [(30, 200), (200, 30), (50, 50)])
def test_when_no_draw_fits_the_box_is_the_largest_central_one(shape: tuple[int, int]) -> None:
    area, aspect = (1.0, 1.0), (1.1, 1.2)  # the whole image and yet not its aspect
    boxes = random_boxes(torch.zeros(4, 3, *shape), area=area, aspect=aspect)
    expected = RandomResizedCrop.get_params(torch.zeros(3, *shape), list(area), list(aspect))
    for ours, theirs in zip(
        (boxes.top, boxes.left, boxes.height, boxes.width), expected, strict=True
    ):
        assert ours.tolist() == [theirs] * 4


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_quarter_turns_are_those_of_torch(dtype: torch.dtype) -> None:
    torch.manual_seed(4)
    images = torch.randint(0, 256, (7, 3, 9, 9)).to(dtype)
    quarters = torch.tensor([0, 1, 2, 3, 4, -1, 6])
    turned = rotate90(images, quarters)
    assert turned.dtype == dtype
    for image, quarter, ours in zip(images, quarters.tolist(), turned, strict=True):
        assert torch.equal(ours, torch.rot90(image, quarter, (1, 2)))


def test_images_that_are_not_square_cannot_be_turned() -> None:
    with pytest.raises(ValueError, match="8 x 9 pixels by 90 degrees: crop them"):
        rotate90(torch.zeros(2, 3, 8, 9), torch.tensor([0, 1]))
