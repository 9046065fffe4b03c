"""Jigsaw: far permutations, tiles that go where they should, and no way around the task."""

from math import log

import pytest
import torch
from given import learnt, tiny
from torch import Tensor

from selfsight.errors import UserError
from selfsight.methods.jigsaw import Jigsaw, jigsaw_loss, permutation_set
from selfsight.nets.encoder import build_encoder


def method(size: int = 32, encoder: str = "convnet", **settings: float) -> Jigsaw:
    torch.manual_seed(0)
    built = build_encoder(encoder, image_size=size, mean=[0.4] * 3, std=[0.25] * 3)
    return Jigsaw(built, **settings)


def distances(permutations: Tensor) -> Tensor:
    """Return in how many places each two of the permutations differ."""
    differ = (permutations[:, None] != permutations).sum(2)
    return differ[~torch.eye(len(permutations), dtype=torch.bool)]


def test_the_first_permutations_differ_everywhere() -> None:
    assert distances(permutation_set(9)).min() == 9


def test_the_set_is_further_apart_than_a_random_one() -> None:
    torch.manual_seed(0)
    random = torch.stack([torch.randperm(9) for _ in range(64)])
    assert distances(permutation_set(64)).min() >= 7 > distances(random).min()


def test_every_row_is_a_permutation_and_the_set_depends_on_the_seed_alone() -> None:
    chosen = permutation_set(40)
    assert torch.equal(chosen.sort(1).values, torch.arange(9).expand(40, 9))
    permutation_set.cache_clear()
    assert torch.equal(permutation_set(40), chosen)
    assert torch.equal(permutation_set(20), chosen[:20])
    assert not torch.equal(permutation_set(40, seed=1), chosen)


def test_a_permutation_is_chosen_as_far_as_possible_from_all_earlier_ones() -> None:
    from itertools import permutations

    chosen = [tuple(row) for row in permutation_set(12, tiles=4).tolist()]

    def nearest(candidate: tuple[int, ...], earlier: list[tuple[int, ...]]) -> int:
        return min(sum(a != b for a, b in zip(candidate, one, strict=True)) for one in earlier)

    for place in range(1, 12):
        best = max(nearest(candidate, chosen[:place]) for candidate in permutations(range(4)))
        assert nearest(chosen[place], chosen[:place]) == best


@pytest.mark.parametrize("count", [1, 25])
def test_a_count_that_is_impossible_is_refused(count: int) -> None:
    with pytest.raises(UserError, match=f"permutations is {count}; use 2 to 24"):
        permutation_set(count, tiles=4)


def slopes(count: int, *, side: int = 39) -> Tensor:
    """Return images that grow evenly lighter and change colour, each in its own direction."""
    line = torch.linspace(-1, 1, side)
    slant = 0.2 * torch.rand(2, count, 3, 1, 1) + 0.02  # always lighter to the lower right
    return 0.5 + slant[0] * line[:, None] + slant[1] * line


def test_smooth_slopes_cannot_be_put_together() -> None:
    loss, accuracy = learnt(Jigsaw(tiny(32), permutations=8), lambda: slopes(32), steps=60)
    assert loss > log(8) - 0.05
    assert accuracy < 1 / 8 + 0.05


def test_without_the_normalisation_of_tiles_slopes_give_the_puzzle_away() -> None:
    open_one = Jigsaw(tiny(32), permutations=8, normalise=False)
    loss, accuracy = learnt(open_one, lambda: slopes(32), steps=60)
    assert loss < 0.5 * log(8)
    assert accuracy > 0.6


def test_every_tile_of_a_slope_looks_the_same() -> None:
    tiles = method(shift=0).cut(slopes(4))
    torch.testing.assert_close(tiles, tiles[:, :1].expand_as(tiles), rtol=0, atol=1e-4)


def test_slopes_stay_even_when_they_pass_through_the_view() -> None:
    jigsaw = method(shift=0, grey=0.0)
    (views,) = jigsaw.views(slopes(16, side=40))
    tiles = jigsaw.cut(views)
    # resampling by a triangle bends a slope by a percent, wherever it is; a border by far more
    torch.testing.assert_close(tiles, tiles[:, :1].expand_as(tiles), rtol=0, atol=0.03)


def test_tiles_are_counted_row_by_row() -> None:
    jigsaw = method(shift=0, normalise=False)
    cells = torch.arange(9.0).view(1, 1, 3, 3).repeat_interleave(13, 2).repeat_interleave(13, 3)
    tiles = jigsaw.cut((cells / 9).expand(2, 3, 39, 39))
    torch.testing.assert_close(tiles.mean((2, 3, 4)) * 9, torch.arange(9.0).expand(2, 9))


def test_place_j_of_a_puzzle_holds_the_tile_that_its_permutation_names() -> None:
    jigsaw, seen = method(shuffles=3, width=4), []
    jigsaw.tower.register_forward_hook(lambda _, h, v: seen.append(v))
    jigsaw.head.register_forward_hook(lambda _, puzzles, logits: seen.append((*puzzles, logits)))
    step = jigsaw.train()([torch.rand(5, 3, 39, 39)], 0.0)
    vectors, (puzzles, logits) = seen
    tiles = vectors.relu().view(5, 9, 4)
    found = []
    for number, puzzle in enumerate(puzzles.view(15, 9, 4)):
        match = [torch.equal(puzzle, tiles[number % 5][row]) for row in jigsaw.permutations]
        assert sum(match) >= 1
        found.append(match.index(True))
    torch.testing.assert_close(step.loss, jigsaw_loss(logits, torch.tensor(found)))


def test_knowing_nothing_costs_ln_p() -> None:
    loss = jigsaw_loss(torch.zeros(64, 32), torch.arange(64) % 32)
    assert loss.item() == pytest.approx(log(32)) == pytest.approx(method().knows_nothing(64))


def test_the_permutations_are_part_of_a_checkpoint() -> None:
    jigsaw = method()
    assert torch.equal(jigsaw.state_dict()["permutations"], permutation_set(32))


@pytest.mark.parametrize(
    ("size", "grid"), [(32, (13, 9, 2, 1)), (64, (26, 18, 4, 1)), (224, (90, 62, 14, 1))]
)
def test_the_grid_follows_the_size_of_the_images(
    size: int, grid: tuple[int, int, int, int]
) -> None:
    assert tuple(method(size).grid.values()) == grid


@pytest.mark.parametrize("settings", [{"tile": 0.9}, {"gap": 0.5}, {"shift": 5}, {"tile": 0.3}])
def test_a_grid_that_cannot_work_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(UserError, match="do not fit into cells of") as refused:
        method(**settings)
    assert "\n" not in str(refused.value)


def test_half_of_the_images_are_grey() -> None:
    torch.manual_seed(0)
    (views,) = method().views(torch.rand(400, 3, 40, 40))
    grey = (views[:, 0] - views[:, 1]).abs().amax((1, 2)) < 1e-4
    assert 0.4 < grey.float().mean() < 0.6


def test_a_network_of_one_fixed_size_gets_enlarged_tiles() -> None:
    jigsaw = method(encoder="vit_tiny").train()
    assert torch.isfinite(jigsaw([torch.rand(2, 3, 39, 39)], 0.0).loss)
