"""The training loop: a generator of steps. Whoever holds it decides when to look, save or stop.

    for record in train(method, batch_at, optimiser, engine=engine, …):
        …

Everything random in step k is drawn from a generator seeded by (seed, k, process), so a resumed run
draws what the uninterrupted one would have drawn, and whoever looks at the network between two
steps changes nothing.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import Optimizer

from selfsight.chunks import in_chunks, views_in_chunks
from selfsight.engine import Engine
from selfsight.gather import gather, process_rank
from selfsight.method import Images, Method
from selfsight.randomness import own_randomness
from selfsight.schedule import warm_up_cosine
from selfsight.stopwatch import MODEL, READING, UPDATE, VIEWS, Stopwatch

MEASURED = 20  # first steps of which the time of every part is measured, on accelerators too


@dataclass(frozen=True, slots=True)
class Record:
    """One optimiser step, as it went.

    step counts from 1; images are those of this process; progress is the fraction trained after
    it; seconds is the time it took; spent says on what (`stopwatch.py`).
    """

    step: int
    progress: float
    loss: float
    lr: float
    images: int
    seconds: float
    logs: dict[str, float]
    watched: Tensor
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def finite(self) -> bool:
        """Whether the loss is a number; a step whose loss is not is never taken."""
        return math.isfinite(self.loss)


def train(
    method: Method,
    batch_at: Callable[[int], Images],
    *,
    engine: Engine,
    optimiser: Optimizer,
    lr: float,
    progress: Callable[[int], float],
    warm_up: float = 0.0,
    accumulate: int = 1,
    chunk: int | None = None,
    seed: int = 0,
    start: int = 0,
) -> Iterator[Record]:
    """Yield a record after each optimiser step, from step `start` until progress reaches 1.

    `batch_at(k)` returns batch number k (uint8 or float images on the engine's device): step s uses
    the batches s x accumulate and following. `progress(s)` is the fraction done before step s. With
    `chunk` the encoder's activations are those of so many views at a time (see `chunks.py`). A loss
    that is not finite ends the training: its record is yielded, its step not taken.
    """
    forward, optimiser = engine.set_up(method, optimiser)
    step, done = start, progress(start)
    while done < 1:
        began, watch = time.perf_counter(), Stopwatch(engine.device, waits=step < start + MEASURED)
        rate = lr * warm_up_cosine(done, warm_up=warm_up)
        _set_rates(optimiser, rate=rate, peak=lr)
        method.train()  # every time: the caller may have looked at the network in between
        optimiser.zero_grad()
        losses, logs, images = [], {}, 0
        with own_randomness(engine.device):
            torch.manual_seed(_seed_of(seed, step))
            for part in range(accumulate):
                batch = batch_at(step * accumulate + part)
                images += len(batch)
                watch.lap(READING)
                views = views_in_chunks(watch.counted(VIEWS, method.views), batch, chunk)
                with in_chunks(method, chunk):
                    outcome = forward(views, done)
                    engine.backward(outcome.loss / accumulate)
                losses.append(outcome.loss.detach())
                del batch, views  # or they would stay beside the next batch's
                logs = {name: float(value) for name, value in outcome.logs.items()}
                watch.lap(MODEL)
            loss = float(gather(torch.stack(losses)).mean())
            if math.isfinite(loss):
                _clip(optimiser)
                optimiser.step()
                method.after_step(done)
            watch.lap(UPDATE)
        step += 1
        reached = progress(step)  # once: a clock goes on while the holder looks
        yield Record(
            step=step,
            progress=min(1.0, reached),
            loss=loss,
            lr=rate,
            images=images,
            seconds=time.perf_counter() - began,
            logs=logs,
            watched=outcome.watched.detach().clone(),  # else all it was cut from is kept
            spent=watch.spent,
        )
        if not math.isfinite(loss):
            return
        done = reached


def _set_rates(optimiser: Optimizer, *, rate: float, peak: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = peak if group.get("fixed_rate") else rate


def _clip(optimiser: Optimizer) -> None:
    """Shorten gradients to the `clip` of their group, where there is one, each tensor by itself."""
    for group in optimiser.param_groups:
        if "clip" in group:
            for weight in group["params"]:
                torch.nn.utils.clip_grad_norm_([weight], group["clip"])


def _seed_of(seed: int, step: int) -> int:
    """Return one number for (seed, step, process), unlike its neighbours' in every bit."""
    mixed = (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9) ^ process_rank()
    mixed = (mixed ^ (mixed >> 31)) * 0x94D049BB133111EB
    return (mixed ^ (mixed >> 29)) % 2**63
