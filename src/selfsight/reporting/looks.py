"""The pictures of an explanation's page: maps, heads, parts and neighbours, from `maps.npz`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped

from selfsight.reporting.overlays import as_rgb, coloured, overlay, plain

AnyArray = Shaped[np.ndarray, "..."]
Arrays = Mapping[str, AnyArray]

SHAPES = {"uncertainty": "RELAX, uncertainty"}  # extras that are maps of their own


def columns_of(maps: Mapping[str, Any], arrays: Arrays) -> list[dict[str, Any]]:
    """Return what stands beside each picture: the maps, and what else a map found for a pixel."""
    columns: list[dict[str, Any]] = []
    for kind, each in maps.items():
        columns.append({"key": kind, "kind": kind, "title": each["title"], "map": True})
        for extra, title in SHAPES.items():
            if f"encoder/{kind}.{extra}" in arrays:
                columns.append(
                    {"key": f"{kind}.{extra}", "kind": kind, "title": title, "map": False}
                )
    return columns


def row_of(
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


def pairs_of(arrays: Arrays) -> list[dict[str, Any]]:
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


def _beaten(each: Mapping[str, Any], place: int) -> str:
    hides, shows = (
        each[test]["random orders beaten by image"][place] for test in ("deletion", "insertion")
    )
    return f"hide {100 * hides:.0f} · show {100 * shows:.0f}"
