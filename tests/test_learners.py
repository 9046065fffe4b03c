"""Twins: the same network learning with labels and without."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from selfsight.data.images import ImageSet, Labels
from selfsight.learners import Learning, _fitting, self_supervised, supervised
from selfsight.nets.encoder import build_encoder


def two_colours(count: int) -> ImageSet:
    """Return red and green images, which no crop or flip confuses."""
    pixels = np.random.default_rng(0).integers(0, 60, (count, 3, 8, 8), dtype=np.uint8)
    index = np.arange(count) % 2
    pixels[index == 0, 0] += 150
    pixels[index == 1, 1] += 150
    labels = Labels(("red", "green"), index.astype(np.int64))
    return ImageSet(pixels, tuple(map(str, range(count))), labels, (), "made up")


def learning(steps: int, said: list[tuple[str, int, int]]) -> Learning:
    torch.manual_seed(1)
    like = build_encoder("convnet", image_size=8, mean=[0.5] * 3, std=[0.25] * 3)
    return Learning(like, "rotation", {}, steps, 16, lambda *words: said.append(words))


@pytest.mark.parametrize("learn", [supervised, self_supervised])
def test_a_twin_is_decided_by_its_seed_and_tells_how_far_it_is(learn):
    images, said = two_colours(32), []
    pixels = images.batch(np.arange(4))
    features = [learn(learning(2, said), images, seed)(pixels) for seed in (0, 0, 1)]
    assert features[0].shape == (4, 256)
    assert np.array_equal(features[0], features[1])
    assert not np.array_equal(features[0], features[2])
    assert said[-1][1:] == (2, 2)


def test_settings_that_suit_the_runs_images_only_are_fitted_to_the_twins():
    images = two_colours(32)
    whole = replace(learning(1, []), method="moco", method_settings={"queue": 4096})
    method = _fitting(whole, whole.settings(images, seed=0), images=images)
    assert len(method.queue.rows) <= 32
    own = replace(whole, method_settings={"queue": 16, "temperature": 0.3})
    kept = _fitting(own, own.settings(images, seed=0), images=images)
    assert (len(kept.queue.rows), kept.temperature) == (16, 0.3)


def test_learning_with_labels_drives_classes_apart():
    images, rows = two_colours(64), np.arange(64)
    apart = []
    for steps in (1, 25):
        features = supervised(learning(steps, []), images, 0)(images.batch(rows))
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        red, green = unit[rows % 2 == 0], unit[rows % 2 == 1]
        apart.append(float((red @ red.T).mean() - (red @ green.T).mean()))
    assert apart[1] > apart[0] + 0.1
