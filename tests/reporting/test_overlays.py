"""Maps over pictures: where the colour lies, how strong it is, and what is not covered."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from selfsight.reporting.overlays import LONGEST, as_rgb, overlay, strengths


def opened(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))).astype(int)


def warmth(pixel: np.ndarray) -> int:
    return int(pixel[0] - pixel[2])


def test_the_colour_lies_where_the_map_is_high_on_the_square_that_was_seen():
    picture = np.full((3, 20, 40), 128, dtype=np.uint8)
    values = np.zeros((4, 4))
    values[0, 0] = 1.0
    drawn = opened(overlay(picture, values, box=(0, 10, 20), signed=False, smooth=False))
    assert drawn.shape == (LONGEST // 2, LONGEST, 3)
    scale = LONGEST / 40
    assert warmth(drawn[int(2 * scale), int(12 * scale)]) > 60  # the upper left of the square
    assert abs(warmth(drawn[int(15 * scale), int(25 * scale)])) < 10  # the rest of it
    assert abs(warmth(drawn[int(10 * scale), int(3 * scale)])) < 10  # the end that was not seen


def test_what_speaks_against_is_blue():
    picture = np.full((3, 20, 20), 128, dtype=np.uint8)
    values = np.array([[1.0, -1.0]]).repeat(2, axis=0)
    drawn = opened(overlay(picture, values, box=(0, 0, 20), signed=True, smooth=False))
    assert warmth(drawn[50, 20]) > 60
    assert warmth(drawn[50, -20]) < -40


def test_strengths_keep_the_sign_or_show_the_upper_half():
    values = np.linspace(-1, 3, 401).reshape(1, -1)
    signed = strengths(values, signed=True)
    assert signed[0, 100] == pytest.approx(0, abs=1e-9)
    assert signed[0, 0] == pytest.approx(-1 / 3, abs=0.01)
    shown = strengths(values, signed=False)
    assert (shown[0, :201] == 0).all()
    assert shown[0, 300] == pytest.approx(0.5, abs=0.01)
    for way in (True, False):
        assert (strengths(np.zeros((2, 2)), signed=way) == 0).all()
    assert (strengths(np.ones((2, 2)), signed=False) == 0).all()


def test_any_number_of_channels_is_shown():
    three = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    assert as_rgb(three) is three
    five = np.stack([np.full((2, 2), level, dtype=np.uint8) for level in (0, 10, 20, 30, 40)])
    assert (as_rgb(five) == 20).all()
