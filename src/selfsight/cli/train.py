"""`selfsight train`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsight.cli.app import Positional, app
from selfsight.cli.words import Pairs, Resume, pairs
from selfsight.settings import Settings

DEFAULTS = Settings()


@app.command
def train(
    images: Annotated[str, Positional],
    /,
    *,
    out: Path,
    settings: Annotated[Settings, Parameter(name="*")] = DEFAULTS,
    set_: Pairs = None,
    resume: Resume = False,
) -> None:
    """Train an encoder on images and measure it.

    Parameters
    ----------
    images
        A folder of images, or the name of an image set (digits, CIFAR10, …).
    out
        The run's directory; it must be new.
    set_
        A setting of the method, as NAME=VALUE; may be repeated.
    resume
        Continue the run in OUT with its saved settings.
    """
    from selfsight.commands.training import train_with

    run = train_with(images, out=out, settings=settings, method_settings=pairs(set_), resume=resume)
    from selfsight.gather import process_rank

    if process_rank() == 0:
        _print_run(run.path, run.verdict)


def _print_run(path: Path, verdict: str) -> None:
    from selfsight.display import print_out
    from selfsight.run import Run

    for line in Run.open(path).evidence.get("table", []):
        print_out(line)
    print_out(verdict)
    print_out(f"report:  {path / 'report.html'}")
    if (path / "encoder.safetensors").is_file():  # a run that diverged has none
        print_out(f"encoder: {path / 'encoder.safetensors'}  (selfsight.load({str(path)!r}))")
