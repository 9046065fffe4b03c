"""Every second of a step is counted once, for what it was spent on."""

from itertools import islice

import pytest
import torch

from selfsight import methods
from selfsight.engine import Engine
from selfsight.loop import train
from selfsight.nets.encoder import build_encoder
from selfsight.optim import build_optimiser
from selfsight.stopwatch import MODEL, VIEWS, Stopwatch


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> float:
        self.now += seconds
        return seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("selfsight.stopwatch.time.perf_counter", made)
    return made


def test_a_counted_call_is_not_in_the_lap_around_it(clock: Clock) -> None:
    watch = Stopwatch(torch.device("cpu"), waits=True)
    draw = watch.counted(VIEWS, clock.work)
    clock.work(1)
    assert draw(10) == 10
    clock.work(2)
    assert draw(seconds=20) == 20
    watch.lap(MODEL)
    clock.work(5)
    watch.lap(MODEL)
    assert watch.spent == {VIEWS: 30, MODEL: 8}


@pytest.mark.parametrize("chunk", [None, 4])
def test_views_are_told_apart_from_the_model_that_asks_for_them(
    clock: Clock, chunk: int | None
) -> None:
    encoder = build_encoder("convnet", image_size=8, mean=[0.5] * 3, std=[0.25] * 3)
    method = methods.find("simclr")(encoder, hidden=8, projection=8)
    draw = method.views

    def slow(images: torch.Tensor) -> list[torch.Tensor]:
        clock.work(100)
        return draw(images)

    method.views = slow
    encoder.network.register_forward_hook(lambda *_: clock.work(1) and None)
    records = train(
        method,
        lambda _: torch.zeros(8, 3, 8, 8, dtype=torch.uint8),
        engine=Engine(device="cpu", precision="fp32"),
        optimiser=build_optimiser("sgd", method.param_groups(), weight_decay=0.0),
        lr=0.1,
        progress=lambda step: step / 1,
        chunk=chunk,
    )
    (record,) = islice(records, 1)
    passes = 1 if chunk is None else 2  # each of which draws the chunks anew
    chunks = 1 if chunk is None else 2
    assert record.spent[VIEWS] == 100 * passes * chunks
    assert record.spent[MODEL] == passes * 16 / (chunk or 16)
