"""Data sets by name come from disk, and from the network only when that is asked for."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfsight.data import named
from selfsight.data.images import ImageSet, open_images
from selfsight.errors import UserError


def test_the_digits_are_there_without_any_file(tmp_path: Path) -> None:
    digits = open_images("digits", size=32, cache=tmp_path / "cache")
    assert len(digits) == 1797
    assert digits.pixels.shape == (1797, 3, 32, 32)
    assert digits.labels.names == tuple("0123456789")
    assert digits.labels.index[:10].tolist() == list(range(10))
    assert digits.paths[17] == "digits/0017"
    assert digits.pixels.min() == 0
    assert digits.pixels.max() == 255
    assert not (tmp_path / "cache").exists()
    assert open_images("DIGITS", size=8, labels="none", cache=tmp_path).labels.names == ()


def test_a_folder_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    with pytest.raises(UserError, match="is empty"):
        open_images("digits", size=8, cache=tmp_path / "cache")


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"did you mean 'cifar10'\?.*named sets are digits") as told:
        open_images("cifr10", size=8, cache=tmp_path)
    assert "\n" not in str(told.value)
    for source in ("./cifar10", "/no/cifar10", "../x"):
        with pytest.raises(UserError, match="there is no folder"):
            open_images(source, size=8, cache=tmp_path)
    with pytest.raises(UserError, match="no image folder is given"):
        open_images("", size=8, cache=tmp_path)


def test_a_set_that_is_not_on_disk_is_not_fetched_unasked(tmp_path: Path) -> None:
    for name in named.NAMES[1:]:
        with pytest.raises(UserError, match="--download"):
            open_images(name, size=8, cache=tmp_path)


def test_a_set_of_torchvision_is_read_from_disk(tmp_path: Path) -> None:
    raw = tmp_path / "named/MNIST/raw"
    raw.mkdir(parents=True)
    pixels = np.arange(5, dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
    for part in ("train", "t10k"):
        images = struct.pack(">IIII", 2051, 5, 28, 28) + pixels.tobytes()
        labels = struct.pack(">II", 2049, 5) + bytes([3, 1, 4, 1, 5])
        for kind, content in (("images-idx3", images), ("labels-idx1", labels)):
            (raw / f"{part}-{kind}-ubyte").write_bytes(content)
            (raw / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
    for name in ("mnist", "MNIST-test"):
        images = open_images(name, size=32, cache=tmp_path)
        assert images.pixels.shape == (5, 3, 32, 32)
        assert images.pixels[:, 0, 9, 9].tolist() == [0, 1, 2, 3, 4]
        assert images.labels.index.tolist() == [3, 1, 4, 1, 5]
        assert len(images.labels.names) == 10


def test_a_set_of_torchvision_is_decoded_once(tmp_path: Path, monkeypatch) -> None:
    class Made:
        """Seven images of two sizes, some grey, as torchvision's sets give them."""

        classes = ("cat", "dog")
        shade, given = 100, 0

        def __init__(self, root: str, **_: object) -> None:
            pass

        def __len__(self) -> int:
            return 7

        def __getitem__(self, row: int) -> tuple[Image.Image, int]:
            Made.given += 1
            kind = "RGB" if row % 2 else "L"
            return Image.new(kind, (12 + row, 10), (Made.shade + row,) * len(kind)), row % 2

    monkeypatch.setattr("torchvision.datasets.CIFAR10", Made)

    def opened() -> ImageSet:
        Made.given = 0
        return open_images("cifar10", size=8, cache=tmp_path)

    first = opened()
    whole = Made.given
    again = opened()
    assert whole >= 7 + Made.given  # the second time only the sample was looked at
    for images in (first, again):
        assert images.pixels.shape == (7, 3, 10, 10)
        assert isinstance(images.pixels, np.memmap)
        assert images.pixels[:, 2, 5, 5].tolist() == [100, 101, 102, 103, 104, 105, 106]
        assert images.labels.names == ("cat", "dog")
        assert images.labels.index.tolist() == [0, 1, 0, 1, 0, 1, 0]
    Made.shade = 50  # other images under the same name
    assert opened().pixels[0, 0, 0, 0] == 50


def test_a_class_with_several_names_goes_by_its_first() -> None:
    found = named._class_names([("tench", "Tinca tinca"), ("cassette player",), "dog", 3])
    assert found == ("tench", "cassette player", "dog", "3")
