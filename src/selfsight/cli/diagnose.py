"""`selfsight diagnose`."""

from pathlib import Path
from typing import Annotated

from selfsight.cli.app import Positional, app


@app.command
def diagnose(
    encoder: Annotated[Path, Positional],
    images: Annotated[str, Positional],
    /,
    *,
    out: Path,
    labels: str = "auto",
    seed: int = 0,
    cache: str = "auto",
) -> None:
    """Ask what is wrong with a frozen encoder: collapse, quality without labels, shortcuts.

    Parameters
    ----------
    encoder
        A run's directory or an encoder file.
    images
        A folder of images, or the name of an image set; best one that training did not see.
    out
        A new folder for report.html and diagnosis.json.
    labels
        auto: class folders if there are any; none; or a CSV file with columns path,label.
    seed
        Seed of everything that is drawn.
    cache
        Folder for decoded images (auto: .selfsight-cache here).
    """
    from selfsight.commands.diagnosing import diagnose as diagnose_encoder
    from selfsight.display import print_out

    found = diagnose_encoder(encoder, images, out=out, labels=labels, seed=seed, cache=cache)
    print_out("\n".join(found.lines()))
    print_out(f"\nreport: {found.path / 'report.html'}")
