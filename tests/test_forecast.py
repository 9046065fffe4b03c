"""Before a long run it is said what it takes: time, memory, and what they are spent on."""

import pytest
import torch

from selfsight.display import Display
from selfsight.forecast import BeginningForecaster, Forecaster, Pace
from selfsight.loop import MEASURED, Record


def record(step: int, *, total: int, seconds: float = 2.0) -> Record:
    spent = {"reading": 0.1 * seconds, "views": 0.2 * seconds, "model": 0.7 * seconds}
    watched = torch.zeros(2, 2)
    return Record(step, step / total, 1.0, 0.1, 64, seconds, {}, watched, spent)


def said(forecaster: Forecaster, *, total: int, seconds: float = 2.0) -> list[str]:
    lines = [forecaster.add(record(step, total=total, seconds=seconds)) for step in range(1, 40)]
    assert not any(lines[: MEASURED - 1])
    assert not any(lines[MEASURED:])
    return [line for line in lines if line]


def test_a_run_of_steps_is_told_its_time() -> None:
    (line,) = said(Forecaster(processes=2, images=640, minutes=None), total=1820)
    assert "measured on 20 steps: about 60 min to go, 1,800 steps at 64 images/s" in line
    assert "of memory; of a step 70% model, 20% views, 10% reading" in line


def test_a_run_by_the_clock_is_told_how_far_it_will_come() -> None:
    (line,) = said(Forecaster(processes=1, images=640, minutes=10.0), total=300)
    assert "about 280 more in the 10 min, at 32 images/s: 30 passes over the images" in line


def test_nothing_is_said_of_a_short_run() -> None:
    assert said(Forecaster(processes=1, images=640, minutes=None), total=45) == []
    assert said(Forecaster(processes=1, images=640, minutes=None), total=9000, seconds=1e-3) == []


def test_the_first_step_is_left_out_of_the_pace() -> None:
    records = [record(1, total=100, seconds=50.0), *(record(n, total=100) for n in (2, 3))]
    pace = Pace.of(records)
    assert pace.seconds == 2.0
    assert list(pace.shares) == ["model", "views", "reading"]
    assert pace.shares["model"] == pytest.approx(0.7)


def heard(
    monkeypatch: pytest.MonkeyPatch,
    *,
    seconds: float,
    minutes: float | None = None,
    after: float = 0.0,
) -> list[str]:
    """Return what is said of 20 parts that take so long each, and of a phase without parts."""
    now, lines = [0.0], []
    monkeypatch.setattr("selfsight.forecast.time.monotonic", lambda: now[0])
    monkeypatch.setattr(Display, "say", lambda _, line: lines.append(line))
    hears = BeginningForecaster(Display(quiet=True), device=torch.device("cpu"), minutes=minutes)
    hears.phase("finding patches", 0, 0)
    for done in range(0, 21):
        hears.phase("looking at views", 100 * done, 2000)
        now[0] += seconds
    hears.phase("finding the layer", 0, 0)
    now[0] += after
    hears.end()
    return [line for line in lines if not line.startswith("looking")]  # those are the display's


def test_a_long_beginning_is_told_its_time_once(monkeypatch) -> None:
    told, then = heard(monkeypatch, seconds=5.0)
    assert "measured on 100 of 2,000 pairs: looking at views takes about 2 min more" in told
    assert "of memory" in told
    assert then == "finding the layer"


def test_nothing_is_said_of_a_short_beginning(monkeypatch) -> None:
    assert heard(monkeypatch, seconds=0.1) == []


def test_a_beginning_that_takes_longer_than_was_asked_for_says_so(monkeypatch) -> None:
    told, then = heard(monkeypatch, seconds=3.0, minutes=0.97)
    assert "takes about 57 s more, beyond the 0.97 min asked for; " in told
    assert then == "finding the layer"  # and it is not said again
    assert "beyond" not in " ".join(heard(monkeypatch, seconds=5.0, minutes=2.0))
    *_, last = heard(monkeypatch, seconds=5.0, minutes=2.0, after=60.0)
    assert last.startswith("finding the encoder took 3 min, beyond the 2 min asked for")
