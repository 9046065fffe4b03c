"""Deferred views are the views: drawn late, equal at every look, never all at once."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from selfsight.deferred import Deferred, Drawing, drawn
from selfsight.views.augmentation import Augmentation
from selfsight.views.presets import simclr

IMAGES, CHUNK, SIZE = 10, 4, 8


class Counted:
    """Two views of one size and one of another, and how often each chunk of images was drawn."""

    def __init__(self) -> None:
        self.firsts: list[int] = []

    def __call__(self, images: Tensor) -> list[Tensor]:
        self.firsts.append(int(images[0, 0, 0, 0]))
        small = Augmentation(size=4)
        return [*simclr(SIZE).several(images, views=2), small(images)]


def deferred() -> tuple[list[Tensor], Counted]:
    """Return three deferred views of images that have their number as colour."""
    images = torch.arange(IMAGES, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, SIZE, SIZE)
    draw = Counted()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Drawing(draw, images, chunk=CHUNK).views(), draw


def test_they_have_the_shape_and_kind_of_views_and_are_equal_at_every_look() -> None:
    views, draw = deferred()
    assert [tuple(view.shape) for view in views] == [(10, 3, 8, 8), (10, 3, 8, 8), (10, 3, 4, 4)]
    assert all(view.dtype == torch.float32 and len(view) == IMAGES for view in views)
    first, again = drawn(views[0]), drawn(views[0])
    assert type(first) is Tensor and torch.equal(first, again)
    assert len(first.flatten(1).unique(dim=0)) == IMAGES
    assert not torch.equal(first, drawn(views[1]))
    assert draw.firsts == [0, 4, 8] * 3


def test_to_draw_them_leaves_random_numbers_alone() -> None:
    views, _ = deferred()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        before = torch.get_rng_state()
        drawn(views[0])
        assert torch.equal(torch.get_rng_state(), before)


def test_they_are_drawn_in_full_precision_and_without_a_graph() -> None:
    weight = torch.full((SIZE, SIZE), 1 / 3, requires_grad=True)
    images = torch.rand(IMAGES, 3, SIZE, SIZE)
    (view,) = Drawing(lambda part: [part @ weight], images, chunk=CHUNK).views()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = drawn(view)
    assert not found.requires_grad
    torch.testing.assert_close(found, (images @ weight).detach(), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    "rows",
    [
        lambda one, other: torch.cat([one, other]),
        lambda one, _: one[3:9],
        lambda one, other: torch.cat([one, other])[6:17],
        lambda one, other: torch.cat([one, other])[6:17][1:-2],
        lambda one, other: torch.cat([other[2:3], one[7:]])[:4],
        lambda one, _: one.detach()[9:],
        lambda one, _: one[5:5],
        lambda one, _: one.to(torch.bfloat16),
        lambda one, other: torch.cat([one.double(), other.double()])[6:17],
    ],
)
def test_rows_of_them_are_deferred_and_those_rows(rows: Callable[..., Tensor]) -> None:
    views, _ = deferred()
    found, wanted = rows(*views[:2]), rows(*map(drawn, views[:2]))
    assert isinstance(found, Deferred)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    assert torch.equal(drawn(found), wanted)
    assert drawn(found).dtype == wanted.dtype


@pytest.mark.parametrize(
    "work",
    [
        lambda one, _: one - 0.5,
        lambda one, _: one[torch.tensor([4, 1, 9])],
        lambda one, _: one[::3],
        lambda one, _: one[:, :1],
        lambda one, _: one.to(memory_format=torch.channels_last, copy=True),
        lambda one, _: one.mT,
        lambda one, other: torch.cat([one, other], dim=1),
        lambda one, other: torch.cat([one, other.clone()]),
        lambda one, other: torch.cat([one, other.double()]),
        lambda one, other: torch.stack([one, other]),
        lambda one, _: torch.nn.functional.interpolate(one, (5, 5), mode="bilinear"),
    ],
)
def test_all_else_is_done_with_their_values(work: Callable[..., Tensor]) -> None:
    views, _ = deferred()
    found = work(*views[:2])
    assert type(found) is Tensor
    assert torch.equal(found, work(*map(drawn, views[:2])))


def test_views_of_two_batches_are_not_taken_for_one() -> None:
    (one, *_), _ = deferred()
    torch.manual_seed(1)
    other = Drawing(Counted(), torch.zeros(IMAGES, 3, SIZE, SIZE), chunk=CHUNK).views()[0]
    both = torch.cat([one, other])
    assert type(both) is Tensor
    assert torch.equal(both, torch.cat([drawn(one), drawn(other)]))


@pytest.mark.parametrize(
    "writing",
    [
        lambda view: view.mul_(0),
        lambda view: view[:2].mul_(0),
        lambda view: view.__setitem__(slice(2, 4), 0.0),
        torch.nn.functional.relu_,
    ],
)
def test_to_write_into_them_is_refused(writing: Callable[[Tensor], object]) -> None:
    (view, *_), _ = deferred()
    with pytest.raises(TypeError, match="writes into views"):
        writing(view)


def test_to_read_them_into_another_tensor_is_not() -> None:
    (view, *_), _ = deferred()
    room = torch.empty(view.shape)
    room.copy_(view)
    assert torch.equal(room, drawn(view))


def test_many_views_drawn_whole_are_drawn_once() -> None:
    views, draw = deferred()
    draw.firsts.clear()
    found = drawn(torch.cat(views[:2]))
    assert draw.firsts == [4, 8]  # the first is still there
    assert torch.equal(found, torch.cat([drawn(views[0]), drawn(views[1])]))


def test_rows_know_their_images() -> None:
    views, _ = deferred()
    both = torch.cat([views[0][8:], views[1]])
    assert [both.image_at(row) for row in range(12)] == [8, 9, *range(10)]
    with pytest.raises(IndexError):
        both.image_at(12)


def test_one_chunk_of_them_is_in_memory_at_a_time() -> None:
    views, draw = deferred()
    draw.firsts.clear()
    first = drawn(views[0][:CHUNK])
    drawn(views[1][:CHUNK])
    assert draw.firsts == []  # still there, from asking for the shapes
    kept = views[0].drawing._latest
    drawn(views[2][CHUNK : CHUNK + 1])
    assert list(kept) == [1] and draw.firsts == [4]
    assert torch.equal(first, drawn(views[0][:CHUNK]))
    assert draw.firsts == [4, 0]
