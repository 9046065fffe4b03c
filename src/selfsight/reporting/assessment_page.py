"""The page of an assessment: reads evidence.json, writes report.html beside it.

The markup is in templates/assessment.html.jinja; the looks are those of a run's report, with what
only this page has in assessment.css.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from markupsafe import Markup

from selfsight.errors import UserError
from selfsight.reporting.headline import table
from selfsight.reporting.label_curves import label_curves, layer_chart
from selfsight.reporting.reading import number
from selfsight.reporting.templating import environment, verbatim
from selfsight.reporting.wording import percent

MOST_CLASSES = 100


def write_assessment(folder: Path) -> Path:
    """Write FOLDER/report.html from FOLDER/evidence.json in one move and return its path.

    Raises UserError if that file is missing or broken, or the page cannot be written.
    """
    try:
        content = json.loads((folder / "evidence.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'evidence.json'} cannot be read: {error}") from error
    target, partial = folder / "report.html", folder / "report.html.part"
    try:
        partial.write_text(render_assessment(content), encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}") from error
    return target


def render_assessment(content: Mapping[str, Any]) -> str:
    """Return the page as text that is encodable as UTF-8."""
    verdict, sentence = content["sentence"].split(": ", 1) if _opens(content) else ("", "")
    styles = ("report.css", "experiment.css", "assessment.css")
    return (
        environment()
        .get_template("assessment.html.jinja")
        .render(
            style=Markup("\n").join(verbatim(name) for name in styles),
            script=verbatim("report.js"),
            content=content,
            encoder=PurePath(content["encoder"]).name or content["encoder"],
            on=_on(content["tasks"][0]),
            facts=_facts(content),
            word=verdict or "Not known",
            sentence=sentence[:1].upper() + sentence[1:] if verdict else content["sentence"],
            tone=_tone(content["sentence"]),
            tasks=[(task, label_curves(task)) for task in content["tasks"]],
            layers=layer_chart(content["layers"]) if content["layers"] else None,
            best=[layer["name"] for layer in content["layers"] if layer["best"]],
            share=share,
            points=points,
            shade=shade,
            most_classes=MOST_CLASSES,
            overtaken=overtaken,
            settings=_settings,
            protocol=table(content["protocol"]),
        )
    )


def share(point: Mapping[str, Any]) -> str:
    """Return mean and deviation over seeds in per cent."""
    deviation = number(point["deviation"])
    mean = f"{100 * number(point['mean']):.1f}"
    return mean + (f" ± {100 * deviation:.1f}" if math.isfinite(deviation) else "")


def points(point: Mapping[str, Any]) -> str:
    """Return a difference in points with its interval."""
    mean, low, high = (100 * number(point[end]) for end in ("mean", "low", "high"))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})".replace("-", "−")


def shade(value: float) -> str:
    """Return the opacity of a cell of the confusion picture, as text: faint shares still show."""
    return f"{math.sqrt(value):.3f}"


def overtaken(found: Mapping[str, Any]) -> str:
    """Return where training from scratch comes to lead, in words."""
    where = found["overtaken"]
    if where is None:
        return "not within this data"
    sure = "" if where["surely"] else ", within the spread"
    if where["from the first"]:
        return f"leads from the fewest labels measured on{sure}"
    return f"at about {where['labels']:,.0f} labels{sure}"


def _opens(content: Mapping[str, Any]) -> bool:
    return str(content["sentence"]).startswith("Pretraining ") and ": " in content["sentence"]


def _tone(sentence: str) -> str:
    if sentence.startswith("Pretraining helped:"):
        return "good"
    return "doubtful" if sentence.startswith("Pretraining") else "neutral"


def _on(task: Mapping[str, Any]) -> str:
    """Return the name of the images: that of the folder above, where the folder is a split."""
    place = PurePath(task["test"])
    return place.parent.name if place.name in ("test", "val") and place.parent.name else place.name


def _facts(content: Mapping[str, Any]) -> list[str]:
    task = content["tasks"][0]
    labels = [amount["labels"] for amount in task["amounts"]]
    seeds = len(content["seeds"])
    return [
        f"{labels[0]:,} to {labels[-1]:,} labels" if len(labels) > 1 else f"{labels[0]:,} labels",
        f"{len(task['classes'])} classes",
        f"{task['test_images']:,} test images",
        f"{seeds} seed{'s' if seeds > 1 else ''}",
    ]


def _settings(
    row: Mapping[str, Any], amounts: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Return what a way chose with each amount of labels, in words, for every seed."""
    return [
        (f"{amount['labels']:,}", "; ".join(_chosen(chosen) for chosen in point["settings"]))
        for amount, point in zip(amounts, row["points"], strict=True)
    ]


def _chosen(chosen: Mapping[str, Any]) -> str:
    if "neighbours" in chosen:
        return f"{chosen['neighbours']} neighbours"
    if "regularisation" in chosen:
        strength = f"strength {chosen['regularisation']:g}"
        return strength if chosen["converged"] else f"{strength} (not converged)"
    best = chosen["trials"][-1]["accuracy"] if chosen["trials"] else math.nan
    judged = f", {percent(best)} of {chosen['held_back']} held back" if chosen["trials"] else ""
    return (
        f"rate {chosen['rate']:g}, {chosen['views']}, {chosen['steps']} of {chosen['planned']} "
        f"steps of {chosen['batch']}{judged}"
    )
