"""`selfsight diagnose`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsight.cli.app import Positional, app


@app.command
def diagnose(
    encoder: Annotated[Path, Positional],
    images: Annotated[str, Positional],
    /,
    *,
    out: Path,
    labels: str = "auto",
    tests: str = "all",
    twin: Annotated[bool, Parameter(negative="")] = False,
    twin_steps: int = 200,
    seed: int = 0,
    cache: str = "auto",
    device: str = "auto",
) -> None:
    """Ask what is wrong with an encoder: collapse, quality without labels, shortcuts.

    Parameters
    ----------
    encoder
        A run's directory or an encoder file.
    images
        A folder of images, or the name of an image set; best one that training did not see.
    out
        A new folder for report.html and diagnosis.json. A diagnosis that was stopped goes on with
        the same command, after the last finished test.
    labels
        auto: class folders if there are any; none; or a CSV file with columns path,label.
    tests
        all, or some of: collapse, quality, planted_cues, nuisances, stress, views, twins.
    twin
        Train a network with labels and one without on images with a planted cue, and ask who relies
        on it more; minutes.
    twin_steps
        Steps of each of these trainings.
    seed
        Seed of everything that is drawn.
    cache
        Folder for decoded images (auto: .selfsight-cache here).
    device
        Where to compute: auto, cpu, or a device name that torch knows.
    """
    from selfsight.commands.diagnosing import diagnose as diagnose_encoder
    from selfsight.display import print_out

    found = diagnose_encoder(
        encoder,
        images,
        out=out,
        labels=labels,
        tests=tests,
        twin=twin,
        twin_steps=twin_steps,
        seed=seed,
        cache=cache,
        device=device,
    )
    print_out("\n".join(found.lines()))
    print_out(f"\nreport: {found.path / 'report.html'}")
