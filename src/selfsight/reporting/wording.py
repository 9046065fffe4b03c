"""Numbers and names as a person reads them, safe for any page."""

import math
import re
from pathlib import PurePath

from markupsafe import Markup, escape

SPLITS = ("train", "training", "test", "testing", "val", "validation", "unlabelled", "images")
THIN = "\u202f"  # narrow no-break space: keeps a number and its unit on one line
# Control characters, lone surrogates, and the marks that turn the direction of text.
_HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def printable(text: str) -> str:
    r"""Return text that any page can hold: control characters and stray bytes become escapes.

    A file name may hold newlines, bytes that are not UTF-8 (lone surrogates in Python) and marks
    that turn the direction of the text around it; they are shown as \n, \xff, \u202e.
    """
    return _HIDDEN.sub(_escaped, text)


def folder_named(source: str) -> str:
    """Return a folder's name, with its parent's where it is only that of a split: "pets/train"."""
    parts = PurePath(source).parts[-2:]
    return "/".join(parts if parts[-1:] and parts[-1].lower() in SPLITS else parts[-1:]) or source


def percent(share: float, *, digits: int = 1) -> str:
    """Return a share as per cent: 0.6125 is "61.3 %"; what is not finite is a dash."""
    return f"{100 * share:.{digits}f}{THIN}%" if math.isfinite(share) else "–"


def count(number: int, thing: str, things: str) -> str:
    """Return "1 image" or "2,000 images"."""
    return f"{number:,} {thing if number == 1 else things}"


def duration(seconds: float) -> str:
    """Return a duration in at most two units: "48 s", "12 min", "3 h 5 min"."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 90:
        return f"{seconds:.0f}{THIN}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}{THIN}min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{THIN}h" + (f" {minutes}{THIN}min" if minutes else "")


def short(value: float) -> str:
    """Return a number in four significant digits, with thousands separated."""
    if not math.isfinite(value):
        return "–"
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def with_options(text: str) -> Markup:
    """Return text as markup with its command-line options as code, which no line break splits."""
    return Markup(_OPTION.sub(r"<code class='option'>\g<0></code>", str(escape(printable(text)))))  # noqa: S704


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, as Python keeps it in file names
        return f"\\x{code - 0xDC00:02x}"
    return found.group().encode("unicode_escape").decode("ascii")
