"""A finding as arrays and back, whole: with its pictures, and with numbers to the last digit.

`diagnosis.json` is for people and programs and has no pictures; this is for a diagnosis that was
stopped and goes on. The text of the finding is JSON in one array, every picture is an array of its
own.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped

from selfsight.diagnosis.finding import Column, Finding, Picture, Row, Sheet, Table
from selfsight.evaluation.interval import Interval

Arrays = Mapping[str, Shaped[np.ndarray, "..."]]
KINDS = {kind.__name__: kind for kind in (Finding, Table, Column, Row, Sheet, Picture, Interval)}
TEXT = "text"


def finding_to_arrays(finding: Finding) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Return a finding as arrays by name."""
    pictures: dict[str, Shaped[np.ndarray, "..."]] = {}
    text = json.dumps(_closed(finding, pictures))  # ASCII, whatever the names of files hold
    return {TEXT: np.array(text)} | pictures


def finding_from_arrays(arrays: Arrays) -> Finding:
    """Return the finding that `finding_to_arrays` was given."""
    found = _opened(json.loads(str(arrays[TEXT])), arrays)
    assert isinstance(found, Finding)
    return found


def _closed(value: Any, pictures: dict[str, Shaped[np.ndarray, "..."]]) -> Any:
    """Return JSON in which an object says what it is."""
    if isinstance(value, np.ndarray):
        name = f"picture {len(pictures)}"
        pictures[name] = value
        return {"is": "picture", "name": name}
    if isinstance(value, (tuple, list)):
        items = [_closed(item, pictures) for item in value]
        return items if isinstance(value, list) else {"is": "tuple", "items": items}
    if isinstance(value, Mapping):
        pairs = [[str(name), _closed(item, pictures)] for name, item in value.items()]
        return {"is": "mapping", "pairs": pairs}
    if is_dataclass(value):
        found = {each.name: _closed(getattr(value, each.name), pictures) for each in fields(value)}
        return {"is": type(value).__name__, "fields": found}
    return value.item() if isinstance(value, np.generic) else value


def _opened(value: Any, arrays: Arrays) -> Any:
    if isinstance(value, list):
        return [_opened(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    match value["is"]:
        case "picture":
            return arrays[value["name"]]
        case "tuple":
            return tuple(_opened(item, arrays) for item in value["items"])
        case "mapping":
            return {name: _opened(item, arrays) for name, item in value["pairs"]}
    found = {name: _opened(item, arrays) for name, item in value["fields"].items()}
    return KINDS[value["is"]](**found)
