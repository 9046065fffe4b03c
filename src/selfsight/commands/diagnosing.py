"""`selfsight.diagnose`: what is wrong with an encoder, on one page and in one JSON file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsight.commands.files import cache_folder, write_whole
from selfsight.commands.loading import encoder_of
from selfsight.errors import UserError

if TYPE_CHECKING:
    from selfsight.diagnosis.whole import Diagnosis
    from selfsight.examination import Examination
    from selfsight.nets.encoder import Encoder


def diagnose(
    encoder: "str | Path | Encoder",
    images: str | Path,
    *,
    out: str | Path,
    labels: str = "auto",
    tests: str = "all",
    twin: bool = False,
    twin_steps: int = 200,
    seed: int = 0,
    cache: str = "auto",
    quiet: bool = False,
) -> "Diagnosis":
    """Ask what is wrong with a frozen encoder, write the answers and return them.

    encoder: a run's directory, an encoder file, or an `Encoder`. images: a folder (or a named set),
    best one that training did not see. out: a new folder for report.html and diagnosis.json. tests:
    all, or some of collapse, quality, planted_cues, nuisances, stress, views, twins with commas
    between them. twin: train a network with labels and one without, `twin_steps` each, on images
    with a planted cue, and ask who relies on it more.

    Everything is measured beside the untrained twin. Views are those of the run's own method, or
    SimCLR's where no run is given.

    Raises UserError for a mistake in the input, in one line.
    """
    from selfsight.data.images import open_images
    from selfsight.diagnosis.whole import Diagnosis
    from selfsight.display import Display
    from selfsight.examination import Examination, chosen_tests, run_of
    from selfsight.run import vacant

    target = Path(out)
    vacant(target)
    chosen = chosen_tests(tests, twin=twin)
    if twin_steps < 1:
        raise UserError(f"twin_steps is {twin_steps}; it must be at least 1")
    network, display = encoder_of(encoder), Display(quiet=quiet)
    examination = Examination(
        encoder=network,
        run=run_of(encoder),
        images=open_images(
            str(images),
            size=network.image_size,
            labels=labels,
            cache=cache_folder(cache),
            progress=display.phase,
        ),
        tests=chosen,
        twin_steps=twin_steps,
        seed=seed,
        progress=display.phase,
    )
    diagnosis = Diagnosis(target, _about(examination), tuple(examination.findings()))
    _write(diagnosis, examination)
    display.end()
    return diagnosis


def _write(diagnosis: "Diagnosis", examination: "Examination") -> None:
    from selfsight.reporting.diagnosis import render_diagnosis

    network, run = examination.encoder, examination.run
    page = render_diagnosis(
        diagnosis.findings,
        title=run.settings.method if run else network.name,
        on=_named(examination.images.root),
        facts=[
            network.name,
            f"{network.dim} features",
            f"{network.image_size} px",
            f"{len(examination.images):,} images",
            f"seed {examination.seed}",
        ],
    )
    diagnosis.path.mkdir(parents=True, exist_ok=True)
    content = json.dumps(diagnosis.to_json(), indent=1, allow_nan=False)
    write_whole(diagnosis.path / "diagnosis.json", content + "\n")
    write_whole(diagnosis.path / "report.html", page)


def _named(root: str) -> str:
    """Return a folder's name, with its parent's where it is only that of a split."""
    from selfsight.data.labels import SPLITS

    parts = Path(root).absolute().parts if Path(root).is_dir() else (root,)
    return "/".join(parts[-2:] if parts[-1].lower() in SPLITS else parts[-1:])


def _about(examination: "Examination") -> dict[str, Any]:
    from selfsight import __version__

    network, run, images = examination.encoder, examination.run, examination.images
    return {
        "selfsight": __version__,
        "encoder": network.config | {"dim": network.dim, "notes": dict(network.notes)},
        "run": None if run is None else str(run.path),
        "images": {
            "root": images.root,
            "images": len(images),
            "labelled": int((images.labels.index >= 0).sum()),
            "classes": len(images.labels.names),
            "skipped": len(images.skipped),
        },
        "seed": examination.seed,
    }
