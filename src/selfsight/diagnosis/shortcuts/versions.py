"""Images with one kind of information taken away: form, fine or coarse structure, colour, place.

patches shuffled  4 x 4 tiles in an order of the image's own: texture stays, form goes
low pass          Gaussian blur, its deviation a sixteenth of the side: coarse form stays
high pass         what that blur removes, on grey: edges and texture stay
grey              luma in all channels: all but colour stays
background only   the central square of half the area filled with the mean colour of the rest
centre only       all but that square filled with the mean colour of the square

Where the object lies is not known: the centre stands in for it, which is a proxy and is told so.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8

from selfsight.diagnosis.shortcuts.shown import Change
from selfsight.views.colour import LUMA
from selfsight.views.filters import gaussian_blur

TILES = 4  # across
BLUR = 1 / 16  # deviation, of the side
CENTRE = 0.5**0.5  # side of the central square, of the image's

Pixels = UInt8[np.ndarray, "batch 3 side side"]
Rows = Int64[np.ndarray, "batch"]


def patches_shuffled(pixels: Pixels, rows: Rows) -> Pixels:
    """Return images with their tiles in another order; what the grid does not cover stays."""
    tile = pixels.shape[-1] // TILES
    whole = tile * TILES
    shuffled = pixels.copy()
    for image, row in zip(shuffled, rows.tolist(), strict=True):
        order = np.random.default_rng((row, TILES)).permutation(TILES**2)
        grid = image[:, :whole, :whole].reshape(3, TILES, tile, TILES, tile)
        tiles = grid.transpose(1, 3, 0, 2, 4).reshape(TILES**2, 3, tile, tile)[order]
        back = tiles.reshape(TILES, TILES, 3, tile, tile).transpose(2, 0, 3, 1, 4)
        image[:, :whole, :whole] = back.reshape(3, whole, whole)
    return shuffled


def low_pass(pixels: Pixels, _rows: Rows) -> Pixels:
    """Return blurred images."""
    return _whole(_blurred(pixels))


def high_pass(pixels: Pixels, _rows: Rows) -> Pixels:
    """Return what blurring removes, about a middle grey."""
    return _whole(pixels - _blurred(pixels) + 127.5)


def grey(pixels: Pixels, _rows: Rows) -> Pixels:
    """Return images without colour."""
    luma = np.tensordot(np.array(LUMA, dtype=np.float32), pixels, axes=(0, 1))
    return _whole(np.repeat(luma[:, None], 3, axis=1))


def background_only(pixels: Pixels, _rows: Rows) -> Pixels:
    """Return images whose centre is covered."""
    return _covered(pixels, _centre(pixels))


def centre_only(pixels: Pixels, _rows: Rows) -> Pixels:
    """Return images of which the centre alone is left."""
    return _covered(pixels, ~_centre(pixels))


VERSIONS: Mapping[str, Change] = {
    "patches shuffled": patches_shuffled,
    "low pass": low_pass,
    "high pass": high_pass,
    "grey": grey,
    "background only": background_only,
    "centre only": centre_only,
}


def _blurred(pixels: Pixels) -> Float32[np.ndarray, "batch 3 side side"]:
    side = pixels.shape[-1]
    sigma = BLUR * side
    radius = min(side - 1, max(1, round(3 * sigma)))
    images = torch.from_numpy(pixels.astype(np.float32))
    found: Float32[np.ndarray, "batch 3 side side"] = gaussian_blur(
        images, torch.full((len(images),), sigma), kernel=2 * radius + 1
    ).numpy()
    return found


def _centre(pixels: Pixels) -> Bool[np.ndarray, "side side"]:
    side = pixels.shape[-1]
    across = round(CENTRE * side)
    start = (side - across) // 2
    centre = np.zeros((side, side), dtype=bool)
    centre[start : start + across, start : start + across] = True
    return centre


def _covered(pixels: Pixels, place: Bool[np.ndarray, "side side"]) -> Pixels:
    covered = pixels.copy()
    covered[:, :, place] = _whole(pixels[:, :, ~place].mean(axis=2))[:, :, None]
    return covered


def _whole(pixels: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    whole: UInt8[np.ndarray, "*shape"] = np.rint(pixels.clip(0, 255)).astype(np.uint8)
    return whole
