"""The map: PaCMAP where it is installed, principal components elsewhere, nothing of nothing."""

import sys

import numpy as np
import pytest

from selfsight.errors import UserError
from selfsight.reporting.mapping import map_2d


def blobs(images: int = 60, dim: int = 12) -> np.ndarray:
    draw = np.random.default_rng(0)
    features = 5 * np.eye(3, dim)[np.arange(images) % 3] + draw.standard_normal((images, dim)) / 3
    return features.astype(np.float32)


@pytest.fixture
def no_pacmap(monkeypatch):
    monkeypatch.setitem(sys.modules, "pacmap", None)


def test_without_pacmap_the_map_is_of_principal_components(no_pacmap):
    features = blobs()
    places, method = map_2d(features, seed=0)
    assert method == "PCA"
    assert places.dtype == np.float32
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)
    values = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(places, axis=0), values[:2], rtol=1e-4)


def test_pacmap_keeps_groups_together_and_repeats():
    pytest.importorskip("pacmap")
    places, method = map_2d(blobs(), seed=1)
    again, _ = map_2d(blobs(), seed=1)
    assert method == "PaCMAP"
    assert np.array_equal(places, again)
    groups = [places[start::3] for start in range(3)]
    within = max(group.std(axis=0).max() for group in groups)
    centres = np.array([group.mean(axis=0) for group in groups])
    assert (
        min(np.linalg.norm(centres[a] - centres[b]) for a, b in ((0, 1), (1, 2), (0, 2))) > within
    )


@pytest.mark.parametrize(
    "constant", [np.zeros((50, 8)), np.ones((50, 8)), np.eye(1, 8).repeat(9, 0)]
)
def test_a_constant_embedding_has_no_map(constant):
    with pytest.raises(UserError, match="nearly the same"):
        map_2d(constant + 1e-7, seed=0)


def test_one_image_and_broken_features_have_no_map():
    with pytest.raises(UserError, match="one image"):
        map_2d(np.ones((1, 4)), seed=0)
    with pytest.raises(UserError, match="not finite"):
        map_2d(np.array([[1.0, 2], [np.nan, 1]]), seed=0)


@pytest.mark.parametrize("shape", [(2, 5), (50, 1), (3, 2), (40, 2)])
def test_few_images_and_thin_features_have_a_map(no_pacmap, shape):
    features = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    places, method = map_2d(features, seed=0)
    assert places.shape == (shape[0], 2)
    assert np.isfinite(places).all()
    assert method == "PCA"


def test_features_of_any_size_have_a_map(no_pacmap):
    plain, _ = map_2d(blobs(), seed=0)
    large, _ = map_2d(blobs().astype(np.float64) * 1e200, seed=0)
    np.testing.assert_allclose(plain, large, atol=1e-5)
