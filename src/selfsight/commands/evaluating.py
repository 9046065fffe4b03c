"""`selfsight.evaluate`: the evidence for an encoder on labelled images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from selfsight.commands.files import cache_folder, check_place, write_whole
from selfsight.commands.loading import encoder_of
from selfsight.settings import check_seed

if TYPE_CHECKING:
    from selfsight.evaluation.evidence import Evidence
    from selfsight.nets.encoder import Encoder


def evaluate(
    encoder: "str | Path | Encoder",
    *,
    train: str | Path,
    test: str | Path,
    labels: str | Path = "auto",
    test_labels: str | Path = "same",
    seed: int = 0,
    cache: str | Path = "auto",
    device: str = "auto",
    json_file: str | Path | None = None,
    quiet: bool = False,
) -> "Evidence":
    """Measure a frozen encoder: kNN and linear probe beside raw pixels and an untrained encoder.

    encoder: a run's directory, an encoder file, or an `Encoder`. train, test: folders (or named
    sets) with labels; the probe is fitted on the first and read on the second. labels, test_labels:
    "auto" (class folders) or a CSV file each; "same": one table for both. json_file: where to write
    the evidence too.

    Raises UserError for a mistake in the input, in one line.
    """
    from selfsight.display import Display
    from selfsight.engine import device_named
    from selfsight.measure import evidence_between

    check_seed(seed)
    if json_file is not None:
        check_place(Path(json_file))
    place = device_named(device)
    network = encoder_of(encoder)
    with Display(quiet=quiet) as display:
        found = evidence_between(
            network,
            train=str(train),
            test=str(test),
            labels=str(labels),
            test_labels=str(test_labels),
            seed=seed,
            cache=cache_folder(cache),
            device=str(place),
            display=display,
        )
    if json_file is not None:
        write_whole(Path(json_file), json.dumps(found.to_json(), indent=2) + "\n")
    return found
