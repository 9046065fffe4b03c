"""Crops against torchvision, in pixels and in distribution; quarter turns against torch."""

import pytest
import torch
from scipy.stats import ks_2samp
from torch import Tensor
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.v2 import functional as reference

from selfsight.views.geometry import Boxes, random_boxes, resized_crop, rotate90


def boxes_of(*corners: tuple[int, int, int, int]) -> Boxes:
    top, left, height, width = torch.tensor(corners, dtype=torch.float32).unbind(1)
    return Boxes(top=top, left=left, height=height, width=width)


def no(batch: int) -> Tensor:
    return torch.zeros(batch, dtype=torch.bool)


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
    channels: int, corners: tuple[int, int, int, int]
) -> None:
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
