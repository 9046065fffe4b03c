"""The queue wraps, keeps unit vectors, and finds the nearest."""

import torch
from torch.nn import functional as F

from selfsight.ring import Ring, nearest


def signed(batch: int, item: int) -> list[float]:
    """Return a direction that names a batch and an item."""
    return [1.0, float(batch + 1), float(item + 1)]


def test_three_batches_of_4_in_a_queue_of_6_wrap_around() -> None:
    ring = Ring(length=6, dim=3)
    for batch in range(3):
        ring.enqueue(torch.tensor([signed(batch, item) for item in range(4)]))
    kept = [(1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3)]
    expected = F.normalize(torch.tensor([signed(*name) for name in kept]), dim=1)
    torch.testing.assert_close(ring.rows, expected)
    assert ring.pointer == 0


def test_a_batch_that_crosses_the_end_goes_on_at_the_start() -> None:
    ring = Ring(length=6, dim=3)
    for batch in range(2):
        ring.enqueue(torch.tensor([signed(batch, item) for item in range(4)]))
    kept = [(1, 2), (1, 3), (0, 2), (0, 3), (1, 0), (1, 1)]
    expected = F.normalize(torch.tensor([signed(*name) for name in kept]), dim=1)
    torch.testing.assert_close(ring.rows, expected)
    assert ring.pointer == 2


def test_a_batch_longer_than_the_queue_leaves_its_last_vectors() -> None:
    long, item_by_item = Ring(length=3, dim=3), Ring(length=3, dim=3)
    batch = torch.tensor([signed(0, item) for item in range(8)])
    long.enqueue(batch)
    for row in batch:
        item_by_item.enqueue(row[None])
    torch.testing.assert_close(long.rows, item_by_item.rows)
    assert long.pointer == item_by_item.pointer == 2


def test_the_queue_starts_with_random_unit_vectors_and_keeps_their_length() -> None:
    ring = Ring(length=50, dim=8)
    ring.enqueue(7 * torch.randn(20, 8))
    torch.testing.assert_close(ring.rows.norm(dim=1), torch.ones(50))
    assert ring.rows.std(0).min() > 0.1


def test_enqueueing_leaves_rows_that_a_loss_still_holds() -> None:
    ring = Ring(length=4, dim=2)
    held = ring.rows
    before = held.clone()
    ring.enqueue(torch.ones(2, 2))
    assert torch.equal(held, before)


def test_half_precision_vectors_are_kept_in_full() -> None:
    ring = Ring(length=4, dim=2)
    ring.enqueue(torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True))
    assert ring.rows.dtype == torch.float32
    assert not ring.rows.requires_grad


def test_rows_and_pointer_are_in_the_state() -> None:
    assert set(Ring(length=4, dim=2).state_dict()) == {"rows", "pointer"}


def test_the_nearest_is_the_row_with_the_largest_cosine() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 9.0], [-1.0, 0.1]])
    cosines, places = nearest(torch.tensor([[2.0, 0.1], [0.1, 0.2], [-3.0, 0.0]]), rows)
    assert places.tolist() == [0, 1, 2]
    assert cosines.min() > 0.85
