"""Measuring a planned run: a sample of its images from the disk to the optimiser's step."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from selfsight import methods
from selfsight.assemble import demand_steps, precision_used
from selfsight.budget import step_budget
from selfsight.data.images import ImageSet, Labels, open_images
from selfsight.data.scan import scan
from selfsight.data.workers import cores
from selfsight.display import Display
from selfsight.engine import Engine
from selfsight.material import held_out_share, pixel_statistics
from selfsight.memory import free_memory
from selfsight.nets.networks import begins
from selfsight.preparation import drafted, equip, settled
from selfsight.preset import chosen, within_minutes
from selfsight.settings import Settings
from selfsight.speed.beginnings import time_beginning
from selfsight.speed.bench import OTHER, Bench, Once
from selfsight.speed.steps import Steps, time_steps
from selfsight.speed.supply import supply

FOR_FILES = 0.3  # of the time; the rest is for steps


def measure_plan(
    images: str,
    *,
    settings: Settings,
    method_settings: Mapping[str, object],
    seconds: float,
    cache: Path,
    display: Display,
) -> Bench:
    """Return what a run with these settings takes here, measured for about `seconds`.

    cache: where named sets are stored.
    """
    settings, engine = equip(settings)
    kind = methods.find(settings.method)
    own = methods.parse_settings(kind, dict(method_settings))
    settings = chosen(
        settings,
        own,
        images=lambda: _trained_on(_count(images, settings, cache, display), settings),
        device=engine.device.type,
        agreed=engine.first_says,
        say=display.say,
    )
    settings = drafted(kind, own, settings=settings, engine=engine, say=display.say)
    demand_steps(settings, own)
    with _sample(
        images, settings, seconds=FOR_FILES * seconds, cache=cache, display=display
    ) as found:
        sample, whole, once = found
        count = _trained_on(whole, settings)
        mean, std = pixel_statistics(sample)
        settings, _, method = settled(
            kind,
            own,
            settings=settings,
            images=count,
            mean=mean,
            std=std,
            engine=engine,
            resume=False,
            say=display.say,
        )
        display.phase("timing steps", 0, 0)
        free = free_memory()
        begun, beginning = None, 0.0
        if begins(settings.encoder):
            begun = time_beginning(method.encoder, sample, images=count, seed=settings.seed)
            beginning = begun.pace.seconds
            settings = within_minutes(settings, spent=beginning, say=display.say)
        if settings.steps == 0:
            assert begun is not None
            steps, beginning = begun, 0.0  # it is all there is
        else:
            steps = time_steps(
                method,
                sample,
                settings=settings,
                engine=engine,
                seconds=(1 - FOR_FILES) * seconds,
            )
        files = whole
        if once is not None and held_out_share(settings.held_out) is None:
            files += _count(settings.held_out, settings, cache, display)
        store = files * math.prod(sample.pixels.shape[1:])
    display.end()
    return _bench(
        settings,
        engine,
        steps,
        beginning=beginning,
        images=count,
        files=files,
        store=store,
        free=free,
        once=once,
    )


def _trained_on(whole: int, settings: Settings) -> int:
    return max(2, round(whole * settings.data * (1 - (held_out_share(settings.held_out) or 0))))


def _count(images: str, settings: Settings, cache: Path, display: Display) -> int:
    if Path(images).exists():
        return len(scan(images, progress=display.phase).paths)
    with _sample(images, settings, seconds=0.0, cache=cache, display=display) as (_, whole, _once):
        return whole


@contextmanager
def _sample(
    images: str, settings: Settings, *, seconds: float, cache: Path, display: Display
) -> Iterator[tuple[ImageSet, int, Once | None]]:
    """Give decoded images, how many there are in all, and what decoding them all takes.

    A named set is taken as it is; of a folder, a sample is decoded into a temporary store.
    """
    if not Path(images).exists():
        named = open_images(
            images,
            size=settings.size,
            labels="none",
            cache=cache,
            download=settings.download,
            progress=display.phase,
        )
        yield named, len(named), None
        return
    found = scan(images, progress=display.phase)
    display.phase("reading and decoding a sample", 0, 0)
    with supply(found, size=settings.size, seconds=seconds) as supplied:
        names = tuple(str(row) for row in range(len(supplied.pixels)))
        labels = Labels((), np.full(len(names), -1))
        once = Once(supplied.reading, supplied.decoding, supplied.processes, supplied.file)
        yield ImageSet(supplied.pixels, names, labels, (), images), len(found.paths), once


def _bench(
    settings: Settings,
    engine: Engine,
    steps: Steps,
    *,
    beginning: float,
    images: int,
    files: int,
    store: int,
    free: int | None,
    once: Once | None,
) -> Bench:
    pace, network = steps.pace, f"{settings.encoder} at {settings.size} px"
    precision = precision_used(settings, engine.precision)
    if settings.steps == 0:
        batch = pace.images
        plan = f"{network}, no gradient steps"
        measured = f"measured on {steps.count} images"
    else:
        batch = settings.batch * settings.accumulate
        plan = f"{settings.method} with {network}, batch {batch}"
        measured = f"{steps.count} steps measured"
    planned = step_budget(settings, images=images)
    if planned is None:
        assert settings.minutes is not None
        planned = max(1, round((60 * settings.minutes - beginning) / pace.seconds))
    assert not isinstance(settings.threads, str)
    return Bench(
        plan=f"{plan}, {precision} on {engine.device}, {settings.threads} of {cores()} "
        f"cores; {measured}",
        device=engine.device.type,
        precision=precision,
        threads=settings.threads,
        cores=cores(),
        images=images,
        files=files,
        batch=batch,
        seconds=pace.seconds,
        shares={**pace.shares, OTHER: max(0.0, 1 - sum(pace.shares.values()))},
        steps=planned,
        passes=planned * batch / images,
        memory=steps.memory,
        free=free,
        store=store,
        once=once,
        beginning=beginning,
    )
