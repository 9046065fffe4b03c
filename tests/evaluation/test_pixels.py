"""Raw pixels as features."""

import numpy as np

from selfsight.evaluation.pixels import pixel_features


def test_small_images_stay_as_they_are():
    pixels = np.random.default_rng(0).integers(256, size=(4, 3, 8, 8), dtype=np.uint8)
    found = pixel_features(pixels)
    assert found.dtype == np.float32
    assert np.allclose(found, pixels.reshape(4, -1) / 255)


def test_large_images_are_averaged_over_areas():
    pixels = np.random.default_rng(0).integers(256, size=(4, 3, 64, 64), dtype=np.uint8)
    blocks = pixels.reshape(4, 3, 32, 2, 32, 2).mean(axis=(3, 5)) / 255
    assert np.allclose(pixel_features(pixels), blocks.reshape(4, -1), atol=1e-6)


def test_a_side_that_does_not_divide_keeps_the_brightness():
    pixels = np.full((2, 3, 40, 40), 51, dtype=np.uint8)
    found = pixel_features(pixels, side=32)
    assert found.shape == (2, 3 * 32 * 32)
    assert np.allclose(found, 0.2)
