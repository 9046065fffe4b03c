"""`selfsight bench`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsight.cli.app import Positional, app
from selfsight.cli.words import Pairs, pairs
from selfsight.settings import Settings

PLANNED = Settings()


@app.command
def bench(
    images: Annotated[str, Positional],
    /,
    *,
    seconds: float = 30.0,
    json: Path | None = None,
    settings: Annotated[Settings, Parameter(name="*")] = PLANNED,
    set_: Pairs = None,
) -> None:
    """Name what bounds a planned run on this machine: disk, decoding, views or model.

    Parameters
    ----------
    images
        A folder of images, or the name of an image set (digits, CIFAR10, …).
    seconds
        How long to measure.
    json
        File to write the numbers to, too.
    set_
        A setting of the method, as NAME=VALUE; may be repeated.
    """
    from selfsight.commands.benching import bench as measure
    from selfsight.display import print_out

    found = measure(
        images, settings=settings, method_settings=pairs(set_), seconds=seconds, json_file=json
    )
    print_out("\n".join(found.lines()))
