"""Patches: exact pixels, places where they should be, and guards that do what they say."""

import pytest
import torch

from selfsight.views.patches import (
    BORDER,
    cut_patches,
    drop_colours,
    normalise_patches,
    project_colours,
    random_neighbours,
    random_tiles,
    random_whole,
)

SIZE, SIDE, GAP, JITTER = 32, 10, 3, 1
CELL, TILE, SPACE, SHIFT = 13, 9, 2, 1


def test_a_patch_holds_the_pixels_of_its_place_channel_by_channel() -> None:
    images = torch.rand(4, 3, 20, 17)
    top, left = torch.randint(0, 10, (4, 5, 3)), torch.randint(0, 8, (4, 5, 3))
    patches = cut_patches(images, top, left, side=8)
    assert patches.shape == (4, 5, 3, 8, 8)
    for sample in range(4):
        for patch in range(5):
            for channel in range(3):
                y, x = top[sample, patch, channel], left[sample, patch, channel]
                expected = images[sample, channel, y : y + 8, x : x + 8]
                assert torch.equal(patches[sample, patch, channel], expected)


def test_whole_numbers_are_uniform_up_to_their_own_limit() -> None:
    limits = torch.tensor([0, 1, 4]).expand(4000, 3)
    draws = random_whole(limits)
    for column, limit in enumerate((0, 1, 4)):
        counts = torch.bincount(draws[:, column])
        assert len(counts) == limit + 1
        assert (counts / 4000 - 1 / (limit + 1)).abs().max() < 0.04


def neighbours(count: int = 4000):
    torch.manual_seed(0)
    like = torch.empty(count)
    return random_neighbours(like, size=SIZE, side=SIDE, gap=GAP, jitter=JITTER)


def test_the_direction_is_where_the_second_patch_lies() -> None:
    top, left, direction = neighbours()
    for number, (down, right) in enumerate(
        [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    ):
        those = direction == number
        step = SIDE + GAP
        for start, offset in ((top, down), (left, right)):
            moved = start[those, 1] - start[those, 0]
            assert (moved - offset * step).abs().max() <= 2 * JITTER


def test_all_directions_are_equally_frequent() -> None:
    _, _, direction = neighbours()
    assert (torch.bincount(direction, minlength=8) / 4000 - 1 / 8).abs().max() < 0.02


def test_neighbours_never_touch_nor_leave_the_image_nor_reach_its_border() -> None:
    top, left, _ = neighbours()
    for start in (top, left):
        assert start.min() >= BORDER
        assert start.max() + SIDE <= SIZE - BORDER
    apart = torch.maximum((top[:, 1] - top[:, 0]).abs(), (left[:, 1] - left[:, 0]).abs())
    assert apart.min() >= SIDE + GAP - 2 * JITTER


def test_every_sample_has_its_own_jitter() -> None:
    top, left, direction = neighbours()
    right = direction == 4
    assert len((left[right, 1] - left[right, 0]).unique()) == 4 * JITTER + 1
    assert len((top[right, 1] - top[right, 0]).unique()) == 4 * JITTER + 1


def test_tiles_keep_to_their_cells_and_apart() -> None:
    torch.manual_seed(0)
    images = torch.empty(2000, 3, 3 * CELL, 3 * CELL)
    top, left = random_tiles(images, cell=CELL, tile=TILE, gap=SPACE, shift=SHIFT)
    grid = (torch.arange(3) * CELL).repeat_interleave(3)[:, None]
    inside = top - grid
    assert inside.min() >= BORDER
    assert inside.max() + TILE <= CELL - BORDER
    columns = left.view(2000, 3, 3, 3)  # image, row, column, channel
    between = columns[:, :, 1:].amin(3) - (columns[:, :, :-1].amax(3) + TILE)
    assert between.min() == SPACE


def test_channels_of_a_tile_are_moved_independently() -> None:
    torch.manual_seed(0)
    images = torch.empty(500, 3, 3 * CELL, 3 * CELL)
    top, _ = random_tiles(images, cell=CELL, tile=TILE, gap=SPACE, shift=SHIFT)
    red_minus_blue = (top[..., 0] - top[..., 2]).flatten()
    assert sorted(red_minus_blue.unique().tolist()) == [-1, 0, 1]
    still, _ = random_tiles(images, cell=CELL, tile=TILE, gap=SPACE, shift=0)
    assert torch.equal(still[..., 0], still[..., 2])


def test_normalising_removes_brightness_colour_and_contrast_of_a_patch() -> None:
    patches = torch.rand(6, 2, 3, 8, 8)
    normal = normalise_patches(patches)
    torch.testing.assert_close(normal.mean((3, 4)), torch.zeros(6, 2, 3), rtol=0, atol=1e-5)
    torch.testing.assert_close(normal.square().mean((2, 3, 4)), torch.ones(6, 2))
    tinted = 0.3 * patches + torch.rand(6, 2, 3, 1, 1)
    torch.testing.assert_close(normalise_patches(tinted), normal, rtol=0, atol=1e-4)


def test_a_flat_patch_is_not_stretched_to_noise() -> None:
    assert normalise_patches(torch.full((1, 1, 3, 8, 8), 0.4)).abs().max() < 1e-3


def test_dropping_keeps_one_channel_at_random_and_a_grey_level_of_noise() -> None:
    patches = torch.rand(300, 2, 3, 8, 8)
    dropped = drop_colours(patches)
    centred = patches - patches.mean((3, 4), keepdim=True)
    kept = (dropped == centred).all(4).all(3)
    assert (kept.sum(2) == 1).all()
    assert (kept.float().mean((0, 1)) - 1 / 3).abs().max() < 0.07
    assert (dropped[~kept].abs() <= 0.5 / 255).all()
    assert not torch.equal(kept[:, 0], kept[:, 1])


def test_projection_removes_green_against_magenta_and_nothing_else() -> None:
    patches = torch.rand(4, 2, 3, 8, 8)
    projected = project_colours(patches)
    left_over = -projected[:, :, 0] + 2 * projected[:, :, 1] - projected[:, :, 2]
    assert left_over.abs().max() < 1e-5
    torch.testing.assert_close(project_colours(projected), projected)
    for direction in ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0)):
        weights = torch.tensor(direction)[:, None, None]
        torch.testing.assert_close((projected * weights).sum(2), (patches * weights).sum(2))


def test_projection_leaves_as_little_in_half_precision_training() -> None:
    patches = torch.rand(4, 2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        projected = project_colours(patches)
    left_over = -projected[:, :, 0] + 2 * projected[:, :, 1] - projected[:, :, 2]
    assert projected.dtype == torch.float32
    assert left_over.abs().max() < 1e-5


@pytest.mark.parametrize("guard", [drop_colours, project_colours, normalise_patches])
def test_guards_treat_each_patch_alone(guard) -> None:
    patches = torch.rand(3, 2, 3, 8, 8)
    torch.manual_seed(1)
    together = guard(patches)
    changed = patches.clone()
    changed[1:] = 0.5
    torch.manual_seed(1)
    torch.testing.assert_close(guard(changed)[0], together[0])
