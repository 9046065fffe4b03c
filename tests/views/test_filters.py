"""Blur and solarisation against torchvision."""

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from selfsight.views.filters import blur_kernel, gaussian_blur, solarise


@pytest.mark.parametrize("kernel", [3, 7, 11])
@pytest.mark.parametrize("channels", [1, 3])
def test_blur_is_that_of_torchvision_with_a_sigma_per_sample(kernel: int, channels: int) -> None:
    torch.manual_seed(0)
    images = torch.rand(4, channels, 12, 17)
    sigma = torch.tensor([0.2, 0.7, 1.4, 3.0])
    ours = gaussian_blur(images, sigma, kernel=kernel)
    for view, image, width in zip(ours, images, sigma.tolist(), strict=True):
        theirs = reference.gaussian_blur(image, [kernel, kernel], [width, width])
        torch.testing.assert_close(view, theirs, atol=1e-5, rtol=0)


def test_sigma_zero_blurs_nothing() -> None:
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(gaussian_blur(images, torch.zeros(2), kernel=5), images)


def test_blur_keeps_a_flat_image() -> None:
    flat = torch.full((3, 3, 20, 20), 0.3)
    blurred = gaussian_blur(flat, torch.tensor([0.1, 1.0, 5.0]), kernel=9)
    torch.testing.assert_close(blurred, flat)


@pytest.mark.parametrize(
    ("size", "kernel"), [(2, 3), (32, 3), (64, 7), (96, 9), (128, 13), (224, 23)]
)
def test_the_kernel_is_a_tenth_of_the_side_and_odd(size: int, kernel: int) -> None:
    assert blur_kernel(size) == kernel


def test_solarising_inverts_the_bright_pixels_of_chosen_samples() -> None:
    torch.manual_seed(2)
    images = torch.rand(3, 3, 8, 8)
    images[0, 0, 0, 0] = 0.5
    ours = solarise(images, torch.tensor([True, False, True]))
    assert torch.equal(ours[1], images[1])
    for number in (0, 2):
        assert torch.equal(ours[number], reference.solarize(images[number], 0.5))
