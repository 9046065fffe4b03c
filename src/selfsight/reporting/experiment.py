"""The page of a comparison or a study: reads results.json, writes report.html beside it.

The markup is in templates/experiment.html.jinja; the looks are those of a run's report, with what
only this page has in experiment.css.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from selfsight.errors import UserError
from selfsight.reporting.headline import table
from selfsight.reporting.progressions import against_time, trend
from selfsight.reporting.reading import number
from selfsight.reporting.standings import axis, points, references, spread, standing, tones
from selfsight.reporting.templating import environment, verbatim
from selfsight.reporting.wording import duration, folder_named

FAILURES = ("collapsed", "diverged", "failed")
SHOWN_SETTINGS = ("encoder", "size", "batch")  # in the line beneath the title


def write_experiment(folder: Path) -> Path:
    """Write FOLDER/report.html from FOLDER/results.json in one move and return its path.

    Raises UserError if that file is missing or broken, or the page cannot be written.
    """
    try:
        content = json.loads((folder / "results.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'results.json'} cannot be read: {error}") from error
    target, partial = folder / "report.html", folder / "report.html.part"
    try:
        partial.write_text(render_experiment(content), encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}") from error
    return target


def render_experiment(content: Mapping[str, Any]) -> str:
    """Return the page as text that is encodable as UTF-8."""
    colours = tones(content)
    return (
        environment()
        .get_template("experiment.html.jinja")
        .render(
            style=verbatim("report.css") + Markup("\n") + verbatim("experiment.css"),
            script=verbatim("report.js"),
            content=content,
            title=_title(content),
            on=folder_named(content["images"]),
            facts=_facts(content),
            tone=_tone(content),
            failures=[cell for cell in content["cells"] if cell["word"] in FAILURES],
            standings=[standing(arm, content, colours) for arm in content["arms"]],
            references=references(content),
            axis=axis(content),
            trend=trend(content) if content["kind"] == "study" else None,
            along=against_time(content, colours),
            points=points,
            number=number,
            duration=duration,
            leaks=_leaks(content),
            protocol=table(content["protocol"]),
            settings=table(content["settings"])
            + table(content["own"])
            + table(content["differing"]),
        )
    )


def _title(content: Mapping[str, Any]) -> str:
    if content["kind"] == "study":
        methods = list(dict.fromkeys(arm["method"] for arm in content["arms"]))
        return f"{content['vary'].replace('_', ' ')} for {', '.join(methods)}"
    return f"{len(content['arms'])} methods"


def _facts(content: Mapping[str, Any]) -> list[str]:
    arms = [content["settings"] | each for each in content["differing"].values()]
    shown = [name for name in SHOWN_SETTINGS if name != content["vary"]]
    values = {
        name: dict.fromkeys(str(arm[name]) for arm in arms or [content["settings"]])
        for name in shown
    }
    seeds = content["seeds"]
    return [
        content["budget"]["words"],
        *(f"{name} {', '.join(each)}" for name, each in values.items()),
        f"{seeds} seed{'s' if seeds > 1 else ''}",
    ]


def _tone(content: Mapping[str, Any]) -> str:
    if content["done"] < content["runs"]:
        return "doubtful"
    return "good" if content["decided"] else "neutral"


def _leaks(content: Mapping[str, Any]) -> list[str]:
    """Return in words how many test images the training images hold, and what that changes."""
    leaks = content["leaks"]
    if not leaks:
        return []
    found = sum(len(leak["rows"]) for leak in leaks.values())
    images = sum(leak["images"] for leak in leaks.values())
    if not found:
        return ["No measured image has a near copy among the training images."]
    said = [
        f"{found:,} of {images:,} measured images, over all seeds, have a near copy among the "
        "training images (repeats.json lists them). Linear probe without them:"
    ]
    rows: Sequence[Mapping[str, Any]] = [arm for arm in content["arms"] if arm["fresh"]]
    return said + [f"{arm['name']} {spread(arm['fresh'])} %" for arm in rows]
