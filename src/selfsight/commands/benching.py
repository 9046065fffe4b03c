"""`selfsight.bench`: what bounds a planned run on this machine, in about half a minute."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from selfsight.commands.files import cache_folder, check_place, write_whole
from selfsight.commands.training import NO_SETTINGS
from selfsight.errors import UserError
from selfsight.settings import Settings

if TYPE_CHECKING:
    from selfsight.speed.bench import Bench

PLANNED = Settings()
LEAST = 1.0  # seconds


def bench(
    images: str | Path,
    *,
    settings: Settings = PLANNED,
    method_settings: Mapping[str, object] = NO_SETTINGS,
    seconds: float = 30.0,
    json_file: str | Path | None = None,
    quiet: bool = False,
) -> "Bench":
    """Measure on a sample what a run would take here, and name what bounds it.

    images, settings, method_settings: of the run that is planned, as `train` takes them; its
    images are not decoded, only a sample is. seconds: how long to measure, besides loading and
    three steps at the least. json_file: where to write the numbers too.

    Raises UserError for a mistake in the input, in one line.
    """
    if not LEAST <= seconds < math.inf:
        raise UserError(f"seconds is {seconds}; it must be a finite number of at least {LEAST:g}")
    if json_file is not None:
        check_place(Path(json_file))
    from selfsight.display import Display
    from selfsight.speed.measuring import measure_plan

    with Display(quiet=quiet) as display:
        found = measure_plan(
            str(images),
            settings=settings,
            method_settings=method_settings,
            seconds=seconds,
            cache=cache_folder(settings.cache),
            display=display,
        )
    if json_file is not None:
        write_whole(Path(json_file), json.dumps(found.to_json(), indent=2) + "\n")
    return found
