"""Running a callable over images: order, precision, and that looking changes nothing."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from selfsight.errors import UserError
from selfsight.evaluation.embed import Embeddings, embed, encoder_function


@dataclass
class SomeLabels:
    index: np.ndarray


class SomeImages:
    """Images in memory, read-only as a memory-mapped store is."""

    def __init__(self, n: int, side: int = 8) -> None:
        rng = np.random.default_rng(n)
        self.pixels = rng.integers(256, size=(n, 3, side, side), dtype=np.uint8)
        self.pixels.flags.writeable = False
        self.labels = SomeLabels(rng.integers(-1, 3, size=n))

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, rows: np.ndarray) -> np.ndarray:
        found = self.pixels[rows]
        found.flags.writeable = False
        return found


class SomeEncoder(nn.Module):
    """A network with everything that could change by being looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Dropout(0.5), nn.BatchNorm2d(5)
        )

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        assert torch.is_inference_mode_enabled()
        return self.body(images.float() / 255).mean(dim=(2, 3))


def colours(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean(axis=(2, 3))


def contents(network: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("batch", [1, 4, 10, 64])
def test_features_stand_in_the_order_of_the_images_whatever_the_batch(batch):
    images = SomeImages(10)
    found = embed(colours, images, batch=batch)
    assert found.features.dtype == np.float32
    assert found.labels.dtype == np.int64
    assert np.allclose(found.features, colours(images.pixels))
    assert np.array_equal(found.labels, images.labels.index)
    assert len(found) == 10


def test_progress_is_told_after_every_batch():
    told = []
    embed(colours, SomeImages(10), batch=4, progress=lambda *what: told.append(what))
    assert told == [("embedding", 4, 10), ("embedding", 8, 10), ("embedding", 10, 10)]


def test_no_image_is_an_error_of_one_line():
    with pytest.raises(UserError, match="no image"):
        embed(colours, SomeImages(0))


def test_looking_changes_no_weight_no_buffer_and_no_mode():
    encoder = SomeEncoder().train()
    encoder.body[1].eval()  # frozen by its owner: it must stay frozen, and the rest in training
    before, modes = contents(encoder), [module.training for module in encoder.modules()]
    assert any(modes)
    assert not all(modes)
    embed(encoder_function(encoder), SomeImages(10), batch=4)
    assert contents(encoder) == before
    assert [module.training for module in encoder.modules()] == modes


def test_the_mode_is_put_back_when_the_encoder_fails():
    encoder = SomeEncoder().train()
    with pytest.raises(RuntimeError):
        encoder_function(encoder)(np.zeros((2, 7, 8, 8), np.uint8))
    assert all(module.training for module in encoder.modules())


def test_every_image_is_embedded_alone():
    encode = encoder_function(SomeEncoder().train())
    images = SomeImages(10)
    alone, together = embed(encode, images, batch=1), embed(encode, images, batch=10)
    assert np.allclose(alone.features, together.features, atol=1e-6)


def test_an_encoder_in_half_precision_gives_float32():
    class Half(SomeEncoder):
        def encode(self, images: torch.Tensor) -> torch.Tensor:
            return super().encode(images).bfloat16()

    assert embed(encoder_function(Half()), SomeImages(3)).features.dtype == np.float32


def test_labelled_keeps_the_rows_with_a_label():
    some = Embeddings(np.eye(4, dtype=np.float32), np.array([2, -1, 0, -1]))
    assert some.labelled().labels.tolist() == [2, 0]
    assert np.array_equal(some.labelled().features, np.eye(4)[[0, 2]])
