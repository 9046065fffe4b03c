"""Pictures and neighbours: which images are shown, and what is said of them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from selfsight.reporting.galleries import (
    agreement,
    cosine_matrix,
    nearest,
    picture,
    query_rows,
    thumbnail_sheet,
)
from selfsight.reporting.wording import count, duration, percent, printable, short


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


def test_neighbours_are_those_of_a_loop():
    features = np.random.default_rng(0).standard_normal((12, 5))
    near = nearest(cosine_matrix(features))
    assert near.shape == (12, 7)
    for row, vector in enumerate(features):
        norms = np.linalg.norm(features, axis=1) * np.linalg.norm(vector)
        cosines = features @ vector / norms
        cosines[row] = -2
        assert near[row].tolist() == np.argsort(-cosines)[:7].tolist()


def test_the_length_of_a_vector_does_not_matter_to_its_neighbours():
    features = np.random.default_rng(0).standard_normal((9, 4))
    lengths = np.array([1e-30, 1e30, 1, 2, 3, 4, 5, 6, 7])[:, None]
    near = nearest(cosine_matrix(features[2:]))
    assert (nearest(cosine_matrix(features[2:] * lengths[2:])) == near).all()
    assert np.isfinite(cosine_matrix(features * lengths)).all()


def test_agreement_counts_labelled_neighbours_only():
    labels = np.array([0, 0, 1, -1])
    near = np.array([[1, 2, 3], [0, 3, 3], [3, 3, 3], [0, 1, 2]])
    np.testing.assert_allclose(agreement(labels, near), [0.5, 1, np.nan, np.nan])


def test_queries_are_spread_over_the_classes():
    labels = np.repeat(np.arange(20), 5)
    chosen = labels[query_rows(labels)]
    assert len(set(chosen)) == 8
    assert {0, 19} <= set(chosen)
    assert labels[query_rows(np.array([1, 1, -1]))].tolist() == [0, 0]
    assert query_rows(np.full(3, -1)) == [0, 1, 2]
    assert len(query_rows(np.full(300, -1))) == 8
    assert query_rows(np.array([-1, 4])) == [1]


def test_a_picture_has_its_pixels_and_no_more_than_96():
    pixels = np.zeros((3, 12, 12), dtype=np.uint8)
    pixels[0] = 200
    assert np.asarray(opened(picture(pixels)))[5, 5].tolist() == [200, 0, 0]
    assert opened(picture(np.zeros((3, 300, 300), dtype=np.uint8))).size == (96, 96)


@pytest.mark.parametrize(("images", "side", "tile"), [(5, 20, 20), (1000, 64, 48), (2000, 64, 32)])
def test_the_sheet_holds_every_thumbnail_in_its_place(images, side, tile):
    thumbs = np.zeros((images, 3, side, side), dtype=np.uint8)
    thumbs[-1] = 255
    sheet = thumbnail_sheet(thumbs)
    assert sheet.tile == tile
    column, row = (images - 1) % sheet.across, (images - 1) // sheet.across
    middle = (column * tile + tile // 2, row * tile + tile // 2)
    assert min(opened(sheet.uri).getpixel(middle)) > 250


def test_names_become_printable():
    assert printable("a\nb\x00\udcff\ud800\u202e") == "a\\nb\\x00\\xff\\ud800\\u202e"
    assert printable("Zoë 猫 👩\u200d🔬") == "Zoë 猫 👩\u200d🔬"


def test_numbers_are_written_for_people():
    assert percent(0.61254) == "61.3\u202f%"
    assert percent(float("nan")) == "–"
    assert [duration(s) for s in (48.0, 725.0, 3600.0, 11100.0)] == [
        "48\u202fs", "12\u202fmin", "1\u202fh", "3\u202fh 5\u202fmin"
    ]  # fmt: skip
    assert [short(x) for x in (0.0, 0.1234567, 12345.6, 1e-7)] == ["0", "0.1235", "12,346", "1e-07"]
    assert (count(1, "image", "images"), count(2000, "image", "images")) == (
        "1 image",
        "2,000 images",
    )
