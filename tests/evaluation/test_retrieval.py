"""Mean average precision against scikit-learn's, query by query."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from selfsight.evaluation import retrieval as module
from selfsight.evaluation.embed import Embeddings
from selfsight.evaluation.retrieval import retrieval


def cloud(n: int, *, seed: int, classes: int = 3) -> Embeddings:
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    features = np.eye(3, 5)[labels] + 0.7 * rng.standard_normal((n, 5))
    return Embeddings(features.astype(np.float32), labels)


def test_it_is_the_mean_of_the_average_precision_of_all_queries():
    train, test = cloud(60, seed=0), cloud(25, seed=1)
    unit = [
        part.features / np.linalg.norm(part.features, axis=1)[:, None] for part in (train, test)
    ]
    expected = np.mean(
        [
            average_precision_score(train.labels == label, query @ unit[0].T)
            for query, label in zip(unit[1], test.labels, strict=True)
        ]
    )
    found = retrieval(train, test, seed=0)
    assert found.mean_average_precision == pytest.approx(expected, abs=1e-6)
    assert (found.queries, found.bank) == (25, 60)


def test_a_collapsed_encoder_gets_the_share_of_the_class_whatever_the_order_of_the_files():
    labels = np.repeat([0, 1], 200)
    same = Embeddings(np.ones((400, 4), np.float32), labels)
    found = retrieval(same, same, seed=0)
    assert found.mean_average_precision == pytest.approx(0.5, abs=0.05)


def test_a_class_without_training_images_is_not_asked_for():
    train, test = cloud(60, seed=0, classes=2), cloud(40, seed=1, classes=3)
    found = retrieval(train, test, seed=0)
    assert found.queries == (test.labels < 2).sum()
    assert np.isfinite(found.mean_average_precision)


def test_of_many_test_images_a_sample_is_asked(monkeypatch):
    monkeypatch.setattr(module, "QUERIES", 10)
    monkeypatch.setattr(module, "BLOCK", 100)  # more than one block
    assert retrieval(cloud(60, seed=0), cloud(40, seed=1), seed=0).queries == 10
