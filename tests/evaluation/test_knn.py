"""Nearest neighbours, against a hand case, a loop and a second way to compute."""

import numpy as np
import pytest

from selfsight.errors import UserError
from selfsight.evaluation import knn
from selfsight.evaluation.embed import Embeddings
from selfsight.evaluation.knn import knn_accuracy, knn_predict, knn_votes, neighbours_used


def closed_form(rows: int, columns: int, shift: int) -> np.ndarray:
    """Return numbers in [-1, 1] that any language can rebuild."""
    k = np.arange(rows * columns, dtype=np.int64)
    numbers = ((7919 * k * k + 104729 * k + shift) % 1009) / 504.5 - 1
    return numbers.reshape(rows, columns)


def embeddings(features, labels) -> Embeddings:
    return Embeddings(np.asarray(features, np.float32), np.asarray(labels, np.int64))


def cloud(n: int, classes: int = 4, dim: int = 6, seed: int = 0) -> Embeddings:
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    middles = np.random.default_rng(99).standard_normal((classes, dim))
    return embeddings(middles[labels] + rng.standard_normal((n, dim)), labels)


def by_loop(train: Embeddings, test: Embeddings, k: int, temperature: float) -> list[list[float]]:
    """Return the shares of votes, one query and one neighbour at a time."""
    shares = []
    for query in test.features.astype(np.float64):
        cosines = [
            float(query @ row / np.sqrt((query @ query) * (row @ row)))
            for row in train.features.astype(np.float64)
        ]
        nearest = sorted(range(len(cosines)), key=lambda i: -cosines[i])[:k]
        votes = [0.0] * (max(train.labels) + 1)
        for i in nearest:
            votes[train.labels[i]] += np.exp(cosines[i] / temperature)
        shares.append([vote / sum(votes) for vote in votes])
    return shares


def test_the_hand_case_has_its_known_votes():
    bank = embeddings(closed_form(6, 3, 50), [0, 1, 0, 1, 1, 0])
    queries = embeddings(closed_form(2, 3, 51), [0, 0])
    votes = knn_votes(bank, queries, k=3, temperature=0.07)
    assert votes == pytest.approx(np.array([[0.689521, 0.310479], [0.306703, 0.693297]]), abs=2e-6)
    assert knn_predict(bank, queries, k=3, temperature=0.07).tolist() == [0, 1]
    assert knn_accuracy(bank, queries, k=3, temperature=0.07) == 0.5


@pytest.mark.parametrize("k", [1, 5, 20])
@pytest.mark.parametrize("temperature", [0.02, 0.07, 1.0])
def test_the_votes_are_those_of_a_loop(k, temperature):
    train, test = cloud(60), cloud(30, seed=1)
    expected = np.array(by_loop(train, test, k, temperature))
    assert knn_votes(train, test, k=k, temperature=temperature) == pytest.approx(expected, abs=1e-4)
    predicted = knn_predict(train, test, k=k, temperature=temperature)
    assert predicted.tolist() == expected.argmax(axis=1).tolist()


@pytest.mark.parametrize(("bank", "queries"), [(1, 31), (7, 4), (25, 1), (60, 31)])
def test_blocks_change_no_vote(monkeypatch, bank, queries):
    train, test = cloud(60), cloud(31, seed=1)
    whole = knn_votes(train, test)
    monkeypatch.setattr(knn, "BANK_BLOCK", bank)
    monkeypatch.setattr(knn, "QUERY_BLOCK", queries)
    assert np.allclose(knn_votes(train, test), whole, atol=1e-5)


def test_the_length_of_features_does_not_matter():
    train, test = cloud(60), cloud(30, seed=1)
    longer = embeddings(test.features * 1000, test.labels)
    assert np.allclose(knn_votes(train, longer), knn_votes(train, test), atol=1e-4)


def test_equal_votes_go_to_the_lowest_class():
    bank = embeddings([[1, 0], [1, 0], [1, 0]], [2, 1, 3])
    assert knn_predict(bank, embeddings([[1, 0]], [3]), k=3).tolist() == [1]


def test_a_tiny_temperature_does_not_overflow():
    votes = knn_votes(cloud(60), cloud(30, seed=1), temperature=1e-5)
    assert np.isfinite(votes).all()
    assert np.allclose(votes.sum(axis=1), 1)


def test_k_larger_than_the_bank_asks_the_whole_bank():
    train, test = cloud(7), cloud(5, seed=1)
    assert neighbours_used(train, k=20) == 7
    assert np.array_equal(knn_votes(train, test, k=20), knn_votes(train, test, k=7))


def test_images_without_a_label_neither_vote_nor_count():
    train, test = cloud(60), cloud(30, seed=1)
    noise = np.random.default_rng(5).standard_normal((9, 6))
    more_train = embeddings([*noise, *train.features], [-1] * 9 + train.labels.tolist())
    more_test = embeddings([*test.features, *noise], test.labels.tolist() + [-1] * 9)
    assert np.array_equal(knn_predict(more_train, more_test), knn_predict(train, test))
    assert knn_accuracy(more_train, more_test) == knn_accuracy(train, test)
    assert neighbours_used(more_train, k=100) == 60


def test_a_class_without_any_neighbour_is_never_answered():
    train = cloud(60, classes=2)
    test = embeddings(cloud(5, seed=1).features, [9] * 5)
    assert knn_accuracy(train, test) == 0


def test_rows_of_zeros_are_answered_without_a_warning():
    assert knn_predict(cloud(60), embeddings(np.zeros((3, 6)), [0, 1, 2])).shape == (3,)


def test_no_label_at_all_is_said_in_one_line():
    unlabelled = embeddings(np.ones((4, 6)), [-1] * 4)
    with pytest.raises(UserError, match="none of the 4 images has a label"):
        knn_accuracy(unlabelled, cloud(5))
    with pytest.raises(UserError, match="none of the 4 images has a label"):
        knn_accuracy(cloud(5), unlabelled)


def test_features_that_are_not_finite_are_said_in_one_line():
    broken = cloud(5)
    broken.features[2, 3] = np.nan
    with pytest.raises(UserError, match=r"1 of 5 images are not finite.*diverged"):
        knn_accuracy(cloud(5), broken)
