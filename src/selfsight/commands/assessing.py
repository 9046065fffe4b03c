"""`selfsight.assess`: what pretraining is worth, with how many labels, against what."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from selfsight.commands.files import apart, cache_folder
from selfsight.commands.loading import encoder_of
from selfsight.errors import Interrupted, UserError
from selfsight.settings import check_seed

if TYPE_CHECKING:
    from selfsight.assessment.opening import Assessment
    from selfsight.display import Display
    from selfsight.evaluation.layers import EncodeLayers
    from selfsight.nets.encoder import Encoder


def assess(
    encoder: "str | Path | Encoder",
    *,
    train: str | Path,
    test: str | Path,
    out: str | Path,
    labels_per_class: str | None = None,
    fractions: str | None = None,
    against: str = "scratch,random,pixels",
    protocols: str = "knn,linear,finetune",
    transfer: tuple[str, str] | None = None,
    seeds: int = 3,
    effort: float = 1.0,
    labels: str | Path = "auto",
    test_labels: str | Path = "same",
    seed: int = 0,
    cache: str | Path = "auto",
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    threads: int | Literal["auto"] = "auto",
    quiet: bool = False,
) -> dict[str, Any]:
    """Measure an encoder against what one would do without it, with few labels and with many.

    Every arm gets the same labelled images, drawn anew for each seed. Writes `out`: evidence.json
    (returned), report.html, the labelled images of every amount, and a line for every finished
    measurement. Page and evidence grow with every amount of labels that is finished; with the same
    arguments a stopped assessment goes on.

    encoder: a run's directory, an encoder file, or an `Encoder`. train, test: folders (or named
    sets) with labels; labels are drawn from the first, the second is only read. labels_per_class:
    "1,5,all"; fractions: "0.01,1", of each class. against: scratch, random, pixels, encoder files,
    timm:NAME. transfer: a second pair, of class folders. labels, test_labels: "auto" (class
    folders) or a CSV file each; "same": one table for both. effort: times the steps of training
    with labels.

    Raises UserError for a mistake in the input, in one line.
    """
    from selfsight.assessment.assess import assess as measured
    from selfsight.assessment.measuring import Bench
    from selfsight.assessment.opening import open_assessment
    from selfsight.assessment.plan import Plan, parse_against, parse_amounts, parse_protocols
    from selfsight.display import Display
    from selfsight.engine import Engine

    if seeds < 1:
        raise UserError(f"seeds is {seeds}; it must be 1 or more")
    check_seed(seed)
    check_seed(seed + seeds - 1)
    if not 0 < effort < math.inf:
        raise UserError(f"effort is {effort}; it must be above 0, and finite")
    for source in (train, test, *(transfer or ())):
        apart(str(source), Path(out))
    if threads != "auto" and threads < 1:
        raise UserError(f"threads is {threads}; it must be 1 or more, or auto")
    engine = Engine(device=device, precision=precision)
    plan = Plan(
        encoder=str(encoder) if isinstance(encoder, (str, Path)) else encoder.name,
        train=str(train),
        test=str(test),
        transfer=transfer or (),
        labels=str(labels),
        test_labels=str(test_labels),
        amounts=parse_amounts(labels_per_class, fractions),
        against=parse_against(against),
        protocols=parse_protocols(protocols),
        seeds=tuple(range(seed, seed + seeds)),
        effort=effort,
        precision=engine.precision,
    )
    _use_threads(threads)
    place = str(engine.device)
    with Display(quiet=quiet) as display:
        opened = open_assessment(
            plan,
            encoder_of(encoder),
            out=Path(out),
            cache=cache_folder(cache),
            device=place,
            progress=display.phase,
        )
        layers = _layers(encoder, place, display)
        bench = Bench(opened.folder, place, plan.precision, effort, display.phase)
        try:
            return measured(opened, bench=bench, layers=layers, display=display)
        except KeyboardInterrupt:
            raise _interrupted(opened) from None


def _use_threads(threads: int | Literal["auto"]) -> None:
    import torch

    from selfsight.processors import free_cores

    torch.set_num_threads(free_cores() if threads == "auto" else threads)


def _layers(
    encoder: "str | Path | Encoder", device: str, display: "Display"
) -> "EncodeLayers | None":
    """Return the features of all layers of a run; of other encoders, of which no head is left."""
    from selfsight.layered import run_layers
    from selfsight.run import Run

    if not isinstance(encoder, (str, Path)) or not Path(encoder).is_dir():
        return None
    try:
        return run_layers(Run.open(Path(encoder)), device=device)
    except (UserError, RuntimeError) as fault:  # no checkpoint, or one of another version
        display.say(f"layers are not probed: {' '.join(str(fault).split())[:200]}")
        return None


def _interrupted(opened: "Assessment") -> Interrupted:
    done = sum(opened.folder.record(cell) is not None for cell in opened.cells)
    page = opened.folder.path / "report.html"
    shown = f"{page} shows the amounts that are finished, and " if page.is_file() else ""
    return Interrupted(
        f"interrupted with {done} of {len(opened.cells)} measurements in {opened.folder.path}; "
        f"{shown}the same command goes on from there"
    )
