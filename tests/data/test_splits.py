"""Splits and batches depend on their arguments alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsight.data.splits import (
    batch_rows,
    endless_rows,
    share_of,
    split,
    stratified_sample,
    stratified_share,
    stratified_subset,
)
from selfsight.errors import UserError


@given(st.integers(2, 200), st.floats(0.001, 0.999), st.integers(0, 2**63))
def test_a_split_is_a_sorted_partition_with_no_empty_part(
    n: int, fraction: float, seed: int
) -> None:
    train, held_out = split(n, fraction=fraction, seed=seed)
    assert sorted([*train, *held_out]) == list(range(n))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()
    assert len(train) >= 1
    assert len(held_out) >= 1
    assert abs(len(held_out) - n * fraction) <= 1


def test_a_split_follows_its_seed() -> None:
    rows = [split(100, fraction=0.2, seed=seed)[1].tolist() for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


def test_a_split_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="at least 2"):
        split(1, fraction=0.5, seed=0)
    with pytest.raises(UserError, match="between 0 and 1"):
        split(10, fraction=1.0, seed=0)


@given(st.integers(1, 200), st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 2**63))
def test_a_smaller_share_lies_within_a_larger_one(
    n: int, one: float, other: float, seed: int
) -> None:
    small, large = (share_of(n, fraction=part, seed=seed) for part in sorted((one, other)))
    assert set(small) <= set(large) <= set(range(n))
    assert (np.diff(large) > 0).all()
    assert len(large) == max(1, round(n * max(one, other)))
    assert len(share_of(n, fraction=1.0, seed=seed)) == n


def test_a_subset_takes_as_many_of_each_class() -> None:
    labels = np.array([0] * 50 + [1] * 3 + [-1] * 20 + [7] * 30)
    rows = stratified_subset(labels, per_class=5, seed=0)
    assert (np.diff(rows) > 0).all()
    assert np.unique(labels[rows], return_counts=True)[1].tolist() == [5, 3, 5]
    assert len(stratified_subset(np.full(5, -1), per_class=3, seed=0)) == 0


def test_a_sample_keeps_the_proportions() -> None:
    labels = np.array([0] * 600 + [1] * 300 + [-1] * 50 + [2] * 100)
    rows = stratified_sample(labels, count=100, seed=0)
    assert (np.diff(rows) > 0).all()
    assert np.unique(labels[rows], return_counts=True)[1].tolist() == [60, 30, 10]
    assert len(stratified_sample(labels, count=5000, seed=0)) == 1000


def test_an_epoch_shows_each_image_at_most_once_and_drops_the_rest() -> None:
    def epoch(number: int) -> np.ndarray:
        steps = range(3 * number, 3 * number + 3)
        return np.concatenate([batch_rows(step, images=11, batch=3, seed=0) for step in steps])

    assert len(set(epoch(0).tolist())) == 9
    assert epoch(0).tolist() != epoch(1).tolist()
    everything = {row for number in range(8) for row in epoch(number).tolist()}
    assert everything == set(range(11))


def test_batches_may_be_asked_for_in_any_order() -> None:
    forward = [batch_rows(step, images=50, batch=8, seed=3).tolist() for step in range(20)]
    backward = [batch_rows(step, images=50, batch=8, seed=3).tolist() for step in range(19, -1, -1)]
    assert forward == backward[::-1]
    assert forward[0] != batch_rows(0, images=50, batch=8, seed=4).tolist()


def test_the_order_is_this_one_on_every_machine() -> None:
    assert batch_rows(5, images=10, batch=4, seed=1).tolist() == [2, 0, 3, 5]
    assert split(10, fraction=0.3, seed=1)[1].tolist() == [3, 5, 6]


def test_a_batch_larger_than_the_set_is_refused() -> None:
    with pytest.raises(UserError, match=r"must lie in 1\.\.7"):
        batch_rows(0, images=7, batch=8, seed=0)


def test_a_share_of_every_class_has_at_least_one_of_each_and_grows_by_adding() -> None:
    labels = np.array([0] * 50 + [1] * 3 + [-1] * 20 + [7] * 30)
    few, many = (stratified_share(labels, share=share, seed=0) for share in (0.1, 0.5))
    assert np.bincount(labels[few], minlength=8).tolist() == [5, 1, 0, 0, 0, 0, 0, 3]
    assert set(few) < set(many)
    everything = stratified_share(labels, share=1.0, seed=0)
    assert everything.tolist() == np.flatnonzero(labels >= 0).tolist()


def test_endless_rows_show_every_image_as_often_as_any_other() -> None:
    rows = [endless_rows(step, images=7, batch=16, seed=1) for step in range(20)]
    counts = np.bincount(np.concatenate(rows), minlength=7)
    assert counts.max() - counts.min() <= 1
    assert all(np.bincount(batch, minlength=7).min() >= 1 for batch in rows)
    assert np.array_equal(rows[3], endless_rows(3, images=7, batch=16, seed=1))
