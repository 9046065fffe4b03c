"""How pages are filled in: templates that escape what they are given, style sheets and scripts."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from selfsight.reporting.wording import count, percent, printable, with_options

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> Environment:
    """Return what loads the templates; texts become printable, a missing name is an error."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    found.filters |= {"percent": percent, "with_options": with_options}
    found.globals |= {"count": count}
    return found


def verbatim(name: str) -> Markup:
    """Return a style sheet or a script of ours."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file
