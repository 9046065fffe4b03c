"""Running a callable over images: order, precision, and that looking changes nothing."""

import numpy as np
import pytest
import torch
from torch import nn

from selfsight.data.images import ImageSet
from selfsight.data.labels import Labels
from selfsight.errors import UserError
from selfsight.evaluation.embed import Embeddings, embed, encoder_function
from selfsight.nets.encoder import Encoder, build_encoder


def some_images(n: int, side: int = 16) -> ImageSet:
    """Return images in memory, read-only as a memory-mapped store is."""
    rng = np.random.default_rng(n)
    pixels = rng.integers(256, size=(n, 3, side, side), dtype=np.uint8)
    pixels.flags.writeable = False
    labels = Labels(("a", "b", "c"), rng.integers(-1, 3, size=n))
    return ImageSet(pixels, tuple(f"some/{i}" for i in range(n)), labels, (), "some")


def some_encoder() -> Encoder:
    torch.manual_seed(0)
    return build_encoder("convnet", image_size=16, mean=[0.5] * 3, std=[0.2] * 3).train()


def colours(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean(axis=(2, 3))


def contents(network: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("batch", [1, 4, 10, 64])
def test_features_stand_in_the_order_of_the_images_whatever_the_batch(batch):
    images = some_images(10)
    found = embed(colours, images, batch=batch)
    assert found.features.dtype == np.float32
    assert found.labels.dtype == np.int64
    assert np.allclose(found.features, colours(images.pixels))
    assert np.array_equal(found.labels, images.labels.index)
    assert len(found) == 10


def test_progress_is_told_after_every_batch():
    told = []
    embed(colours, some_images(10), batch=4, progress=lambda *what: told.append(what))
    assert told == [("embedding", 4, 10), ("embedding", 8, 10), ("embedding", 10, 10)]


def test_no_image_is_an_error_of_one_line():
    with pytest.raises(UserError, match="no image"):
        embed(colours, some_images(0))


def test_looking_changes_no_weight_no_buffer_and_no_mode():
    encoder = some_encoder()
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    norms[0].eval()  # frozen by its owner: it must stay frozen, and the rest in training
    before, modes = contents(encoder), [module.training for module in encoder.modules()]
    assert any(modes)
    assert not all(modes)
    embed(encoder_function(encoder), some_images(10), batch=4)
    assert contents(encoder) == before
    assert [module.training for module in encoder.modules()] == modes


def test_batch_norm_uses_its_running_statistics():
    encoder, images = some_encoder(), some_images(10)
    before = embed(encoder_function(encoder), images).features
    for norm in (module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean += 1
    assert not np.allclose(embed(encoder_function(encoder), images).features, before)


def test_the_mode_is_put_back_when_the_encoder_fails():
    encoder = some_encoder()
    with pytest.raises(UserError):
        encoder_function(encoder)(np.zeros((2, 7, 16, 16), np.uint8))
    assert all(module.training for module in encoder.modules())


def test_every_image_is_embedded_alone():
    encode = encoder_function(some_encoder())
    images = some_images(10)
    alone, together = embed(encode, images, batch=1), embed(encode, images, batch=10)
    assert np.allclose(alone.features, together.features, atol=1e-6)


def test_an_encoder_in_half_precision_gives_float32():
    half = encoder_function(some_encoder().bfloat16())
    assert embed(half, some_images(3)).features.dtype == np.float32


def test_labelled_keeps_the_rows_with_a_label():
    some = Embeddings(np.eye(4, dtype=np.float32), np.array([2, -1, 0, -1]))
    assert some.labelled().labels.tolist() == [2, 0]
    assert np.array_equal(some.labelled().features, np.eye(4)[[0, 2]])
