"""Whole augmentations: reproducible, different per sample, distributed as torchvision's."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from scipy.stats import ks_2samp
from torch import Tensor
from torchvision.transforms import v2 as reference

from selfsight.errors import UserError
from selfsight.views.augmentation import unit_range
from selfsight.views.colour import adjust_tone, random_factors, recolour
from selfsight.views.filters import gaussian_blur, solarise
from selfsight.views.geometry import random_boxes, resized_crop, rotate90
from selfsight.views.presets import (
    Augmentation,
    EachOf,
    byol_pair,
    light,
    multi_crop,
    one_view,
    simclr,
    two_views,
)

EVERY = {
    "light": light(24),
    "simclr": simclr(24),
    "simclr with blur": simclr(24, blur=0.5),
    "byol first": replace(byol_pair(24)[0], blur=1.0),
    "byol second": replace(byol_pair(24)[1], blur=0.1),
    "local": multi_crop(32, local_size=18, local_views=1)[2],
}
each_augmentation = pytest.mark.parametrize("augmentation", EVERY.values(), ids=EVERY.keys())


def noise(batch: int, *shape: int) -> Tensor:
    return torch.randint(0, 256, (batch, *shape), dtype=torch.uint8)


@each_augmentation
@pytest.mark.parametrize("shape", [(32, 32), (20, 51), (90, 33)])
def test_views_are_squares_between_zero_and_one(
    augmentation: Augmentation, shape: tuple[int, int]
) -> None:
    views = augmentation(noise(16, 3, *shape))
    assert views.shape == (16, 3, augmentation.size, augmentation.size)
    assert views.dtype == torch.float32 and views.is_contiguous()
    assert views.min() >= 0 and views.max() <= 1


@each_augmentation
def test_the_same_seed_gives_the_same_views(augmentation: Augmentation) -> None:
    images = noise(8, 3, 32, 32)
    torch.manual_seed(3)
    first = augmentation(images)
    torch.manual_seed(3)
    assert torch.equal(augmentation(images), first)
    assert not torch.equal(augmentation(images), first)


@each_augmentation
def test_copies_of_one_image_become_different_views(augmentation: Augmentation) -> None:
    torch.manual_seed(0)
    views = augmentation(noise(1, 3, 32, 32).expand(64, -1, -1, -1)).flatten(1)
    assert len(views.unique(dim=0)) == 64


@each_augmentation
def test_bytes_and_fractions_give_the_same_views(augmentation: Augmentation) -> None:
    images = noise(8, 3, 32, 32)
    before = images.clone()
    torch.manual_seed(4)
    from_bytes = augmentation(images)
    torch.manual_seed(4)
    fractions = images.float() / 255
    kept = fractions.clone()
    torch.testing.assert_close(augmentation(fractions), from_bytes)
    assert torch.equal(images, before) and torch.equal(fractions, kept)


def test_half_precision_training_does_not_round_the_views() -> None:
    images, make = noise(8, 3, 32, 32), two_views(simclr(32, blur=0.5))
    torch.manual_seed(5)
    expected = make(images)
    torch.manual_seed(5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        views = make(images)
    assert all(torch.equal(ours, plain) for ours, plain in zip(views, expected, strict=True))


@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels_can_be_cropped_and_toned(channels: int) -> None:
    toned = replace(light(16), jitter=1.0, brightness=0.4, contrast=0.4)
    for augmentation in (light(16), toned):
        assert augmentation(noise(5, channels, 20, 20)).shape == (5, channels, 16, 16)


@pytest.mark.parametrize("channels", [1, 4])
def test_hues_of_images_without_three_channels_are_an_error(channels: int) -> None:
    with pytest.raises(UserError, match=f"{channels} channels have no hues: set saturation"):
        simclr(16)(noise(2, channels, 20, 20))


WHOLE = Augmentation(16, area=(1.0, 1.0), aspect=(1.0, 1.0), flip=0.0)  # shows images uncut


def test_an_augmentation_that_does_nothing_returns_the_image() -> None:
    images = noise(4, 3, 16, 16)
    torch.testing.assert_close(WHOLE(images), unit_range(images), atol=1e-6, rtol=0)


def test_an_augmentation_that_shrinks_is_antialiased() -> None:
    images = noise(4, 3, 32, 32)
    shrunk = reference.functional.resize(unit_range(images), [8, 8], antialias=True)
    torch.testing.assert_close(replace(WHOLE, size=8)(images), shrunk, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"flip": 0.3}, lambda images: images.flip(3)),
        ({"vertical_flip": 0.3}, lambda images: images.flip(2)),
        ({"grey": 0.3}, lambda images: reference.functional.rgb_to_grayscale(images, 3)),
        (
            {"solarise": 0.3},
            lambda images: reference.functional.solarize(images, 0.5),
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_probability_is_the_share_of_samples_changed(
    changes: dict[str, float], changed: Callable[[Tensor], Tensor]
) -> None:
    torch.manual_seed(6)
    images = noise(3000, 3, 16, 16)
    views, plain = replace(WHOLE, **changes)(images), unit_range(images)
    is_changed = (views - changed(plain)).abs().amax((1, 2, 3)) < 1e-3
    is_plain = (views - plain).abs().amax((1, 2, 3)) < 1e-3
    assert (is_changed ^ is_plain).all()
    assert abs(is_changed.float().mean() - 0.3) < 4 * (0.3 * 0.7 / 3000) ** 0.5


@pytest.mark.parametrize("name", ["jitter", "blur"])
def test_jitter_and_blur_leave_the_other_samples_alone(name: str) -> None:
    torch.manual_seed(7)
    images = noise(3000, 3, 16, 16)
    chosen = {"jitter": {"jitter": 0.3, "contrast": 0.5, "hue": 0.1}, "blur": {"blur": 0.3}}
    changes = replace(WHOLE, **chosen[name], sigma=(0.5, 2.0))
    moved = (changes(images) - unit_range(images)).abs().amax((1, 2, 3)) > 1e-3
    assert abs(moved.float().mean() - 0.3) < 4 * (0.3 * 0.7 / 3000) ** 0.5


def test_jittered_views_are_distributed_as_in_torchvision() -> None:
    """One clamp at the end instead of one after each step must not show in what views look like."""
    torch.manual_seed(8)
    image = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 4), 32, mode="bilinear")[0]
    count = 500
    ours = Augmentation(32, jitter=0.8, brightness=0.4, contrast=0.4, saturation=0.4, grey=0.2)(
        image.expand(count, -1, -1, -1)
    )
    theirs_one_by_one = reference.Compose(
        [
            reference.RandomResizedCrop(32, antialias=True),
            reference.RandomHorizontalFlip(),
            reference.RandomApply([reference.ColorJitter(0.4, 0.4, 0.4)], p=0.8),
            reference.RandomGrayscale(0.2),
        ]
    )
    theirs = torch.stack([theirs_one_by_one(image) for _ in range(count)])
    for name, statistic in {
        "mean": lambda views: views.mean((1, 2, 3)),
        "contrast": lambda views: views.std((1, 2, 3)),
        "colourfulness": lambda views: views.std(1).mean((1, 2)),
        "roughness": lambda views: views.diff(dim=3).abs().mean((1, 2, 3)),
    }.items():
        assert ks_2samp(statistic(ours).numpy(), statistic(theirs).numpy()).pvalue > 0.001, name


def test_operations_stay_on_the_device_of_the_batch() -> None:
    """The meta device computes no values but refuses to mix with the CPU."""
    images, ones = torch.rand(4, 3, 20, 20, device="meta"), torch.ones(4, device="meta")
    boxes = random_boxes(images, area=(0.1, 1.0), aspect=(0.5, 2.0))
    cut = resized_crop(images, boxes, size=16, mirrored=ones > 0, overturned=ones > 0)
    coloured = recolour(
        cut, brightness=random_factors(cut, strength=0.4), contrast=ones, saturation=ones, hue=ones
    )
    toned = adjust_tone(coloured, brightness=ones, contrast=ones)
    views = solarise(gaussian_blur(toned, ones, kernel=3), ones > 0)
    assert rotate90(views, ones.int()).device.type == "meta"


def test_each_of_gives_its_views_in_order() -> None:
    images = noise(4, 3, 40, 40)
    assert [view.shape[2] for view in EachOf((light(8), light(16)))(images)] == [8, 16]
    assert len(one_view(light(8))(images)) == 1
    first, second = two_views(light(8))(images)
    assert not torch.equal(first, second)


@each_augmentation
def test_views_made_together_are_as_many_made_one_by_one(augmentation: Augmentation) -> None:
    torch.manual_seed(9)
    images = torch.nn.functional.interpolate(torch.rand(300, 3, 4, 4), 32, mode="bilinear")
    together = augmentation.several(images, views=3)
    assert [len(view) for view in together] == [300] * 3
    assert all(view.is_contiguous() for view in together)
    alone = augmentation(images)
    for statistic in (
        lambda view: view.mean((1, 2, 3)),
        lambda view: (view.mean((1, 2, 3)) - images.mean((1, 2, 3))).abs(),  # of their own image
        lambda view: view.diff(dim=3).abs().mean((1, 2, 3)),
    ):
        for view in together:
            assert ks_2samp(statistic(view).numpy(), statistic(alone).numpy()).pvalue > 0.001
    assert not torch.equal(together[0], together[1])


def test_views_that_are_large_are_made_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    images, augmentation = noise(6, 3, 20, 20), light(20)

    def largest() -> int:
        views = augmentation.several(images, views=5)
        assert [tuple(view.shape) for view in views] == [(6, 3, 20, 20)] * 5
        assert len(torch.stack(views).flatten(2).unique(dim=0)) == 5
        return max(view.untyped_storage().nbytes() for view in views) // views[0].nbytes

    assert largest() == 5
    monkeypatch.setattr("selfsight.views.augmentation.TOGETHER", 2 * 6 * 3 * 20 * 20)
    assert largest() == 2
    monkeypatch.setattr("selfsight.views.augmentation.TOGETHER", 1)
    assert largest() == 1


def test_multi_crop_cuts_large_views_then_small_ones() -> None:
    cuts = multi_crop(96, local_size=48, local_views=4, division=0.3)
    assert [cut.size for cut in cuts] == [96, 96, 48, 48, 48, 48]
    assert [cut.area for cut in cuts] == [(0.3, 1.0)] * 2 + [(0.05, 0.3)] * 4
    assert [cut.blur for cut in cuts] == [1.0, 0.1] + [0.0] * 4  # 48 px are not blurred
    assert [cut.solarise for cut in cuts] == [0.0, 0.2] + [0.0] * 4


def test_small_images_are_not_blurred_unless_told() -> None:
    assert simclr(64).blur == 0 and simclr(96).blur == 0.5 and simclr(32, blur=0.2).blur == 0.2
    assert [augmentation.blur for augmentation in byol_pair(32)] == [0, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 1}, "views of 1 pixels are too small"),
        ({"flip": 1.5}, "flip = 1.5 is a probability"),
        ({"brightness": -0.1}, "brightness = -0.1 is negative"),
        ({"hue": 0.1}, "hue = 0.1 has no effect: jitter is 0"),
        ({"area": (0.5, 0.2)}, r"area = \(0.5, 0.2\) is not a range"),
        ({"area": (0.5, 1.2)}, r"area = \(0.5, 1.2\) is not a range"),
        ({"aspect": (0.0, 1.0)}, "aspect"),
        ({"sigma": (-1.0, 1.0)}, "sigma"),
    ],
)
def test_an_impossible_setting_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(light(32), **changes)
