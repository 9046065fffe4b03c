"""Parts of an explanation that are made once: maps and areas as arrays, kept or made now.

Where they are kept is not this package's business: it is handed a function that returns a part of a
name, and makes it if there is none yet.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from selfsight.explaining.maps import Maps

Arrays = Mapping[str, Any]  # an array for each name
Keep = Callable[[str, Callable[[], Arrays]], Arrays]
EXTRA = "extra."


def made_now(_name: str, make: Callable[[], Arrays]) -> Arrays:
    """Return a part, made anew."""
    return make()


def kept_maps(keep: Keep, name: str, make: Callable[[], Maps]) -> tuple[Maps, float]:
    """Return maps, on the processor, and the seconds that it took to make them."""

    def arrays() -> Arrays:
        begin = time.perf_counter()
        maps = make()
        seconds = time.perf_counter() - begin
        extras = {f"{EXTRA}{name}": _array(values) for name, values in maps.extras.items()}
        own = {"signed": np.array(maps.signed), "seconds": np.array(seconds)}
        return {"values": _array(maps.values)} | own | extras

    found = keep(name, arrays)
    extras = {
        name.removeprefix(EXTRA): torch.from_numpy(values)
        for name, values in found.items()
        if name.startswith(EXTRA)
    }
    maps = Maps(torch.from_numpy(found["values"]), bool(found["signed"]), extras)
    return maps, float(found["seconds"])


def _array(values: torch.Tensor) -> Any:
    return values.detach().cpu().numpy()
