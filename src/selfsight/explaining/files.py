"""What an explanation leaves on disk: arrays in `maps.npz`, checks in `faithfulness.json`.

`maps.npz` holds, for n explained images:

- `paths`, `labels` [n]: names; `picture/0` … [3, height, width]: what the page shows, uint8;
- for each encoder, under `encoder/` or `beside/`: `seen` [n, channels, side, side], what it saw,
  uint8; one array a map [n, side, side], float32; what maps found besides, such as
  `relax.uncertainty` [n, side, side] and `attention.heads` [n, heads, rows, columns]; and `parts`
  [n, 3, rows, columns], places coloured by their features;
- of the first encoder, k neighbours an image: `shared/paths`, `shared/labels`, `shared/cosines`
  [n, k], `shared/seen` [n, k, channels, side, side], the maps `shared/here` and `shared/there`
  [n, k, side, side], and whether these are `shared/signed`.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from selfsight.errors import UserError
from selfsight.explaining.deletion import CELLS, FILLS, STEPS
from selfsight.explaining.explanation import Checked, Explained, mean_known
from selfsight.explaining.faithfulness import RANDOM_ORDERS, Gain, Order
from selfsight.explaining.gallery import ROLES, Gallery
from selfsight.explaining.makers import TITLES
from selfsight.explaining.material import Material
from selfsight.explaining.shared import Shared
from selfsight.explaining.trust import RULE
from selfsight.places import plain


def write_gallery(folder: Path, gallery: Gallery) -> None:
    """Write both files. Raises UserError if the folder cannot be written to."""
    material = gallery.material
    paths, labels = _names(material, material.rows)
    arrays: dict[str, Any] = {"paths": paths, "labels": labels}
    arrays |= {f"picture/{row}": each.pixels for row, each in enumerate(material.pictures)}
    for role, side in zip(ROLES, gallery.explained, strict=False):
        arrays |= {f"{role}/{name}": value for name, value in _arrays(side).items()}
    if gallery.shared is not None:
        arrays |= {f"shared/{name}": value for name, value in _pairs(gallery.shared, material)}
    content = {
        "protocol": dict(gallery.about) | protocol(),
        "images": paths.tolist(),
        "encoders": [_side(side) for side in gallery.explained],
        "agreement of the encoders": {
            kind: _correlation(values) for kind, values in gallery.agreed.items()
        },
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "maps.npz.part"
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
        partial.replace(folder / "maps.npz")
        text = json.dumps(_finite(content), indent=2) + "\n"
        (folder / "faithfulness.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error


def protocol() -> dict[str, str]:
    """Return how the checks were made, in words."""
    return {
        "deletion": f"square cells, about {CELLS} along the shorter side, are hidden in the map's "
        f"order, highest first, in {STEPS} steps; area under the score by the trapezoid rule; low "
        "is good",
        "insertion": "the same cells are shown, the rest hidden; high is good",
        "fills": " and ".join(FILLS) + ", both tests with each, averaged",
        "gain": f"difference of the area to the mean of {RANDOM_ORDERS} random orders of the same "
        "cells, an image each its own; positive is good; sure: the mean gain in standard "
        "deviations that it would have were the order random, for these images",
        "baselines": "centre: cells from the centre outwards; contrast: the strongest difference "
        "between neighbouring pixels first; neither looks at an encoder",
        "randomised": "Spearman's rank correlation of absolute pixel values with the map of the "
        "same network with all weights drawn anew and batch norm measured anew, toward the same "
        "thing as that network sees it; near 0 is good",
        "other target": "rank correlation, of values with their signs, with the map toward the "
        "target of the next image that has another neighbour, cluster or class; none: there is no "
        "such image",
        "rule": RULE,
    }


def _side(side: Explained) -> dict[str, Any]:
    return {
        "name": side.name,
        "maps": {kind: _map(kind, each) for kind, each in side.checked.items()},
        "baselines": {name: _order(order) for name, order in side.baselines.items()},
    }


def _map(kind: str, each: Checked) -> dict[str, Any]:
    found = {
        "title": TITLES[kind],
        "signed": each.maps.signed,
        "verdict": each.trust.word,
        "sentence": each.trust.sentence,
        "seconds an image": each.seconds,
        **_order(each.order),
        "randomised": _correlation(each.randomised),
        "other target": _correlation(each.other_target),
    }
    if "completeness" in each.maps.extras:
        found["completeness error"] = each.maps.extras["completeness"].tolist()
    return found


def _order(order: Order) -> dict[str, Any]:
    return {"deletion": _gain(order.deletion), "insertion": _gain(order.insertion)}


def _gain(gain: Gain) -> dict[str, Any]:
    return {
        "gain": gain.mean,
        "sure": gain.sure,
        "random spread": gain.random_spread,
        "gain by fill": dict(zip(FILLS, gain.by_fill.tolist(), strict=True)),
        "gain by image": gain.by_image.tolist(),
        "random orders beaten by image": gain.beaten.tolist(),
    }


def _correlation(values: Float[np.ndarray, "images"]) -> dict[str, Any]:
    return {"mean": mean_known(values), "by image": values.tolist()}


def _arrays(side: Explained) -> dict[str, Any]:
    found = {"seen": _eight(side.seen)}
    for kind, each in side.checked.items():
        found[kind] = _thin(each.maps.values)
        for name, extra in each.maps.extras.items():
            found[f"{kind}.{name}"] = _thin(extra)
    if side.parts is not None:
        found["parts"] = _thin(side.parts)
    return found


def _eight(images: Tensor) -> Any:
    return (images.detach().cpu().clamp(0, 1) * 255).round().byte().numpy()


def _thin(values: Tensor) -> Any:
    return values.detach().float().cpu().numpy()


def _pairs(shared: Shared, material: Material) -> list[tuple[str, Any]]:
    paths, labels = _names(material, shared.rows)
    return [
        ("paths", paths),
        ("labels", labels),
        ("cosines", _thin(shared.cosines)),
        ("seen", _eight(shared.seen)),
        ("here", _thin(shared.here)),
        ("there", _thin(shared.there)),
        ("signed", np.array(shared.signed)),
    ]


def _names(material: Material, rows: Int[np.ndarray, "*shape"]) -> tuple[Any, Any]:
    """Return paths and classes of rows of the bank as arrays of text, in the shape of the rows."""
    pairs = [(material.paths[row], material.bank.name_of(row)) for row in rows.flatten().tolist()]
    # Bytes of a file's name that are not UTF-8 are lone surrogates, which no file can hold.
    texts = [[plain(text) for text in pair] for pair in pairs]
    names = np.array(texts, dtype=str).reshape(*rows.shape, 2)
    return names[..., 0], names[..., 1]


def _finite(value: Any) -> Any:
    """Return JSON in which what is no finite number is null."""
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
