"""One image file, whatever its kind, as a square of 8-bit RGB.

The content decides the format, not the file's name. Policies, where files leave room:

- Geometry: the EXIF orientation is applied; the centre square is cut out and resized with
  antialiasing (bicubic), so the shorter side becomes `side`. Smaller images are enlarged.
- Transparency is laid over white, as a web page would show it. Hidden colours never show.
- Whole numbers of more than 8 bits: 0 is black; white is the first of 255, 4095 (12 bit) and 65535
  that no value exceeds. With values outside 0..65535 the file's own range is stretched.
- Floats: 0..1 if all values lie there, else 0..255 if all lie there, else (HDR, elevation) the
  range between the 0.5th and 99.5th percentile is stretched. NaN is black.
- Of several frames or pages the first is read, and the others are never counted.
- A truncated or damaged file is refused, never half read. Colour profiles are not applied.
- Up to 178,956,970 pixels are read; more is refused as a decompression bomb (Pillow's limit).
"""

import os
import warnings
from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from selfsight.data.filetypes import readable_formats, sniff

REDUCING_GAP = 2.0  # coarse steps shrink to twice the final side at most; the last step is exact

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImageError(Exception):
    """A file is no readable image; the message is the reason, on one line, without the path."""


def decode(path: str | PathLike[str], *, side: int) -> UInt8[np.ndarray, "3 side side"]:
    """Return the image of a file as an RGB square. Raises UnreadableImageError with the reason."""
    return _read(path, side, square)


def decode_whole(path: str | PathLike[str], *, side: int) -> UInt8[np.ndarray, "3 height width"]:
    """Return the image of a file as RGB, its longer side at most `side`. Raises as `decode` does.

    The policies are those of `decode`, but nothing is cut off.
    """
    return _read(path, side, lambda image, *, side: _as_rgb(image, side, _shrunk))


def _read(
    path: str | PathLike[str], side: int, make: Callable[..., UInt8[np.ndarray, "3 height width"]]
) -> UInt8[np.ndarray, "3 height width"]:
    try:
        with warnings.catch_warnings(), open(path, "rb") as file:  # noqa: PTH123 -- twice as fast
            warnings.simplefilter("ignore")  # odd metadata and big pictures; the pixels decide
            with Image.open(file, formats=readable_formats()) as image:
                gap = int(side * REDUCING_GAP)
                image.draft(
                    None, (gap, gap)
                )  # JPEG: decodes at 1/2, 1/4 or 1/8 where that is ample
                image.load()  # once only: a second load of a damaged file may pass in silence
                return make(upright(image), side=side)
    except Exception as error:  # Pillow's readers raise nearly every kind on hostile files
        raise UnreadableImageError(_reason(path, error)) from error


def shorter_side(path: str | PathLike[str]) -> int:
    """Return the shorter side in pixels by the file's header. Raises as `decode` does."""
    try:
        with warnings.catch_warnings(), Path(path).open("rb") as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=readable_formats()) as image:
                return min(image.size)
    except Exception as error:
        raise UnreadableImageError(_reason(path, error)) from error


def upright(image: Image.Image) -> Image.Image:
    """Return a loaded image turned as its EXIF or XMP orientation says."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken metadata block does not spoil the pixels
        return image
    turn = TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def square(image: Image.Image, *, side: int) -> UInt8[np.ndarray, "3 side side"]:
    """Return the centre square of a loaded image, resized, as RGB."""
    return _as_rgb(image, side, _cut)


def _as_rgb(
    image: Image.Image, side: int, resize: Callable[[Image.Image, int], Image.Image]
) -> UInt8[np.ndarray, "3 height width"]:
    """Return a loaded image as RGB, made smaller or larger once its levels are 8 bits deep."""
    if image.mode == "F" or image.mode.startswith("I"):
        image = resize(Image.fromarray(_stretched(image)), side)
        grey = np.rint(np.asarray(image)).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[None], 3, axis=0)
    image = resize(_eight_bit(image), side)
    if image.mode == "L":
        return np.repeat(np.asarray(image)[None], 3, axis=0)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _cut(image: Image.Image, side: int) -> Image.Image:
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) // 2, (height - short) // 2
    if (width, height) == (side, side):
        return image
    box = (left, top, left + short, top + short)
    return image.resize((side, side), Image.Resampling.BICUBIC, box=box, reducing_gap=REDUCING_GAP)


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    """Return the whole image, its longer side at most `side`."""
    scale = min(1.0, side / max(image.size))
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return an image as L, RGB or RGBA: modes that resize with antialiasing."""
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in {"L", "RGB"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _stretched(image: Image.Image) -> Float32[np.ndarray, "height width"]:
    """Return the grey levels of a deep image as floats in 0..255, by the policy above."""
    values: Shaped[np.ndarray, "height width"] = np.asarray(image)
    low, high = _float_range(values) if image.mode == "F" else _whole_range(values)
    levels = (values.astype(np.float64) - low) * (255 / (high - low))  # 32 bit ints need doubles
    levels = np.nan_to_num(levels, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        levels[values == clear] = 255
    return levels.astype(np.float32)


def _whole_range(values: Shaped[np.ndarray, "height width"]) -> tuple[float, float]:
    low, high = int(values.min()), int(values.max())
    if low >= 0:
        for white in (255, 4095, 65535):
            if high <= white:
                return 0.0, float(white)
    return float(low), float(max(high, low + 1))


def _float_range(values: Float32[np.ndarray, "height width"]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise ValueError("no pixel has a finite value")
    low, high = float(finite.min()), float(finite.max())
    for white in (1.0, 255.0):
        if low >= 0 and high <= white:
            return 0.0, white
    low, high = (float(level) for level in np.percentile(finite, (0.5, 99.5)))
    return low, high if high > low else low + 1


def _reason(path: str | PathLike[str], error: Exception) -> str:
    """Return in words, on one line, why a file could not be read."""
    if isinstance(error, UnidentifiedImageError):
        with Path(path).open("rb") as file:
            return sniff(file.read(512))
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels (decompression bomb?)"
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read: {os.strerror(error.errno)}"
    words = " ".join(str(error).split()) or type(error).__name__
    return f"broken image: {words[:200]}"
