"""k-means sees no label: clusters that are the classes score 1, empty features score 0."""

import numpy as np
import pytest

from selfsight.errors import UserError
from selfsight.evaluation import clusters
from selfsight.evaluation.clusters import cluster_agreement
from selfsight.evaluation.embed import Embeddings


def blobs(n: int, *, seed: int, noise: float = 0.05) -> Embeddings:
    labels = np.arange(n) % 4
    directions = np.eye(4, 8, dtype=np.float32)[labels]
    drawn = np.random.default_rng(seed).standard_normal((n, 8)).astype(np.float32)
    return Embeddings(directions + noise * drawn, labels)


def test_clusters_that_are_the_classes_are_perfect():
    found = cluster_agreement(blobs(80, seed=0), blobs(60, seed=1), seed=0)
    assert (found.clusters, found.fitted) == (4, 80)
    assert found.nmi == pytest.approx(1)
    assert found.ari == pytest.approx(1)
    assert found.accuracy == 1


def test_a_class_that_no_fitted_image_has_is_no_error(monkeypatch):
    monkeypatch.setattr(clusters, "FITTED", 40)
    train, test = blobs(400, seed=0), blobs(60, seed=1)
    rare = train.labels.copy()
    rare[:1] = 9  # one image of 400: among 40 it is missing, as a rule
    found = [
        cluster_agreement(Embeddings(train.features, rare), test, seed=seed) for seed in range(5)
    ]
    assert [one.clusters for one in found] == [5] * 5
    assert all(one.accuracy > 0.5 for one in found)


def test_features_that_say_nothing_score_as_chance_does():
    train, test = (blobs(400, seed=seed, noise=100.0) for seed in (0, 1))
    found = cluster_agreement(train, test, seed=0)
    assert found.nmi < 0.05
    assert abs(found.ari) < 0.03
    assert found.accuracy == pytest.approx(0.25, abs=0.1)


def test_the_fit_sees_no_label():
    train, test = blobs(80, seed=0, noise=0.6), blobs(60, seed=1, noise=0.6)
    shuffled = Embeddings(train.features, np.random.default_rng(0).permutation(train.labels))
    plain, found = (cluster_agreement(part, test, seed=0) for part in (train, shuffled))
    assert (plain.nmi, plain.ari) == (found.nmi, found.ari)


def test_every_cluster_has_a_class_of_its_own_named_by_training_labels():
    train, test = blobs(80, seed=0), blobs(60, seed=1)
    turned = Embeddings(test.features, (test.labels + 1) % 4)  # other names for the same clusters
    found = cluster_agreement(train, turned, seed=0)
    assert found.ari == pytest.approx(1)
    assert found.accuracy == 0


def test_collapsed_features_are_no_error():
    same = Embeddings(np.ones((20, 3), np.float32), np.arange(20) % 4)
    found = cluster_agreement(same, same, seed=0)
    assert (found.nmi, found.ari) == (0, 0)


def test_no_label_is_an_error_of_one_line():
    nothing = Embeddings(np.ones((5, 3), np.float32), np.full(5, -1))
    with pytest.raises(UserError, match="label"):
        cluster_agreement(nothing, nothing, seed=0)
