"""Test images that were trained on are found, whatever they were saved as."""

import io

import numpy as np
import pytest
from PIL import Image

from selfsight.data.images import ImageSet
from selfsight.data.labels import Labels
from selfsight.evaluation import repeats
from selfsight.evaluation.repeats import find_repeats


def images(pixels: np.ndarray) -> ImageSet:
    labels = Labels((), np.full(len(pixels), -1))
    return ImageSet(pixels, tuple(f"{row}.png" for row in range(len(pixels))), labels, (), "some")


def scenes(count: int, *, side: int, seed: int) -> np.ndarray:
    """Return tinted images with structure at all scales, as photographs have it."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(random.normal(size=(count, 1, side, side)))
    spectrum /= 1 + np.hypot(*np.meshgrid(np.fft.rfftfreq(side), np.fft.fftfreq(side))) * side
    waves = np.fft.irfft2(spectrum, s=(side, side))
    waves = (waves - waves.mean((2, 3), keepdims=True)) / waves.std((2, 3), keepdims=True)
    tint = random.uniform(0.7, 1, (count, 3, 1, 1))
    return (tint * (128 + 50 * waves)).clip(0, 255).astype(np.uint8)


def saved_anew(pixels: np.ndarray, *, form: str, quality: int, side: int) -> np.ndarray:
    found = []
    for image in pixels:
        file = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).resize((side, side)).save(
            file, form, quality=quality
        )
        found.append(np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1))
    return np.stack(found)


@pytest.mark.parametrize(
    ("form", "quality", "side"),
    [("PNG", 0, 32), ("JPEG", 60, 32), ("WEBP", 60, 40), ("JPEG", 80, 24)],
)
def test_an_image_saved_anew_is_found_and_no_other(form, quality, side) -> None:
    train, other = scenes(200, side=32, seed=0), scenes(200, side=32, seed=1)
    test = np.concatenate([other, train[[7, 3, 150]]])
    found = find_repeats(
        images(train), images(saved_anew(test, form=form, quality=quality, side=side))
    )
    assert found.rows.tolist() == [200, 201, 202]
    assert found.twins.tolist() == [7, 3, 150]
    assert (found.cosines <= 1).all()


def test_blocks_change_nothing(monkeypatch) -> None:
    train, test = scenes(50, side=20, seed=0), scenes(30, side=20, seed=1)
    test[[4, 29]] = train[[49, 0]]
    whole = find_repeats(images(train), images(test))
    monkeypatch.setattr(repeats, "TRAIN_BLOCK", 7)
    monkeypatch.setattr(repeats, "TEST_BLOCK", 4)
    told = []
    parts = find_repeats(images(train), images(test), progress=lambda *what: told.append(what))
    assert parts.rows.tolist() == whole.rows.tolist() == [4, 29]
    assert parts.twins.tolist() == whole.twins.tolist() == [49, 0]
    assert told[-1] == ("looking for repeats", 1500, 1500)


def test_black_frames_are_no_repeats_and_a_mirrored_image_is_another() -> None:
    train = scenes(20, side=32, seed=0)
    test = np.stack([np.zeros_like(train[0]), train[1][:, :, ::-1]])
    train[0] = 1
    found = find_repeats(images(train), images(test))
    assert len(found) == 0
    assert found.sentence().startswith("None of the 2")


def test_a_repeat_is_named_with_its_twin() -> None:
    train, test = scenes(30, side=32, seed=0), scenes(4, side=32, seed=1)
    test[1] = train[5]
    found = find_repeats(images(train), images(test))
    assert found.sentence().startswith("1 of the 4 test images (25.0%)")
    assert found.pairs(images(train), images(test))[0][:2] == ("1.png", "5.png")
    assert len(find_repeats(images(train), images(train[:3]))) == 3
