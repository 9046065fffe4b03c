"""Colours against torchvision where it has the same operation, else by identities."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from selfsight.views.colour import LUMA, adjust_tone, random_factors, recolour


def change(
    images: Tensor,
    *,
    brightness: float = 1,
    contrast: float = 1,
    saturation: float = 1,
    hue: float = 0,
) -> Tensor:
    def each(value: float) -> Tensor:
        return torch.full((len(images),), float(value))

    return recolour(
        images,
        brightness=each(brightness),
        contrast=each(contrast),
        saturation=each(saturation),
        hue=each(hue),
    )


def luma(images: Tensor) -> Tensor:
    return torch.einsum("bchw,c->bhw", images, torch.tensor(LUMA))


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(5, 3, 11, 13)


@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.4])
@pytest.mark.parametrize("operation", ["brightness", "contrast", "saturation"])
def test_each_operation_is_that_of_torchvision(
    images: Tensor, operation: str, factor: float
) -> None:
    ours = change(images, **{operation: factor}).clamp(0, 1)
    theirs = getattr(reference, f"adjust_{operation}")(images, factor)
    # torchvision's luma weights add up to 0.9999
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=0)


def test_operations_in_any_order_are_the_operations_at_once(images: Tensor) -> None:
    dim = images * 0.3 + 0.3  # nothing to clamp
    factors = {"brightness": 0.9, "contrast": 1.2, "saturation": 0.7}
    ours = change(dim, **factors)
    for order in (list(factors), list(factors)[::-1], ["contrast", "brightness", "saturation"]):
        theirs = dim
        for operation in order:
            theirs = getattr(reference, f"adjust_{operation}")(theirs, factors[operation])
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=0)


def test_hue_after_contrast_is_contrast_after_hue(images: Tensor) -> None:
    factors = {"brightness": 1.3, "contrast": 0.7, "saturation": 1.2}
    at_once = change(images, **factors, hue=0.15)
    torch.testing.assert_close(change(change(images, **factors), hue=0.15), at_once)
    torch.testing.assert_close(change(change(images, hue=0.15), **factors), at_once)


def test_no_saturation_is_grey(images: Tensor) -> None:
    grey = change(images, saturation=0, hue=0.3)
    torch.testing.assert_close(grey, reference.rgb_to_grayscale(images, 3), atol=2e-4, rtol=0)


@pytest.mark.parametrize("hue", [0.0, 1.0, -1.0])
def test_no_turn_and_a_full_turn_of_hue_change_nothing(images: Tensor, hue: float) -> None:
    torch.testing.assert_close(change(images, hue=hue), images, atol=1e-5, rtol=0)


def test_turns_of_hue_add_up(images: Tensor) -> None:
    twice = change(change(images, hue=0.13), hue=0.29)
    torch.testing.assert_close(twice, change(images, hue=0.42), atol=1e-5, rtol=0)


@pytest.mark.parametrize("hue", [-0.4, 0.1, 0.25, 0.5])
def test_hue_keeps_luma_and_greys(images: Tensor, hue: float) -> None:
    torch.testing.assert_close(luma(change(images, hue=hue)), luma(images), atol=1e-5, rtol=0)
    grey = images[:, :1].expand(-1, 3, -1, -1).contiguous()
    torch.testing.assert_close(change(grey, hue=hue), grey, atol=1e-5, rtol=0)


@pytest.mark.parametrize("hue", [0.05, -0.05])
def test_hue_turns_the_way_torchvisions_does(images: Tensor, hue: float) -> None:
    ours = change(images, hue=hue) - images
    theirs = reference.adjust_hue(images, hue) - images
    theirs = theirs - luma(theirs)[:, None]  # an HSV hue changes luma, ours does not
    assert torch.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) > 0.7


def test_every_sample_has_its_own_factors(images: Tensor) -> None:
    factors = {
        "brightness": torch.tensor([1.0, 0.5, 1.2, 1.0, 0.9]),
        "contrast": torch.tensor([1.0, 1.0, 0.3, 1.5, 0.8]),
        "saturation": torch.tensor([1.0, 0.0, 1.0, 0.4, 1.3]),
        "hue": torch.tensor([0.0, 0.0, 0.2, 0.1, -0.3]),
    }
    together = recolour(images, **factors)
    for number in range(5):
        alone = recolour(
            images[number : number + 1],
            **{name: each[number : number + 1] for name, each in factors.items()},
        )
        torch.testing.assert_close(together[number : number + 1], alone)
    torch.testing.assert_close(together[0], images[0])


def test_tone_of_one_channel_is_that_of_torchvision(images: Tensor) -> None:
    single = images[:, :1] * 0.5
    brightness, contrast = torch.full((5,), 1.2), torch.full((5,), 0.6)
    ours = adjust_tone(single, brightness=brightness, contrast=contrast)
    theirs = reference.adjust_contrast(reference.adjust_brightness(single, 1.2), 0.6)
    torch.testing.assert_close(ours, theirs)


def test_factors_are_uniform_around_one_and_never_negative() -> None:
    torch.manual_seed(5)
    factors = random_factors(torch.zeros(20000), strength=0.4)
    assert factors.min() >= 0.6 and factors.max() <= 1.4
    assert abs(factors.mean() - 1) < 0.01 and abs(factors.std() - 0.8 / 12**0.5) < 0.01
    strong = random_factors(torch.zeros(20000), strength=1.5)
    assert 0 <= strong.min() < 0.01 and 2.49 < strong.max() <= 2.5
