"""`selfsight.diagnose`: what is wrong with an encoder, on one page and in one JSON file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsight.commands.files import apart, cache_folder, write_whole
from selfsight.commands.loading import encoder_of
from selfsight.errors import Interrupted, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from selfsight.diagnosis.finding import Finding
    from selfsight.diagnosis.whole import Diagnosis
    from selfsight.display import Display
    from selfsight.examination import Examination
    from selfsight.kept import Kept
    from selfsight.nets.encoder import Encoder

TWIN_STEPS = 200


def diagnose(
    encoder: "str | Path | Encoder",
    images: str | Path,
    *,
    out: str | Path,
    labels: str | Path = "auto",
    tests: str = "all",
    twin: bool = False,
    twin_steps: int = TWIN_STEPS,
    seed: int = 0,
    cache: str = "auto",
    device: str = "auto",
    quiet: bool = False,
) -> "Diagnosis":
    """Ask what is wrong with a frozen encoder, write the answers and return them.

    encoder: a run's directory, an encoder file, or an `Encoder`. images: a folder (or a named set),
    best one that training did not see. out: a new folder for report.html and diagnosis.json, or
    that of a diagnosis that was stopped: it goes on after the last finished test. labels: auto,
    none, or a CSV file. tests: all, or some of collapse, quality, planted_cues, nuisances, stress,
    views, twins with commas between them. twin: train a network with labels and one without,
    `twin_steps` each, on images with a planted cue, and ask who relies on it more. device: where to
    compute; the encoder stays there.

    Everything is measured beside the untrained twin. Views are those of the run's own method, or
    SimCLR's where no run is given.

    Raises UserError for a mistake in the input, in one line.
    """
    from selfsight.data.images import open_images
    from selfsight.diagnosis.whole import Diagnosis
    from selfsight.display import Display
    from selfsight.engine import device_named
    from selfsight.examination import Examination, chosen_tests, run_of
    from selfsight.kept import Kept
    from selfsight.settings import check_seed

    target = Path(out)
    chosen = chosen_tests(tests, twin=twin)
    check_seed(seed)
    if twin_steps < 1:
        raise UserError(f"twin_steps is {twin_steps}; it must be at least 1")
    if twin_steps != TWIN_STEPS and "twins" not in chosen:
        raise UserError("twin_steps has no effect without twins; give --twin, or leave it out")
    apart(str(images), target)
    Kept.check_place(target)
    with Display(quiet=quiet) as display:
        network = encoder_of(encoder).to(device_named(device))
        examination = Examination(
            encoder=network,
            run=run_of(encoder),
            images=open_images(
                str(images),
                size=network.image_size,
                labels=str(labels),
                cache=cache_folder(cache),
                progress=display.phase,
            ),
            tests=chosen,
            twin_steps=twin_steps,
            seed=seed,
            progress=display.phase,
        )
        kept = Kept(target, plan=_plan(examination))
        diagnosis = Diagnosis(target, _about(examination), _findings(examination, kept, display))
        _write(diagnosis, examination)
        kept.clear()
    return diagnosis


def _findings(
    examination: "Examination", kept: "Kept", display: "Display"
) -> "tuple[Finding, ...]":
    """Return a finding for each test; those that are kept from before are not made again."""
    from selfsight.diagnosis.finding_arrays import finding_from_arrays, finding_to_arrays

    if kept.names():
        display.say(
            f"{len(kept.names())} of {len(examination.tests)} tests are in {kept.path}; the others "
            "follow"
        )

    def keep(name: str, make: "Callable[[], Finding]") -> "Finding":
        return finding_from_arrays(kept.once(name, lambda: finding_to_arrays(make())))

    try:
        return tuple(examination.findings(keep))
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted with {len(kept.names())} of {len(examination.tests)} tests in "
            f"{kept.path}; the same command goes on from there"
        ) from None


def _plan(examination: "Examination") -> dict[str, Any]:
    """Return all that a finding depends on."""
    from selfsight import __version__
    from selfsight.assessment.folder import fingerprint

    run = examination.run
    return {
        "selfsight": __version__,
        "weights": fingerprint(examination.encoder),
        "images": examination.images.root,
        "image names, labels and pixels": examination.images.fingerprint(),
        "method": run.settings.taught_by if run else None,
        "method settings": dict(run.method_settings) if run else {},
        "tests": list(examination.tests),
        "twin steps": examination.twin_steps,
        "seed": examination.seed,
    }


def _write(diagnosis: "Diagnosis", examination: "Examination") -> None:
    from selfsight.reporting.diagnosis import render_diagnosis
    from selfsight.reporting.wording import folder_named

    network, run = examination.encoder, examination.run
    page = render_diagnosis(
        diagnosis.findings,
        title=run.settings.taught_by if run else network.name,
        on=folder_named(examination.images.root),
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
