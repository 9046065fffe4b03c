"""How fast a method trains on pixels at hand: the loop of a run, for some seconds."""

import time
from dataclasses import dataclass

import torch

from selfsight.assemble import optimiser_for, peak_rate
from selfsight.data.images import ImageSet
from selfsight.data.splits import endless_rows
from selfsight.engine import Engine
from selfsight.forecast import Pace
from selfsight.loop import MEASURED, Record, train
from selfsight.memory import peak_memory
from selfsight.method import Method
from selfsight.settings import Settings

FEWEST = 3  # steps, however long they take: the first prepares things for the others


@dataclass(frozen=True, slots=True)
class Steps:
    """The pace of so many steps (or images, see `beginnings`), and the bytes of memory at most."""

    pace: Pace
    count: int
    memory: int


def time_steps(
    method: Method, pixels: ImageSet, *, settings: Settings, engine: Engine, seconds: float
) -> Steps:
    """Train for 20 steps, or for `seconds` if they are over earlier; the images may repeat."""

    def batch_at(number: int) -> torch.Tensor:
        rows = endless_rows(number, images=len(pixels), batch=settings.batch, seed=settings.seed)
        return engine.place(pixels.batch(rows))

    records: list[Record] = []
    began = time.monotonic()
    for record in train(
        method,
        batch_at,
        engine=engine,
        optimiser=optimiser_for(method, settings),
        lr=peak_rate(method, settings),
        progress=lambda step: step / 10_000,  # the beginning of a long run
        warm_up=settings.warm_up,
        accumulate=settings.accumulate,
        chunk=settings.chunk,
        seed=settings.seed,
    ):
        records.append(record)
        over = time.monotonic() - began > seconds and len(records) >= FEWEST
        if over or len(records) > MEASURED:
            break
    return Steps(Pace.of(records), len(records) - 1, peak_memory(engine.device))
