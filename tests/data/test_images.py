"""An ImageSet hands out pixels by row, and its parts hold only row numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfsight.data.images import ImageSet, Labels, Selection, open_images
from selfsight.errors import UserError


def numbered(count: int) -> ImageSet:
    pixels = np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(3, 1).repeat(4, 2)
    return ImageSet(
        pixels=pixels.repeat(4, 3),
        paths=tuple(f"{number}.png" for number in range(count)),
        labels=Labels(("even", "odd"), np.arange(count) % 2),
        skipped=(("x.txt", "not an image"),),
        root="numbers",
    )


def test_a_part_is_the_rows_asked_for_and_so_is_a_part_of_it() -> None:
    part = numbered(10).part(np.array([7, 2, 9, 4]))
    nested = part.part(np.array([3, 0]))
    assert (len(part), len(nested)) == (4, 2)
    assert nested.paths == ("4.png", "7.png")
    assert nested.labels.names == ("even", "odd")
    assert nested.labels.index.tolist() == [0, 1]
    assert nested.batch(np.array([1, 0, 1]))[:, 0, 0, 0].tolist() == [7, 4, 7]
    assert part.skipped == (("x.txt", "not an image"),)


def test_a_fingerprint_knows_names_labels_and_pixels_and_no_other_thing() -> None:
    images, other = numbered(10), numbered(10)
    assert images.fingerprint() == other.fingerprint() == images.part(np.arange(10)).fingerprint()
    pixels = images.pixels[:].copy()
    pixels[3, 0, 0, 0] += 1
    changed = (
        replace(images, pixels=pixels),
        replace(images, paths=(*images.paths[:-1], "x.png")),
        replace(images, labels=Labels(("even", "odd"), images.labels.index[::-1].copy())),
        images.part(np.arange(9)),
    )
    assert len({images.fingerprint(), *(each.fingerprint() for each in changed)}) == 5


def test_a_part_can_be_used_as_an_array() -> None:
    pixels = numbered(10).part(np.array([7, 2, 9])).pixels
    assert isinstance(pixels, Selection)
    assert pixels.shape == (3, 3, 4, 4)
    assert pixels.dtype == np.uint8
    assert (pixels[1] == 2).all()
    assert pixels[1:][:, 0, 0, 0].tolist() == [2, 9]
    assert np.asarray(pixels).shape == (3, 3, 4, 4)
    assert np.asarray(pixels, dtype=np.float32).dtype == np.float32


def test_a_part_of_a_folder_copies_nothing_and_a_batch_is_ones_own(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number in range(6):
        Image.new("L", (8, 8), number).save(tmp_path / f"images/{number}.png")
    images = open_images(str(tmp_path / "images"), size=8, cache=tmp_path / "cache")
    assert isinstance(images.pixels, np.memmap)
    assert not images.pixels.flags.writeable
    part = images.part(np.array([5, 1]))
    assert isinstance(part.pixels, Selection)
    assert part.pixels._pixels is images.pixels
    batch = part.batch(np.array([0, 1]))
    assert type(batch) is np.ndarray
    batch += 100
    assert part.batch(np.array([0, 1]))[:, 0, 0, 0].tolist() == [5, 1]


def test_a_folder_of_class_folders_comes_with_labels(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / "images" / name)
    (tmp_path / "images/dog/0.png").write_bytes(b"")
    images = open_images(str(tmp_path / "images"), size=8, cache=tmp_path / "cache")
    assert images.labels.names == ("cat", "dog")
    assert images.labels.index.tolist() == [0, 0, 1, 1]
    with pytest.raises(UserError, match="size is 0"):
        open_images(str(tmp_path / "images"), size=0, cache=tmp_path / "cache")
