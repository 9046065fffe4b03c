"""Maps laid over pictures: grey pictures, warm where a map is high, blue where it is negative.

A map is scaled for display only, image by image: signed ones by their largest size, others from
their median to their highest value. What the encoder did not see is dimmed.
"""

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from PIL import Image

from selfsight.reporting.galleries import data_uri, image_of

LONGEST = 224  # px of a drawn picture
ENDS = 0.5  # per cent of the values, the highest, that share the strongest colour
DARKEST, LIGHTEST = 0.05, 0.75  # of the grey picture: white would swallow the colours
# From no strength to full strength, in [0, 1]; strength also makes the colour opaque.
WARM = np.array([[0.45, 0.05, 0.20], [0.86, 0.28, 0.10], [0.99, 0.68, 0.12], [1.00, 0.95, 0.55]])
COLD = np.array([[0.08, 0.15, 0.40], [0.10, 0.36, 0.72], [0.30, 0.65, 0.93], [0.75, 0.92, 1.00]])
OPAQUE = 0.85
DIMMED = 0.35

Pixels = UInt8[np.ndarray, "3 height width"]


def plain(pixels: Pixels) -> str:
    """Return a picture as a data URI, enlarged if it is small."""
    return data_uri(_enlarged(image_of(pixels)))


def overlay(
    pixels: Pixels,
    values: Float[np.ndarray, "rows columns"],
    *,
    box: tuple[int, int, int],
    signed: bool,
    smooth: bool = True,
) -> str:
    """Return a picture with a map on its box (top, left, side in px) as a data URI.

    smooth: enlarge the map by interpolation; otherwise its places stay squares.
    """
    image = _enlarged(image_of(pixels))
    scale = image.width / pixels.shape[2]
    top, left, side = (round(scale * length) for length in box)
    grey = np.asarray(image.convert("L"), dtype=np.float64)[..., None] / 255
    base = DARKEST + (LIGHTEST - DARKEST) * grey
    shown = np.repeat(DIMMED * base + (1 - DIMMED) * 0.5, 3, axis=2)
    place = slice(top, top + side), slice(left, left + side)
    strength = strengths(values, signed=signed)
    way = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    fine = np.asarray(Image.fromarray(strength.astype(np.float32)).resize((side, side), way))
    fine = fine[: shown[place].shape[0], : shown[place].shape[1]].astype(np.float64)[..., None]
    opaque = OPAQUE * np.abs(fine)
    shown[place] = (1 - opaque) * base[place] + opaque * _colours(fine[..., 0])
    return data_uri(Image.fromarray(np.rint(255 * shown.clip(0, 1)).astype(np.uint8)))


def strengths(
    values: Float[np.ndarray, "rows columns"], *, signed: bool
) -> Float[np.ndarray, "rows columns"]:
    """Return a map scaled for display: to [-1, 1] if signed, else to [0, 1]; a flat one to 0.

    Of an unsigned map only the upper half is seen: the order of its values is all it says.
    """
    if signed:
        most = float(np.percentile(np.abs(values), 100 - ENDS))
        return (values / most).clip(-1, 1) if most > 0 else np.zeros_like(values)
    low, high = (float(np.percentile(values, end)) for end in (50, 100 - ENDS))
    return ((values - low) / (high - low)).clip(0, 1) if high > low else np.zeros_like(values)


def coloured(parts: Float[np.ndarray, "3 rows columns"]) -> str:
    """Return colours in [0, 1] as a picture of squares, as a data URI."""
    eight = np.rint(255 * parts.clip(0, 1)).astype(np.uint8)
    return data_uri(_enlarged(image_of(eight)))


def as_rgb(seen: Shaped[np.ndarray, "channels height width"]) -> Pixels:
    """Return what an encoder saw as a picture: three channels as colours, others as their mean."""
    if len(seen) == 3:
        return seen
    mean = np.rint(seen.astype(np.float64).mean(0)).astype(np.uint8)
    return np.repeat(mean[None], 3, axis=0)


def _colours(strength: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width 3"]:
    stops = np.linspace(0, 1, len(WARM))
    size = np.abs(strength)
    warm, cold = (
        np.stack([np.interp(size, stops, ramp[:, channel]) for channel in range(3)], axis=-1)
        for ramp in (WARM, COLD)
    )
    return np.where(strength[..., None] >= 0, warm, cold)


def _enlarged(image: Image.Image) -> Image.Image:
    scale = LONGEST / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    # Few pixels stay squares, so that a person sees what the encoder was given.
    way = Image.Resampling.NEAREST if scale > 3 else Image.Resampling.LANCZOS
    return image.resize((width, height), way)
