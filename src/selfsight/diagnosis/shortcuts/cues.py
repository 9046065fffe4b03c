"""Six cues to plant in images: each a small change that carries a number and says nothing else.

corner mark      4 x 4 black and white cells in the upper left corner, a side of an eighth of the
                 image's; the number is the pattern
tint             a shift of all pixels along the colour circle; the number is the hue
border           a coloured frame, a thirty-second of the side wide; the number is the hue
JPEG quality     the image compressed once more; the number is the quality, 95 down to 15
sensor noise     Gaussian noise, other in every image; the number is its deviation, up to 0.1
chromatic shift  red magnified and blue shrunk about the centre (or the other way round), as lenses
                 do; the number is by how much, up to a sixteenth of the side at the edge

Numbers run from 0 to kinds - 1. `strength` in [0, 1] scales what is said above, which is what 1
means; at 0 no cue carries anything: images of all numbers are the same.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from PIL import Image
from torch.nn import functional

from selfsight.errors import UserError, suggest

Pixels = UInt8[np.ndarray, "images 3 height width"]
Numbers = Int64[np.ndarray, "images"]

CELLS = 4  # across the corner mark
TINT = 40.0  # grey levels
BEST, WORST = 95, 15  # JPEG quality
NOISE = 0.1 * 255  # grey levels
SHIFT = 1 / 8  # of half the side


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue of one strength, with numbers below `kinds`: a function of pixels, numbers and rows.

    The rows tell images apart, so that noise is the same however images are divided in batches.
    """

    name: str
    kinds: int
    strength: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in PLANTS:
            raise UserError(
                f"no cue {self.name!r}{suggest(self.name, list(PLANTS))}; there are: "
                + ", ".join(PLANTS)
            )
        if not 0 <= self.strength <= 1:
            raise UserError(f"the cue's strength is {self.strength}; it must lie in 0..1")
        assert self.kinds >= 2

    def __call__(self, pixels: Pixels, numbers: Numbers, rows: Numbers) -> Pixels:
        """Return the images with their numbers planted."""
        assert numbers.size == 0 or (numbers.min() >= 0 and numbers.max() < self.kinds)
        if self.strength == 0 and self.name != "JPEG quality":
            return pixels.copy()
        planted = PLANTS[self.name](pixels, _Planting(self, numbers, rows))
        whole: Pixels = np.rint(planted.clip(0, 255)).astype(np.uint8)
        return whole


def planting(cue: Cue, numbers: Numbers, *, first: int = 0) -> Callable[[Pixels, Numbers], Pixels]:
    """Return the function of pixels and rows that plants each row's number.

    first: what the cue takes the first row for, so that two sets of images share no noise.
    """
    return lambda pixels, rows: cue(pixels, numbers[rows], rows + first)


@dataclass(frozen=True, slots=True)
class _Planting:
    cue: Cue
    numbers: Numbers
    rows: Numbers

    @property
    def places(self) -> Float64[np.ndarray, "images"]:
        """Return the numbers spread evenly over [0, 1]: for what has a least and a most."""
        return self.numbers / (self.cue.kinds - 1)

    @property
    def hues(self) -> Float64[np.ndarray, "images 3"]:
        """Return the numbers spread evenly over the colour circle: red, green and blue, sum 0."""
        turns = self.numbers[:, None] / self.cue.kinds - np.arange(3) / 3
        hues: Float64[np.ndarray, "images 3"] = np.cos(2 * np.pi * turns)
        return hues


Planted = Float64[np.ndarray, "images 3 height width"]


def _mark(pixels: Pixels, planting: _Planting) -> Planted:
    # An odd factor makes 16 bits of 16 bits one to one, and bits of neighbours unlike.
    codes = (planting.numbers + 1) * 0x9E37 % 2**16
    bits = codes[:, None] >> np.arange(CELLS**2) & 1
    cell = max(1, -(-min(pixels.shape[2:]) // (8 * CELLS)))
    mark = 255.0 * bits.reshape(-1, 1, CELLS, CELLS).repeat(cell, 2).repeat(cell, 3)
    side = CELLS * cell
    planted = pixels.astype(np.float64)
    corner = planted[:, :, :side, :side]
    corner += planting.cue.strength * (mark[:, :, : corner.shape[2], : corner.shape[3]] - corner)
    return planted


def _tint(pixels: Pixels, planting: _Planting) -> Planted:
    return pixels + (planting.cue.strength * TINT * planting.hues)[:, :, None, None]


def _border(pixels: Pixels, planting: _Planting) -> Planted:
    height, width = pixels.shape[2:]
    wide = max(1, round(min(height, width) / 32))
    inside = np.zeros((height, width), dtype=bool)
    inside[wide:-wide, wide:-wide] = True
    colour = (127.5 + 127.5 * planting.hues)[:, :, None, None]
    planted: Planted = pixels + planting.cue.strength * (colour - pixels) * ~inside
    return planted


def _jpeg(pixels: Pixels, planting: _Planting) -> Planted:
    qualities = BEST - planting.cue.strength * (BEST - WORST) * planting.places
    planted = np.empty(pixels.shape)
    for row, quality in enumerate(np.rint(qualities).astype(int).tolist()):
        file = io.BytesIO()
        Image.fromarray(pixels[row].transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
        planted[row] = np.asarray(Image.open(file)).transpose(2, 0, 1)
    return planted


def _noise(pixels: Pixels, planting: _Planting) -> Planted:
    deviations = planting.cue.strength * NOISE * planting.places
    planted = pixels.astype(np.float64)
    for image, row, deviation in zip(planted, planting.rows, deviations, strict=True):
        rng = np.random.default_rng((planting.cue.seed, int(row)))
        image[:] += deviation * rng.standard_normal(image.shape)
    return planted


def _chromatic(pixels: Pixels, planting: _Planting) -> Planted:
    amounts = planting.cue.strength * SHIFT * (2 * planting.places - 1)
    images = torch.from_numpy(pixels.astype(np.float64))
    planted = images.clone()
    for channel, sign in ((0, -1), (2, 1)):
        scales = torch.from_numpy(1 + sign * amounts)  # below 1 magnifies
        still = torch.zeros_like(scales)
        rows = (torch.stack([scales, still, still], 1), torch.stack([still, scales, still], 1))
        part = images[:, channel : channel + 1]
        grid = functional.affine_grid(torch.stack(rows, 1), list(part.shape), align_corners=False)
        planted[:, channel : channel + 1] = functional.grid_sample(
            part, grid, mode="bilinear", padding_mode="border", align_corners=False
        )
    found: Planted = planted.numpy()
    return found


PLANTS: Mapping[str, Callable[[Pixels, _Planting], Planted]] = {
    "corner mark": _mark,
    "tint": _tint,
    "border": _border,
    "JPEG quality": _jpeg,
    "sensor noise": _noise,
    "chromatic shift": _chromatic,
}
