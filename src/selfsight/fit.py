"""fit(): holds the training loop, and turns it into a run on disk.

It looks at the network now and then, keeps records and checkpoints, and stops cleanly on Ctrl-C.
What comes after the last step is in `conclude.py`.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.optim import Optimizer

from selfsight import methods
from selfsight.assemble import demand_steps, optimiser_for, peak_rate
from selfsight.beginning import begin
from selfsight.budget import progress_by_clock, progress_by_steps, step_budget
from selfsight.conclude import conclude
from selfsight.data.images import ImageSet
from selfsight.data.splits import batch_rows
from selfsight.display import Display
from selfsight.ending import interruptible, resumable, unsaved
from selfsight.engine import Engine
from selfsight.errors import Interrupted
from selfsight.forecast import BeginningForecaster
from selfsight.keeper import Keeper, State, restore
from selfsight.loop import train
from selfsight.material import Material, open_material
from selfsight.method import Method
from selfsight.nets.encoder import Encoder
from selfsight.nets.networks import begins
from selfsight.opening import opening
from selfsight.places import place, placed
from selfsight.preparation import drafted, equip, settled
from selfsight.preset import chosen, within_minutes
from selfsight.run import Run, begun_otherwise
from selfsight.settings import Settings


def fit(
    images: str,
    *,
    out: Path,
    settings: Settings,
    method_settings: dict[str, object],
    resume: bool,
    display: Display,
) -> Run:
    """Train and return the finished run. Raises UserError for mistakes, Interrupted for Ctrl-C."""
    settings, engine = equip(settings)
    asked = settings.minutes  # a preset may replace them
    display = display if engine.first else Display(quiet=True)
    kind = methods.find(settings.method)
    own = methods.parse_settings(kind, method_settings)
    if not resume:
        settings = chosen(
            settings,
            own,
            images=lambda: len(
                _material(images, out=out, settings=settings, engine=engine, display=display).train
            ),
            device=engine.device.type,
            agreed=engine.first_says,
            say=display.say,
        )
    settings = drafted(kind, own, settings=settings, engine=engine, say=display.say)
    if not resume:
        demand_steps(settings, own)
    material = _material(images, out=out, settings=settings, engine=engine, display=display)
    goes_on, spent = resume and Run.open(out).has_checkpoint, 0.0

    def start(encoder: Encoder) -> None:
        nonlocal spent
        since = time.monotonic()
        hears = BeginningForecaster(display, device=engine.device, minutes=asked)
        with unsaved():
            begin(
                encoder.to(engine.device),
                material.train,
                seed=settings.seed,
                progress=hears.phase,
            )
        if settings.minutes is None:  # else `within_minutes` says it
            hears.end()
        spent = engine.first_says(time.monotonic() - since)

    settings, own, method = settled(
        kind,
        own,
        settings=settings,
        images=len(material.train),
        mean=material.mean,
        std=material.std,
        begin=start if begins(settings.encoder) and not goes_on else None,
        engine=engine,
        resume=resume,
        say=display.say,
    )
    settings = within_minutes(settings, spent=spent, say=display.say)
    optimiser = optimiser_for(method, settings)
    run = _run(images, out=out, settings=settings, own=own, resume=resume, engine=engine)
    with resumable(run):
        state = restore(run, method, optimiser, material.train) if resume else State()
        state.seconds += spent  # beginning is training, and its time counts
        engine.wait()  # until all have read where to go on, before the first writes
        if engine.first:
            run.forget_after(state.step)
            run.write_skipped(material.skipped)
        for line in opening(run, method, material, engine):
            display.say(line)
        if not state.ended:
            _train(
                run,
                method,
                optimiser,
                material=material,
                engine=engine,
                state=state,
                display=display,
            )
        if engine.first:
            conclude(run, method, material=material, state=state, engine=engine, display=display)
    engine.wait()
    return run


def _material(
    images: str, *, out: Path, settings: Settings, engine: Engine, display: Display
) -> Material:
    beside = out.absolute().parent / ".selfsight-cache"
    cache = beside if settings.cache == "auto" else Path(settings.cache)
    if not engine.first:
        engine.wait()  # the first process decodes, the others then find the store
    material = open_material(images, settings=settings, cache=cache, progress=display.phase)
    if engine.first:
        engine.wait()
    return material


def _run(
    images: str,
    *,
    out: Path,
    settings: Settings,
    own: dict[str, object],
    resume: bool,
    engine: Engine,
) -> Run:
    if engine.first and not resume:
        Run.create(out, images=place(images), settings=placed(settings), method_settings=own)
    engine.wait()
    run = Run.open(out)
    if resume and settings.batch != run.settings.batch:  # as fitted to the images
        raise begun_otherwise(run, "batch", settings.batch)
    return run.shortened(settings, write=engine.first)


def _train(
    run: Run,
    method: Method,
    optimiser: Optimizer,
    *,
    material: Material,
    engine: Engine,
    state: State,
    display: Display,
) -> None:
    settings = run.settings
    total = step_budget(settings, images=len(material.train))
    if total is None:
        assert settings.minutes is not None
        progress = progress_by_clock(
            settings.minutes, spent=state.seconds, agreed=engine.first_says
        )
    else:
        progress = progress_by_steps(total)
    keep = Keeper(run, method, optimiser, material=material, state=state, display=display)
    records = train(
        method,
        _batches(material.train, settings, engine),
        engine=engine,
        optimiser=optimiser,
        lr=peak_rate(method, settings),
        progress=progress,
        warm_up=settings.warm_up,
        accumulate=settings.accumulate,
        chunk=settings.chunk,
        seed=settings.seed,
        start=state.step,
    )
    with interruptible() as pressed:
        for record in records:
            if engine.first:
                keep.record(record)
            state.step, state.finite = record.step, record.finite
            collapsed = bool(state.collapse) and settings.on_collapse == "stop"
            stop, interrupted = engine.any(collapsed, pressed.is_set())
            if interrupted:
                if engine.first:
                    keep.checkpoint()
                display.end()
                raise Interrupted(
                    f"interrupted after step {state.step}; everything is saved, "
                    "continue with the same command and --resume"
                )
            if stop:
                break
    if engine.first:
        keep.end()


def _batches(images: ImageSet, settings: Settings, engine: Engine) -> Callable[[int], torch.Tensor]:
    def batch_at(number: int) -> torch.Tensor:
        rows = batch_rows(number, images=len(images), batch=settings.batch, seed=settings.seed)
        return engine.place(images.batch(rows))

    return batch_at
