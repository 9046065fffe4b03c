"""Relative patch location: the labels, the grid, and no way around the task."""

from functools import cache
from math import log

import pytest
import torch
from given import learnt, tiny
from torch import Tensor
from torch.nn import functional as F

from selfsight import methods
from selfsight.errors import UserError
from selfsight.methods.relative_patch import RelativePatch, location_loss
from selfsight.nets.encoder import build_encoder

CHANCE = 1 / 8


def method(size: int = 32, encoder: str = "convnet", **settings: object) -> RelativePatch:
    torch.manual_seed(0)
    built = build_encoder(encoder, image_size=size, mean=[0.4] * 3, std=[0.25] * 3)
    return RelativePatch(built, **settings)


@cache
def fringed_noise(count: int, *, magnified: float, size: int = 32) -> Tensor:
    """Return noise seen through a lens that magnifies green by `magnified` and blue by its square.

    The noise is smooth on a lattice eight times finer, from which every channel takes its nearest
    points: one channel alone is alike everywhere, so that only fringes tell a place.
    """
    torch.manual_seed(0)
    fine, side = 8, 8 * size + 24
    kernel = torch.exp(-0.5 * (torch.arange(-12.0, 13.0) / 5) ** 2)
    white = torch.randn(count, 1, side, side)
    smooth = F.conv2d(F.conv2d(white, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    from_middle = (torch.arange(size) - (size - 1) / 2) * fine
    channels = []
    for power in range(3):
        taken = (from_middle / magnified**power + smooth.shape[-1] / 2).round().long()
        channels.append(smooth[:, 0][:, taken][:, :, taken])
    images = torch.stack(channels, 1)
    return 0.5 + 0.1 * images / images.std()


def fringes(patches: Tensor) -> Tensor:
    """Return how each two channels of each patch correlate when one is moved by up to 2 px."""
    side = patches.shape[-1]
    inner = patches[..., 2 : side - 2, 2 : side - 2]
    features = [
        (inner[:, :, one] * patches[:, :, other, y : y + side - 4, x : x + side - 4]).mean((-2, -1))
        for one, other in ((0, 1), (1, 2), (0, 2))
        for y in range(5)
        for x in range(5)
    ]
    return torch.stack(features, -1).flatten(1)


def accuracy_of_a_linear_learner(relative: RelativePatch, images: Tensor) -> float:
    """Return how often least squares on `fringes` finds the direction, on pairs not learnt from."""
    patches, directions = relative.cut(images)
    features = fringes(patches)
    features = (features - features.mean(0)) / features.std(0).clamp(min=1e-6)
    half = len(features) // 2
    gram = features[:half].T @ features[:half] + 10 * torch.eye(features.shape[1])
    weights = torch.linalg.solve(gram, features[:half].T @ F.one_hot(directions[:half], 8).float())
    guessed = (features[half:] @ weights).argmax(1)
    return (guessed == directions[half:]).float().mean().item()


def through_a_lens() -> Tensor:
    images = fringed_noise(200, magnified=1.2)
    return images[torch.randint(len(images), (32,))]


def test_a_network_finds_no_place_in_noise_seen_through_a_lens() -> None:
    guarded = RelativePatch(tiny(32), pairs=8, crop=1.0)
    loss, accuracy = learnt(guarded, through_a_lens, steps=80)
    assert loss > log(8) - 0.03
    assert accuracy < CHANCE + 0.03


def test_without_the_guard_the_same_network_reads_the_place_off_the_fringes() -> None:
    open_one = RelativePatch(tiny(32), pairs=8, crop=1.0, colour="keep")
    loss, accuracy = learnt(open_one, through_a_lens, steps=80)
    assert loss < 0.5 * log(8)
    assert accuracy > 0.7


def test_the_colour_fringes_of_a_lens_do_not_give_the_place_away() -> None:
    images = fringed_noise(200, magnified=1.1).repeat(20, 1, 1, 1)
    assert accuracy_of_a_linear_learner(method(), images) < CHANCE + 0.03


def test_without_the_guard_the_same_learner_finds_the_fringes() -> None:
    images = fringed_noise(200, magnified=1.1).repeat(20, 1, 1, 1)
    assert accuracy_of_a_linear_learner(method(colour="keep"), images) > 2 * CHANCE


def test_the_learner_finds_nothing_in_noise_without_fringes() -> None:
    images = fringed_noise(200, magnified=1.0).repeat(20, 1, 1, 1)
    assert accuracy_of_a_linear_learner(method(colour="keep"), images) < CHANCE + 0.03


def test_the_projection_lessens_the_fringes_of_green_and_leaves_a_trace() -> None:
    red, green, _ = fringed_noise(200, magnified=1.1).unbind(1)
    images = torch.stack([red, green, red], 1).repeat(20, 1, 1, 1)
    kept = accuracy_of_a_linear_learner(method(colour="keep"), images)
    projected = accuracy_of_a_linear_learner(method(colour="project"), images)
    assert CHANCE + 0.03 < projected < 0.5 * kept


def test_brightness_and_colour_that_change_across_the_image_tell_nothing() -> None:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    images = (0.5 + torch.stack([0.2 * x, 0.2 * y, -0.1 * x - 0.2 * y])).expand(200, 3, 32, 32)
    for colour, guarded in (("keep", True), ("keep", False)):
        relative = method(colour=colour, normalise=guarded)
        patches, _ = relative.cut(images)
        differs = (patches - patches[:1, :1]).abs().max() > 1e-3
        assert bool(differs) is not guarded


def test_both_orders_are_asked_and_answered_by_opposite_directions() -> None:
    relative, given = method(pairs=3), []
    relative.head.register_forward_hook(lambda _, pairs, logits: given.append((*pairs, logits)))
    images = torch.rand(4, 3, 32, 32)
    torch.manual_seed(1)
    step = relative.train()([images], 0.0)
    ((pairs, logits),) = given
    assert pairs.shape == (2 * 3 * 4, 2 * relative.encoder.dim)
    first, second = pairs[:12].chunk(2, dim=1)
    assert torch.equal(pairs[12:], torch.cat([second, first], 1))
    torch.manual_seed(1)
    _, directions = relative.cut(images.repeat(3, 1, 1, 1))
    expected = location_loss(logits, torch.cat([directions, 7 - directions]))
    torch.testing.assert_close(step.loss, expected)


def test_the_encoder_sees_patches_of_its_own_statistics() -> None:
    relative = method(colour="keep")
    patches, _ = relative.cut(torch.rand(8, 3, 32, 32))
    seen = relative.encoder.normalise(patches.flatten(0, 1))
    torch.testing.assert_close(seen.square().mean((1, 2, 3)), torch.ones(16), rtol=1e-4, atol=0)


def test_knowing_nothing_costs_ln_8() -> None:
    loss = location_loss(torch.zeros(16, 8), torch.arange(16) % 8)
    assert loss.item() == pytest.approx(log(8)) == pytest.approx(method().knows_nothing(64))


@pytest.mark.parametrize(
    ("size", "grid"),
    [(32, (10, 3, 1)), (64, (21, 6, 2)), (224, (73, 22, 7)), (20, (6, 2, 0))],
)
def test_the_grid_follows_the_size_of_the_images(size: int, grid: tuple[int, int, int]) -> None:
    assert tuple(method(size).grid.values()) == grid


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch": 0.5}, "do not fit into 32 px"),
        ({"gap": 0.5}, "do not fit into 32 px"),
        ({"patch": 0.1}, "too small"),
        ({"gap": 0.05}, "touch"),
    ],
)
def test_a_grid_that_cannot_work_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        method(**settings)
    assert "\n" not in str(refused.value)


def test_images_too_small_for_two_patches_are_refused() -> None:
    with pytest.raises(UserError, match="too small"):
        method(16)


def test_every_choice_of_colours_trains() -> None:
    for colour in methods.settings_of(RelativePatch)["colour"].kind.__args__:
        relative = method(colour=colour).train()
        step = relative(relative.views(torch.rand(4, 3, 40, 40)), 0.0)
        assert torch.isfinite(step.loss)


def test_projection_needs_three_channels() -> None:
    encoder = build_encoder("convnet", image_size=32, channels=1, mean=[0.5], std=[0.25])
    with pytest.raises(UserError, match="three channels"):
        RelativePatch(encoder, colour="project")
    relative = RelativePatch(encoder).train()
    assert torch.isfinite(relative(relative.views(torch.rand(4, 1, 32, 32)), 0.0).loss)


def test_a_network_of_one_fixed_size_gets_enlarged_patches() -> None:
    relative = method(encoder="vit_tiny").train()
    assert torch.isfinite(relative([torch.rand(2, 3, 32, 32)], 0.0).loss)
