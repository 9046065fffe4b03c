"""Each kind of image file becomes the square that a person would expect to see."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfsight.data.decode import UnreadableImageError, decode, shorter_side

SIDE = 16


def scene() -> Image.Image:
    """A picture in which every turn and flip shows: left dark, top red, a corner blue."""
    across = np.linspace(0, 200, 40)[None, :].repeat(30, 0)
    down = np.linspace(255, 0, 30)[:, None].repeat(40, 1)
    return Image.fromarray(np.stack([down, across, across * 0 + 60], -1).astype(np.uint8))


def saved(image: Image.Image, path: Path, **settings: object) -> Path:
    image.save(path, **settings)
    return path


def difference(path: Path, reference: Image.Image) -> float:
    """Largest deviation, in levels of 0..255, from the reference's centre square."""
    width, height = reference.size
    short = min(width, height)
    left, top = (width - short) // 2, (height - short) // 2
    box = (left, top, left + short, top + short)
    small = reference.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)
    expected = np.asarray(small.convert("RGB")).transpose(2, 0, 1).astype(int)
    return float(np.abs(decode(path, side=SIDE).astype(int) - expected).max())


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp", "ppm", "tga", "ico", "gif", "jpg"])
def test_common_formats_agree(tmp_path: Path, ending: str) -> None:
    lossless = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}
    image = scene().resize((32, 32))
    path = saved(image, tmp_path / f"a.{ending}", **lossless.get(ending, {}))
    assert difference(path, image) <= (24 if ending == "gif" else 4)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "YCbCr", "RGB"])
def test_every_mode_is_shown_as_it_looks(tmp_path: Path, mode: str) -> None:
    image = scene().convert(mode)
    path = saved(image, tmp_path / "a.tif")
    reference = image.convert("L" if mode in {"1", "LA"} else "RGB")
    assert difference(path, reference) <= 3


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_the_orientation_is_applied(tmp_path: Path, orientation: int, ending: str) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpose that un-rights an image
    upright = scene().crop((0, 0, 35, 30))  # an odd margin: the cut must be the upright one
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    settings = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}}
    path = saved(stored, tmp_path / f"a.{ending}", exif=exif, **settings.get(ending, {}))
    assert difference(path, upright) <= 8


def levels(path: Path) -> np.ndarray:
    pixels = decode(path, side=SIDE)
    assert (pixels == pixels[0]).all()
    return pixels[0]


@pytest.mark.parametrize(("white", "ending"), [(65535, "png"), (4095, "png"), (65535, "tif")])
def test_deep_grey_keeps_its_brightness(tmp_path: Path, white: int, ending: str) -> None:
    ramp = np.linspace(0, white, SIDE).astype(np.uint16)[:, None].repeat(SIDE, 1)
    path = saved(Image.fromarray(ramp), tmp_path / f"a.{ending}")
    expected = np.rint(np.linspace(0, 255, SIDE))[:, None]
    assert np.abs(levels(path) - expected).max() <= 1


def test_deep_whole_numbers_out_of_range_are_stretched(tmp_path: Path) -> None:
    ramp = np.linspace(-1000, 3000, SIDE).astype(np.int32)[:, None].repeat(SIDE, 1)
    seen = levels(saved(Image.fromarray(ramp), tmp_path / "a.tif"))
    assert seen[0, 0] == 0
    assert seen[-1, 0] == 255


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_floats_are_read_by_their_range(tmp_path: Path, white: float) -> None:
    ramp = np.linspace(0, 0.8 * white, SIDE, dtype=np.float32)[:, None].repeat(SIDE, 1)
    seen = levels(saved(Image.fromarray(ramp), tmp_path / "a.tif"))
    assert seen[0, 0] == 0
    assert abs(int(seen[-1, 0]) - 204) <= 1


def test_hdr_floats_with_holes_are_stretched_without_a_few_bright_spots(tmp_path: Path) -> None:
    heights = np.linspace(300, 900, 64 * 64, dtype=np.float32).reshape(64, 64)
    heights[0, 0], heights[0, 1], heights[0, 2] = np.nan, np.inf, 1e30
    seen = levels(saved(Image.fromarray(heights), tmp_path / "a.tif"))
    assert seen[-1, -1] >= 245
    assert 110 < seen.mean() < 145


def test_nothing_finite_is_refused(tmp_path: Path) -> None:
    path = saved(Image.fromarray(np.full((4, 4), np.nan, np.float32)), tmp_path / "a.tif")
    with pytest.raises(UnreadableImageError, match="no pixel has a finite value"):
        decode(path, side=SIDE)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_white_whatever_colour_they_hide(tmp_path: Path, mode: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 4), dtype=np.uint8)
    noise[..., 3] = 0
    image = Image.fromarray(noise)
    path = tmp_path / "a.png"
    if mode == "P":
        image.convert("RGB").convert("P").save(path, transparency=bytes(256))
    else:
        image.convert(mode).save(path)
    assert (decode(path, side=SIDE) == 255).all()


def test_half_transparent_black_is_grey(tmp_path: Path) -> None:
    path = saved(Image.new("RGBA", (20, 20), (0, 0, 0, 128)), tmp_path / "a.png")
    assert np.abs(decode(path, side=SIDE).astype(int) - 127).max() <= 1


def test_the_shorter_side_is_kept_and_the_rest_cut(tmp_path: Path) -> None:
    wide = np.zeros((20, 60), dtype=np.uint8)
    wide[:, 20:40] = 200
    assert (
        decode(saved(Image.fromarray(wide), tmp_path / "a.png"), side=10)[:, :, 1:-1] > 190
    ).all()
    assert shorter_side(tmp_path / "a.png") == 20


def test_shrinking_averages_and_large_jpegs_are_drafted(tmp_path: Path) -> None:
    stripes = np.zeros((1600, 1600), dtype=np.uint8)
    stripes[:, ::2] = 255
    for name in ("a.png", "a.jpg"):
        pixels = decode(saved(Image.fromarray(stripes), tmp_path / name), side=SIDE)
        assert np.abs(pixels.astype(int) - 127).max() <= 4


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (3000, 2)])
def test_tiny_and_narrow_images_are_enlarged(tmp_path: Path, size: tuple[int, int]) -> None:
    path = saved(Image.new("RGB", size, (10, 200, 30)), tmp_path / "a.png")
    assert (decode(path, side=SIDE) == np.array([10, 200, 30])[:, None, None]).all()


def test_the_first_frame_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("white", "black", "black")]
    for name in ("a.gif", "a.tif", "a.webp", "a.png"):
        path = saved(frames[0], tmp_path / name, save_all=True, append_images=frames[1:])
        assert decode(path, side=SIDE).min() >= 253, name


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImageError) as caught:
        decode(path, side=SIDE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_damaged_files_are_refused_with_a_plain_reason(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for name in ("cut.jpg", "cut.png", "cut.bmp"):
        path = saved(Image.fromarray(noise), tmp_path / name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert reason(path).startswith("broken image: ")
    flipped = saved(Image.fromarray(noise), tmp_path / "flipped.png")
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 0xFF
    flipped.write_bytes(content)
    assert reason(flipped).startswith("broken image: ")


def test_what_is_no_image_is_called_what_it_is(tmp_path: Path) -> None:
    for content, words in {
        b"": "empty file",
        b"<!DOCTYPE html><html>404</html>": "HTML page",
        b"version https://git-lfs.github.com/spec/v1\noid x": "git lfs pull",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic": "HEIC: needs pillow-heif",
        b"PK\x03\x04....": "zip archive",
        b"%!PS-Adobe-3.0 EPSF-3.0\n": "not in an image format",
        b"\x89PNG\r\n\x1a\n": "damaged PNG",
        b"nonsense": "not in an image format",
    }.items():
        path = tmp_path / "a.jpg"
        path.write_bytes(content)
        assert words in reason(path)
    assert reason(tmp_path / "missing.jpg") == "cannot be read: No such file or directory"


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    image = scene()
    image.save(tmp_path / "a.png")
    assert difference((tmp_path / "a.png").rename(tmp_path / "a.jpg"), image) <= 2


def test_a_decompression_bomb_is_refused_unread(tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    (tmp_path / "bomb.png").write_bytes(content + chunk(b"IEND", b""))
    assert "decompression bomb" in reason(tmp_path / "bomb.png")
