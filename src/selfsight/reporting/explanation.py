"""The page of an explanation: reads `maps.npz` and `faithfulness.json`, writes `report.html`.

The text and the order are in templates/explanation.html.jinja, what differs in looks from a run's
report in explanation.css.
"""

import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from selfsight.errors import UserError
from selfsight.reporting.headline import table
from selfsight.reporting.looks import Arrays, columns_of, pairs_of, row_of
from selfsight.reporting.reading import number
from selfsight.reporting.templating import environment, verbatim
from selfsight.reporting.wording import count, duration, folder_named

TOWARD = {
    "itself": "similarity to other views of the image itself",
    "neighbour": "similarity to the image’s nearest neighbour",
    "cluster": "similarity to the centre of the image’s cluster",
    "label": "the probability that a linear probe gives to the image’s own label",
}
ROLES = ("encoder", "beside")
TONES = {"trusted": "good", "with care": "doubtful", "not trusted": "bad"}
BASELINES = {"centre": "From the centre outwards", "contrast": "Strongest contrast first"}


def write_page(folder: Path) -> Path:
    """Write `report.html` from the files of an explanation and return its path.

    Raises UserError if they are not there or broken, or if the page cannot be written.
    """
    try:
        found = json.loads((folder / "faithfulness.json").read_text(encoding="utf-8"))
        with np.load(folder / "maps.npz") as file:
            arrays = dict(file)
        page = render(found, arrays)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{folder} holds no whole explanation: {error}") from error
    target, partial = folder / "report.html", folder / "report.html.part"
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}") from error
    return target


def render(found: Mapping[str, Any], arrays: Arrays) -> str:
    """Return the page from the content of both files."""
    protocol = found["protocol"]
    sides = [_side(role, side) for role, side in zip(ROLES, found["encoders"], strict=False)]
    columns = columns_of(found["encoders"][0]["maps"], arrays)
    asked = TOWARD[protocol["toward"]]
    if protocol["against"] == "others" and protocol["toward"] != "label":
        asked += ", less the mean similarity to other images"
    return (
        environment()
        .get_template("explanation.html.jinja")
        .render(
            style=verbatim("report.css") + verbatim("explanation.css"),
            script=verbatim("report.js"),
            sides=sides,
            verdict=_verdict(sides[0], asked),
            asked=asked,
            columns=columns,
            rows=[row_of(place, sides, columns, arrays) for place in range(len(arrays["paths"]))],
            small=arrays["encoder/seen"].shape[-1] <= 40,
            drawn="drawn by the seed" in protocol["explained images"],
            cut=_cut(protocol),
            agreed=_agreed(found),
            pairs=pairs_of(arrays),
            subtracted=not protocol["subtracted"].startswith("nothing"),
            protocol=table(protocol),
            facts=[
                folder_named(protocol["source"]),
                protocol["explained images"],
                f"seed {protocol['seed']}",
            ],
        )
    )


def _cut(protocol: Mapping[str, Any]) -> str:
    """Return what is not explained of images that are not square, "" for none."""
    told = str(protocol.get("not square", "none"))
    return "" if told == "none" else f"{told.rstrip('.')}: it is dimmed."


def _verdict(side: Mapping[str, Any], asked: str) -> dict[str, str]:
    """Return in a word and a sentence how far the first encoder's maps can be trusted."""
    words = [each["verdict"] for each in side["maps"]]
    good, careful = words.count("trusted"), words.count("with care")
    if good == len(words):
        tone, word = "good", "trustworthy"
    elif good:
        tone, word = "doubtful", "partly trustworthy"
    elif careful:
        tone, word = "doubtful", "read with care"
    else:
        tone, word = "bad", "not trustworthy"
    kinds = count(len(words), "kind of map", "kinds of map")
    told = f"{good} of {kinds} may be trusted on these images"
    if careful:
        told += f", {careful} with care"
    return {"tone": tone, "word": word, "sentence": f"{told}. Asked of each place: {asked}."}


def _side(role: str, side: Mapping[str, Any]) -> dict[str, Any]:
    """Return one encoder's checks as texts."""
    maps = [
        {"kind": kind, "tone": TONES[each["verdict"]], "raw": each}
        | {name: each[name] for name in ("title", "verdict", "sentence")}
        | {
            "deletion": _gain(each["deletion"]),
            "insertion": _gain(each["insertion"]),
            "randomised": _plain(each["randomised"]["mean"]),
            "other": _plain(each["other target"]["mean"]),
            "seconds": _seconds(number(each["seconds an image"])),
        }
        for kind, each in side["maps"].items()
    ]
    baselines = [
        {
            "title": BASELINES.get(name, name),
            "deletion": _gain(order["deletion"]),
            "insertion": _gain(order["insertion"]),
        }
        for name, order in side["baselines"].items()
    ]
    return {"role": role, "name": side["name"], "maps": maps, "baselines": baselines}


def _agreed(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each kind of map with how far two encoders agree, as texts."""
    maps = found["encoders"][0]["maps"]
    return [
        (maps[kind]["title"], _plain(each["mean"]))
        for kind, each in found.get("agreement of the encoders", {}).items()
    ]


def _gain(gain: Mapping[str, Any]) -> dict[str, str]:
    return {"gain": _signed(f"{gain['gain']:+.3f}"), "sure": _signed(f"{gain['sure']:+.1f}")}


def _plain(value: object) -> str:
    known = number(value)
    return _signed(f"{known:.2f}") if math.isfinite(known) else "–"


def _signed(digits: str) -> str:
    return digits.replace("-", "\u2212")


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g}\u202fs" if seconds < 10 else duration(seconds)
