"""Which file formats count as images, and how Pillow is readied to read them.

Left out on purpose: formats that Pillow hands to other programs (EPS and PDF run Ghostscript, which
executes the file) and formats that it recognises but cannot read (MPEG, HDF5, GRIB, BUFR, WMF).
"""

from functools import cache
from importlib.util import find_spec
from pathlib import PurePath

from PIL import Image

NOT_READ = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "PDF", "WMF"})
FIRST = ("JPEG", "PNG", "WEBP", "TIFF")  # tried before the rest, being by far the most frequent
HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"heim", b"mif1"})
HEIF_SUFFIXES = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})

BEGINNINGS = {  # of files that are taken for images, in lower case
    b"<!doctype html": "an HTML page, not an image (a failed download?)",
    b"<html": "an HTML page, not an image (a failed download?)",
    b"<svg": "a vector drawing (SVG), not a pixel image",
    b"<?xml": "an XML file, perhaps a vector drawing, not a pixel image",
    b"version https://git-lfs": "a Git LFS pointer, not the image itself; run git lfs pull",
    b"pk\x03\x04": "a zip archive, not an image",
    b"\x89png": "broken image: a damaged PNG header",
    b"\xff\xd8": "broken image: a damaged JPEG header",
    b"ii*\0": "broken image: a damaged TIFF header",
    b"mm\0*": "broken image: a damaged TIFF header",
}


@cache
def readable_formats() -> tuple[str, ...]:
    """Return the names of the formats to try on a file, frequent ones first.

    HEIC is among them if the package pillow-heif is installed.
    """
    Image.init()
    if find_spec("pillow_heif") is not None:
        from pillow_heif import register_heif_opener  # type: ignore[import-not-found]

        register_heif_opener()
    rest = sorted(set(Image.OPEN) - set(FIRST) - NOT_READ)
    return FIRST + tuple(rest)


@cache
def image_suffixes() -> frozenset[str]:
    """Return the file name endings, in lower case and with the dot, that promise an image."""
    readable = set(readable_formats()) | {"MPO"}  # MPO is opened as JPEG
    return frozenset(suffix for suffix, name in Image.EXTENSION.items() if name in readable)


def suffix(name: str) -> str:
    """Return the ending of a file name in lower case, with its dot, or ""."""
    return PurePath(name).suffix.lower()


def sniff(start: bytes) -> str:
    """Return in words what a file that is no readable image begins like."""
    if not start:
        return "empty file (0 bytes)"
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS:
        return "HEIC: needs pillow-heif"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, words in BEGINNINGS.items():
        if text.startswith(beginning):
            return words
    return "not in an image format that can be read"
