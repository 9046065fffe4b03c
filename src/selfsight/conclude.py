"""What comes after the last step: the encoder, the evidence, the pictures, the verdict, the report.

All of it is derived from the last checkpoint, so a run that is killed here only does this again.
"""

import json
import platform
from typing import Any

import torch

from selfsight import __version__
from selfsight.assemble import precision_used
from selfsight.beginning import pair
from selfsight.diagnosis.verdict import Verdict, judge
from selfsight.display import Display
from selfsight.engine import Engine
from selfsight.evaluation.embed import embed, encoder_function, head_function
from selfsight.evaluation.evidence import Evidence
from selfsight.figures import mapped, write_held_out, write_views
from selfsight.formats import save_encoder
from selfsight.keeper import State
from selfsight.material import Material
from selfsight.measure import evidence_for
from selfsight.method import Method
from selfsight.nets.encoder import Encoder
from selfsight.reporting.page import write_report
from selfsight.run import Run
from selfsight.settings import Settings

MOST_MEASURED = 5_000  # labelled images of each part; `selfsight evaluate` uses all


def conclude(
    run: Run,
    method: Method,
    *,
    material: Material,
    state: State,
    engine: Engine,
    display: Display,
) -> None:
    """Write all that a finished run has. A run that diverged is not exported or measured."""
    found: Evidence | None = None
    state.finite = state.finite and _is_finite(method.exported)  # the last update may have done it
    if state.finite:
        found = _measured(run, method, material=material, engine=engine, display=display)
    verdict = _verdict(found, state)
    content: dict[str, Any] = {} if found is None else found.to_json()
    content |= {
        "verdict": {"word": verdict.word, "sentence": verdict.sentence},
        "table": [] if found is None else found.table(),
        "images": {"train": len(material.train), "held_out": len(material.held_out)},
        "machine": _machine(engine, run.settings),
        "seconds": state.seconds,
        "steps": state.step,
    }
    run.write_text("evidence.json", json.dumps(content, indent=1) + "\n")
    write_report(run.path)
    display.end()


def _is_finite(encoder: Encoder) -> bool:
    values = encoder.state_dict().values()
    return all(bool(torch.isfinite(value).all()) for value in values if value.is_floating_point())


def _measured(
    run: Run, method: Method, *, material: Material, engine: Engine, display: Display
) -> Evidence | None:
    seed, encoder = run.settings.seed, method.exported
    notes = {
        "method": run.settings.taught_by,
        "training images": str(len(material.train)),
        "selfsight": __version__,
    }
    save_encoder(encoder, run.path / "encoder.safetensors", notes=notes)
    figures = run.path / "figures"
    figures.mkdir(exist_ok=True)
    views = method.shown if run.settings.steps != 0 else pair(encoder.image_size)
    write_views(figures, views, material.train, seed=seed, size=encoder.image_size)
    device = str(engine.device)
    shown = mapped(material.held_out, seed=seed)
    features = embed(encoder_function(encoder, device), shown, progress=display.phase).features
    write_held_out(figures, shown, features)
    return evidence_for(
        encoder,
        train=material.labelled,
        test=material.held_out,
        seed=seed,
        most=MOST_MEASURED,
        device=device,
        progress=display.phase,
        further={
            name: head_function(encoder, head, device=device)
            for name, head in method.heads_to_measure().items()
            if run.settings.steps != 0
        },
    )


def _verdict(found: Evidence | None, state: State) -> Verdict:
    rows, gain = {}, (0.0, 0.0)
    if found is not None:
        rows = {row.name: row.linear.accuracy.value for row in found.rows}
        difference = found.difference("encoder", "untrained").linear
        gain = (difference.low, difference.high)
    return judge(
        finite=state.finite, collapse=state.collapse, look=state.last_look, rows=rows, gain=gain
    )


def _machine(engine: Engine, settings: Settings) -> dict[str, str | int]:
    return {
        "processor": _processor(),
        "device": str(engine.device),
        "precision": precision_used(settings, engine.precision),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "selfsight": __version__,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
