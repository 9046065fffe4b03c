"""`selfsight evaluate`."""

from pathlib import Path
from typing import Annotated

from selfsight.cli.app import Positional, app


@app.command
def evaluate(
    encoder: Annotated[Path, Positional],
    /,
    *,
    train: str,
    test: str,
    labels: str = "auto",
    seed: int = 0,
    cache: str = "auto",
    json: Path | None = None,
) -> None:
    """Measure a frozen encoder beside an untrained one and raw pixels.

    By kNN and by a linear probe, with intervals and the protocol.

    Parameters
    ----------
    encoder
        A run's directory or an encoder file.
    train
        Folder of labelled images to fit the probe on.
    test
        Folder of labelled images to read it on; used once.
    labels
        auto: class folders; or a CSV file with columns path,label.
    seed
        Seed of the splits and of the bootstrap.
    cache
        Folder for decoded images (auto: .selfsight-cache here).
    json
        File to write the evidence to, too.
    """
    from selfsight.commands.evaluating import evaluate as evaluate_encoder
    from selfsight.display import print_out

    found = evaluate_encoder(
        encoder, train=train, test=test, labels=labels, seed=seed, cache=cache, json_file=json
    )
    print_out("\n".join(found.table()))
