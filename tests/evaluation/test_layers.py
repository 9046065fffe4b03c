"""Probes at every depth, from callables alone; the best layer is chosen on training labels."""

import numpy as np
import pytest

from selfsight.data.images import ImageSet
from selfsight.data.labels import Labels
from selfsight.evaluation.layers import (
    best_layer,
    embed_layers,
    layers_to_json,
    probe_layers,
)


def images(count: int, *, seed: int) -> ImageSet:
    """Return images whose class is their brightness; some have no label."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 3, count)
    pixels = random.integers(0, 60, (count, 3, 8, 8)) + 60 * label[:, None, None, None]
    label[random.random(count) < 0.2] = -1
    names = tuple(f"{row}.png" for row in range(count))
    return ImageSet(pixels.astype(np.uint8), names, Labels(("a", "b", "c"), label), (), "some")


def layers(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Return noise, then the brightness beside noise, then a constant."""
    noise = (pixels.reshape(len(pixels), -1)[:, :5] % 7).astype(np.float64)
    bright = pixels.mean(axis=(1, 2, 3))[:, None]
    return {
        "noise": noise,
        "bright": np.concatenate([bright, noise], axis=1),
        "constant": np.ones((len(pixels), 2)),
    }


def test_every_layer_is_probed_in_order_and_the_informative_one_is_best() -> None:
    found = probe_layers(layers, images(200, seed=0), images(120, seed=1), seed=0)
    assert [(layer.name, layer.dim) for layer in found] == [
        ("noise", 5),
        ("bright", 6),
        ("constant", 2),
    ]
    assert found[1].accuracy.value > 0.95 > 0.6 > found[0].accuracy.value
    assert best_layer(found).name == "bright"
    assert [row["best"] for row in layers_to_json(found)] == [False, True, False]


def test_other_test_labels_choose_no_other_layer() -> None:
    train, test = images(200, seed=0), images(120, seed=1)
    shuffled = Labels(test.labels.names, np.random.default_rng(2).permutation(test.labels.index))
    other = ImageSet(test.pixels, test.paths, shuffled, (), "other")
    one, two = (probe_layers(layers, train, part, seed=0) for part in (test, other))
    assert best_layer(one).name == best_layer(two).name
    assert [layer.held_back for layer in one] == [layer.held_back for layer in two]
    assert one[1].accuracy.value > two[1].accuracy.value + 0.2


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_features_stand_in_the_order_of_the_images_whatever_the_batch(batch) -> None:
    some = images(20, seed=0)
    found = embed_layers(layers, some, batch=batch)
    assert np.allclose(found["bright"].features, layers(some.pixels)["bright"])
    assert np.array_equal(found["bright"].labels, some.labels.index)
