"""What the report says in words: title, verdict, what is missing, how to load the encoder."""

import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath

import numpy as np
from markupsafe import escape

from selfsight.reporting.reading import RunFiles, column, number
from selfsight.reporting.wording import count, duration, percent, printable

TONES = {
    "learned": "good",
    "barely": "doubtful",
    "worse": "bad",
    "interrupted": "doubtful",
    "unfinished": "doubtful",
    "collapsed": "bad",
    "diverged": "bad",
}


TITLES = {  # of the verdicts whose word is half a title
    "barely": "barely above untrained",
    "worse": "worse than untrained",
}


def headline(files: RunFiles) -> dict[str, object]:
    """Return the title and the short facts beneath it, as far as they are known."""
    settings, evidence = files.settings, files.evidence
    begun = without_steps(files)
    method = str(settings.get("encoder" if begun else "method", "a run"))
    images = str(settings.get("images", ""))
    name = PurePath(images).name or images
    seconds = number(evidence.get("seconds"))
    if not math.isfinite(seconds):
        seconds = _last(files, "seconds")
    facts = [
        "" if begun else str(settings.get("encoder", "")),
        _amount(files),
        f"{settings['size']} px" if "size" in settings else "",
        f"batch {settings['batch']}" if "batch" in settings and not begun else "",
        _budget(files),
        f"{'found in' if begun else 'trained for'} {duration(seconds)}"
        if math.isfinite(seconds)
        else "",
    ]
    return {
        "title": f"{method} on {name}" if name else method,
        "method": method,
        "images": name,
        "facts": [fact for fact in facts if fact],
    }


def without_steps(files: RunFiles) -> bool:
    """Return whether the run takes no gradient step: the encoder begins as it ends."""
    return files.settings.get("steps") == 0


def verdict(files: RunFiles) -> dict[str, str]:
    """Return the verdict of the evidence, or what can be said of a run that has none."""
    found = files.evidence.get("verdict")
    if isinstance(found, dict) and found.get("word"):
        word, sentence = str(found["word"]), str(found.get("sentence", ""))
        tone, title = TONES.get(word, "neutral"), TITLES.get(word, word)
        return {"word": word, "title": title, "sentence": _rest(sentence, word), "tone": tone}
    progress = _last(files, "progress")
    if math.isfinite(progress):
        sentence = (
            f"This run has not ended: its records stop at {percent(progress, digits=0)} of the "
            f"training (step {_last(files, 'step'):,.0f}). Run the same command with --resume to "
            "continue it."
        )
    else:
        sentence = "This run has no records: nothing was trained yet, or its files are gone."
    word = "unfinished"
    return {"word": word, "title": word, "sentence": sentence, "tone": TONES[word]}


def missing(files: RunFiles) -> list[str]:
    """Return a sentence for everything that a whole report would have and this one has not."""
    held_out = files.held_out
    told = files.evidence.get("rows") or verdict(files)["word"] in ("unmeasured", "diverged")
    said = [] if told else [_why_not_measured(files)]
    if verdict(files)["word"] == "interrupted":
        said.append("The run was interrupted: everything here is of the part that was trained.")
    if not files.settings:
        said.append("The settings are not known (settings.toml).")
    if not files.steps and not without_steps(files):
        said.append("No steps were recorded (records.jsonl), so there are no curves of them.")
    if files.views is None:
        said.append("The views that training saw were not kept (figures/views.npz).")
    if held_out is None:
        said.append(
            "No held-out images were kept (figures/held_out.npz): no neighbours and no map."
        )
    if not files.has_encoder:
        said.append("There is no trained encoder (encoder.safetensors).")
    return said + [f"A file could not be read: {name}." for name in files.unread]


def measured_on(evidence: Mapping[str, object]) -> str:
    """Return on how many images of how many classes the accuracies were measured, as a sentence."""
    train, test = (number(evidence.get(name)) for name in ("train_images", "test_images"))
    if not math.isfinite(train + test):
        return ""
    classes = evidence.get("classes")
    kinds = f", in {count(len(classes), 'class', 'classes')}" if isinstance(classes, list) else ""
    fitted = count(int(train), "image", "images")
    return f"Fitted on {fitted}, read on {count(int(test), 'other', 'others')}{kinds}."


def loading(files: RunFiles) -> dict[str, str]:
    """Return the code that loads the encoder, in Python and on the command line.

    The code keeps its line breaks, so it is escaped here.
    """
    run = printable(str(files.path))
    dim = "dim" if files.held_out is None else files.held_out.features.shape[1]
    return {
        "python": escape(
            "import selfsight\n\n"
            f"encoder = selfsight.load({str(files.path)!a})\n"
            "# images: [n, 3, height, width], uint8, or floats from 0 to 1\n"
            f"features = encoder.encode(images)  # [n, {dim}]"
        ),
        "shell": f"selfsight export {shlex.quote(run)} --to onnx --out encoder.onnx",
        "file": printable(str(files.path / "encoder.safetensors")),
    }


def table(content: object) -> list[tuple[str, str]]:
    """Return names and values of nested content, flat: {"a": {"b": 1}} is a › b."""
    return list(_flat(content, "")) if isinstance(content, Mapping) else []


def _rest(sentence: str, word: str) -> str:
    """Return a verdict's sentence without the beginning that says the word again."""
    beginning = re.match(rf"{re.escape(word)}\b[^:.]*[:.] ", sentence, re.IGNORECASE)
    rest = sentence[beginning.end() :] if beginning else sentence
    return rest[:1].upper() + rest[1:]


def _flat(content: Mapping[str, object], before: str) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        place = f"{before}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place} › ")
        else:
            yield place, _text(value)


def _text(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case int() | str():
            return str(value)
        case list() | tuple() if all(isinstance(item, str | int | float) for item in value):
            return ", ".join(_text(item) for item in value)
    return json.dumps(value, default=str)


def _why_not_measured(files: RunFiles) -> str:
    if not files.evidence:
        return "Quality was not measured: the run holds no evidence (evidence.json)."
    return "Quality was not measured: that needs labels of at least two classes."


def _amount(files: RunFiles) -> str:
    images = files.evidence.get("images")
    amount = number(images.get("train")) if isinstance(images, Mapping) else math.nan
    return count(int(amount), "image", "images") if math.isfinite(amount) else ""


def _budget(files: RunFiles) -> str:
    for name, unit in (("epochs", "epoch"), ("steps", "step")):
        amount = number(files.settings.get(name))
        if amount == 0:
            return "no gradient steps"
        if math.isfinite(amount):
            return f"{amount:,g} {unit}{'' if amount == 1 else 's'}"
    steps = _last(files, "step")
    return count(int(steps), "step", "steps") if math.isfinite(steps) else ""


def _last(files: RunFiles, name: str) -> float:
    known = column([*files.steps, *files.looks], name)
    known = known[np.isfinite(known)]
    return float(known.max()) if len(known) else math.nan
