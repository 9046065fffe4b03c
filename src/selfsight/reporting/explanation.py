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
from jaxtyping import Shaped

from selfsight.errors import UserError
from selfsight.reporting.headline import table
from selfsight.reporting.overlays import as_rgb, coloured, overlay, plain
from selfsight.reporting.reading import number
from selfsight.reporting.templating import environment, verbatim
from selfsight.reporting.wording import count, duration

AnyArray = Shaped[np.ndarray, "..."]
Arrays = Mapping[str, AnyArray]

TOWARD = {
    "itself": "similarity to other views of the image itself",
    "neighbour": "similarity to the image’s nearest neighbour",
    "cluster": "similarity to the centre of the image’s cluster",
    "label": "the probability that a linear probe gives to the image’s own label",
}
ROLES = ("encoder", "beside")
TONES = {"trusted": "good", "with care": "doubtful", "not trusted": "bad"}
BASELINES = {"centre": "From the centre outwards", "contrast": "Strongest contrast first"}
SHAPES = {"uncertainty": "RELAX, uncertainty"}  # extras that are maps of their own


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
    columns = _columns(found["encoders"][0]["maps"], arrays)
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
            rows=[_row(place, sides, columns, arrays) for place in range(len(arrays["paths"]))],
            small=arrays["encoder/seen"].shape[-1] <= 40,
            drawn="drawn by the seed" in protocol["explained images"],
            cut=_cut(protocol),
            agreed=_agreed(found),
            pairs=_pairs(arrays),
            protocol=table(protocol),
            facts=[protocol["source"], protocol["explained images"], f"seed {protocol['seed']}"],
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


def _columns(maps: Mapping[str, Any], arrays: Arrays) -> list[dict[str, Any]]:
    """Return what stands beside each picture: the maps, and what else a map found for a pixel."""
    columns = []
    for kind, each in maps.items():
        columns.append({"key": kind, "kind": kind, "title": each["title"], "map": True})
        for extra, title in SHAPES.items():
            if f"encoder/{kind}.{extra}" in arrays:
                columns.append(
                    {"key": f"{kind}.{extra}", "kind": kind, "title": title, "map": False}
                )
    return columns


def _row(
    place: int, sides: list[dict[str, Any]], columns: list[dict[str, Any]], arrays: Arrays
) -> dict[str, Any]:
    """Return one image's pictures: itself, and for each encoder its maps, heads and parts."""
    picture = arrays[f"picture/{place}"]
    box = central_square(picture.shape[1], picture.shape[2])
    drawn = []
    for side in sides:
        raw = {each["kind"]: each["raw"] for each in side["maps"]}
        tiles = [
            {
                "uri": overlay(
                    picture,
                    arrays[f"{side['role']}/{column['key']}"][place],
                    box=box,
                    signed=raw[column["kind"]]["signed"] and column["map"],
                ),
                "title": column["title"],
                "beaten": _beaten(raw[column["kind"]], place) if column["map"] else "",
            }
            for column in columns
        ]
        drawn.append(
            {
                "name": side["name"],
                "tiles": tiles,
                "heads": _heads(picture, box, side["role"], arrays, place),
                "parts": _parts(side["role"], arrays, place),
            }
        )
    return {
        "uri": plain(picture),
        "label": str(arrays["labels"][place]),
        "path": str(arrays["paths"][place]),
        "sides": drawn,
    }


def _heads(
    picture: AnyArray,
    box: tuple[int, int, int],
    role: str,
    arrays: Arrays,
    place: int,
) -> list[str]:
    heads = arrays.get(f"{role}/attention.heads")
    if heads is None:
        return []
    return [
        overlay(picture, head.astype(np.float64), box=box, signed=False, smooth=False)
        for head in heads[place]
    ]


def _parts(role: str, arrays: Arrays, place: int) -> str:
    parts = arrays.get(f"{role}/parts")
    return "" if parts is None else coloured(parts[place].astype(np.float64))


def _pairs(arrays: Arrays) -> list[dict[str, Any]]:
    """Return each image with its neighbours, the maps on both toward one another."""
    if "shared/seen" not in arrays:
        return []
    signed = bool(arrays["shared/signed"])

    def laid(seen: AnyArray, values: AnyArray) -> str:
        return overlay(as_rgb(seen), values, box=(0, 0, seen.shape[-1]), signed=signed)

    rows = []
    for place, seen in enumerate(arrays["encoder/seen"]):
        near = [
            {
                "here": laid(seen, arrays["shared/here"][place, rank]),
                "there": laid(other, arrays["shared/there"][place, rank]),
                "uri": plain(as_rgb(other)),
                "label": str(arrays["shared/labels"][place, rank]),
                "path": str(arrays["shared/paths"][place, rank]),
                "cosine": float(arrays["shared/cosines"][place, rank]),
            }
            for rank, other in enumerate(arrays["shared/seen"][place])
        ]
        rows.append(
            {
                "uri": plain(as_rgb(seen)),
                "label": str(arrays["labels"][place]),
                "path": str(arrays["paths"][place]),
                "near": near,
            }
        )
    return rows


def central_square(height: int, width: int) -> tuple[int, int, int]:
    """Return the top, the left and the side of the square that an encoder sees of a picture."""
    side = min(height, width)
    return (height - side) // 2, (width - side) // 2, side


def _beaten(each: Mapping[str, Any], place: int) -> str:
    hides, shows = (
        each[test]["random orders beaten by image"][place] for test in ("deletion", "insertion")
    )
    return f"hide {100 * hides:.0f} · show {100 * shows:.0f}"


def _gain(gain: Mapping[str, Any]) -> dict[str, str]:
    return {"gain": _signed(f"{gain['gain']:+.3f}"), "sure": _signed(f"{gain['sure']:+.1f}")}


def _plain(value: object) -> str:
    known = number(value)
    return _signed(f"{known:.2f}") if math.isfinite(known) else "–"


def _signed(digits: str) -> str:
    return digits.replace("-", "\u2212")


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g}\u202fs" if seconds < 10 else duration(seconds)
