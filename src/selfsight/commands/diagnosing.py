"""`selfsight.diagnose`: what is wrong with an encoder, on one page and in one JSON file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsight.commands.files import cache_folder, write_whole
from selfsight.commands.loading import encoder_of

if TYPE_CHECKING:
    from selfsight.data.images import ImageSet
    from selfsight.diagnosis.finding import Finding
    from selfsight.diagnosis.sampling import MakeViews
    from selfsight.diagnosis.whole import Diagnosis
    from selfsight.nets.encoder import Encoder
    from selfsight.run import Run


def diagnose(
    encoder: "str | Path | Encoder",
    images: str | Path,
    *,
    out: str | Path,
    labels: str = "auto",
    seed: int = 0,
    cache: str = "auto",
    quiet: bool = False,
) -> "Diagnosis":
    """Ask what is wrong with a frozen encoder, write the answers and return them.

    encoder: a run's directory, an encoder file, or an `Encoder`. images: a folder (or a named set),
    best one that training did not see. out: a new folder for report.html and diagnosis.json.

    Collapse and quality without labels are measured beside the untrained twin and raw pixels.
    Views are those of the run's own method, or SimCLR's where no run is given.

    Raises UserError for a mistake in the input, in one line.
    """
    from selfsight.data.images import open_images
    from selfsight.diagnosis.whole import Diagnosis
    from selfsight.display import Display
    from selfsight.reporting.diagnosis import render_diagnosis
    from selfsight.run import vacant

    target = Path(out)
    vacant(target)
    network, display = encoder_of(encoder), Display(quiet=quiet)
    found = open_images(
        str(images),
        size=network.image_size,
        labels=labels,
        cache=cache_folder(cache),
        progress=display.phase,
    )
    run = _run_of(encoder)
    findings = _findings(network, found, run=run, seed=seed, progress=display.phase)
    about = _about(network, found, run=run, seed=seed)
    diagnosis = Diagnosis(target, about, tuple(findings))
    page = render_diagnosis(
        findings,
        title=run.settings.method if run else network.name,
        on=_named(found.root),
        facts=[
            network.name,
            f"{network.dim} features",
            f"{network.image_size} px",
            f"{len(found):,} images",
            f"seed {seed}",
        ],
    )
    target.mkdir(parents=True, exist_ok=True)
    write_whole(target / "diagnosis.json", json.dumps(diagnosis.to_json(), indent=1) + "\n")
    write_whole(target / "report.html", page)
    display.end()
    return diagnosis


def _findings(
    network: "Encoder",
    images: "ImageSet",
    *,
    run: "Run | None",
    seed: int,
    progress: Callable[[str, int, int], None],
) -> "list[Finding]":
    from functools import partial

    from selfsight.diagnosis.frozen import collapse_finding
    from selfsight.diagnosis.quality import quality
    from selfsight.diagnosis.sampling import samples_of
    from selfsight.evaluation.embed import Encode, encoder_function
    from selfsight.evaluation.pixels import pixel_features
    from selfsight.measure import untrained

    device = str(network.mean.device)
    make_views, views = _views(network, run)
    encoders: dict[str, Encode] = {
        "encoder": encoder_function(network, device),
        "untrained": encoder_function(untrained(network, seed=seed), device),
        # 16 px: 768 numbers, a width of the order of an encoder's
        "pixels": partial(pixel_features, side=16),
    }
    samples = samples_of(encoders, images, make_views=make_views, seed=seed, progress=progress)
    return [
        collapse_finding(
            samples["encoder"].features, samples["untrained"].features, trained=_collapse(run)
        ),
        quality(samples, views=views, seed=seed, progress=progress),
    ]


def _views(network: "Encoder", run: "Run | None") -> "tuple[MakeViews, str]":
    """Return what makes views, and what that is in words."""
    import torch

    if run is None:
        from selfsight.views.presets import simclr, two_views

        return two_views(simclr(network.image_size)), "SimCLR's, the default without a run"
    from selfsight import methods
    from selfsight.assemble import build_method

    with torch.random.fork_rng(devices=[]):
        method = build_method(
            methods.find(run.settings.method),
            dict(run.method_settings),
            settings=run.settings,
            mean=network.mean.tolist(),
            std=network.std.tolist(),
        )
    return method.views, f"those of the run's method, {run.settings.method}"


def _named(root: str) -> str:
    """Return a folder's name, with its parent's where it is only that of a split."""
    from selfsight.data.labels import SPLITS

    parts = Path(root).absolute().parts if Path(root).is_dir() else (root,)
    return "/".join(parts[-2:] if parts[-1].lower() in SPLITS else parts[-1:])


def _run_of(encoder: "str | Path | Encoder") -> "Run | None":
    from selfsight.run import Run

    if isinstance(encoder, (str, Path)) and Path(encoder).is_dir():
        return Run.open(Path(encoder))
    return None


def _collapse(run: "Run | None") -> str:
    """Return the collapse that a run's verdict tells of, or ""."""
    verdict = run.evidence.get("verdict", {}) if run else {}
    return str(verdict["sentence"]) if verdict.get("word") == "collapsed" else ""


def _about(
    network: "Encoder", images: "ImageSet", *, run: "Run | None", seed: int
) -> dict[str, Any]:
    from selfsight import __version__

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
        "seed": seed,
    }
