"""What a run does with a collapse: it says so once, stops if told to, and remembers over a kill."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from selfsight import fit, keeper, preparation
from selfsight.cli import main
from selfsight.diagnosis.collapse import COMPLETE, ONE, Collapse
from selfsight.display import Display
from selfsight.method import Method
from selfsight.run import Run
from selfsight.settings import Settings

QUICK = {"encoder": "convnet", "size": 12, "batch": 32, "threads": 1, "precision": "fp32"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def collapsing(monkeypatch):
    """Take its predictor away from every method that is built; draw no map, which is slow."""
    build = preparation.build_method

    def without_predictor(*given: Any, **named: Any) -> Method:
        method = build(*given, **named)
        method.predictor = type(method.predictor)()
        return method

    monkeypatch.setattr(preparation, "build_method", without_predictor)
    monkeypatch.setitem(sys.modules, "pacmap", None)


def byol(out: Path, cache: str, *, on_collapse: str) -> list[str]:
    options = QUICK | {"out": out, "cache": cache, "labels": "none", "method": "byol", "lr": 0.1}
    options |= {"steps": 40, "on-collapse": on_collapse}
    words = [f"--{name}={value}" for name, value in options.items()]
    return ["train", "digits", *words, "--set", "momentum=0", "--set", "hidden=32"]


def test_a_run_that_collapses_is_stopped_if_told_so(collapsing, cache, tmp_path, capsys) -> None:
    out = tmp_path / "run"
    assert main(byol(out, cache, on_collapse="stop")) == 0
    shown, run = capsys.readouterr(), Run.open(out)
    last = run.records("step")[-1]["step"]
    assert 20 <= last < 40
    assert f"after step {last}: complete collapse: all vectors are nearly one" in shown.err
    assert "First: raise momentum" in shown.err
    assert run.verdict.startswith("Collapsed. Complete collapse: ")
    assert run.verdict in shown.out
    said = run.verdict.removeprefix("Collapsed. ")  # the report shows the word before it as a title
    assert said in (out / "report.html").read_text("utf-8")


def test_a_run_that_collapses_goes_on_with_a_warning(collapsing, cache, tmp_path, capsys) -> None:
    out = tmp_path / "run"
    with mock.patch.object(fit, "conclude"):
        assert main(byol(out, cache, on_collapse="warn")) == 0
    assert capsys.readouterr().err.count("complete collapse") == 1
    run = Run.open(out)
    assert run.records("step")[-1]["step"] == 40
    assert "complete" in run.latest_checkpoint()["state"]["collapse"]


class Enough(Exception):
    """The run has gone far enough."""


class Listening(Display):
    """Notes what is said after steps, and cuts the run off after a share of it."""

    def __init__(self, *, until: float = 2.0) -> None:
        super().__init__(quiet=True)
        self.until, self.heard = until, []

    def say(self, line: str) -> None:
        if line.startswith("after step"):
            self.heard.append(line)

    def step(self, state: Mapping[str, Any]) -> None:
        if state["progress"] >= self.until:
            raise Enough


def train(out: Path, cache: str, display: Display, *, resume: bool = False) -> None:
    settings = Settings(
        **QUICK, steps=8, looks=8, labels="none", cache=cache, checkpoint_minutes=1e-6
    )
    fit.fit(
        "digits",
        out=out,
        settings=settings,
        method_settings={"hidden": 32},
        resume=resume,
        display=display,
    )


def showing(monkeypatch, *shown: Collapse | None) -> list[tuple[int, int]]:
    """Let each look show the next of `shown`; return the steps of it and of the one before it."""
    seen: list[tuple[int, int]] = []

    def find(look: Mapping[str, Any], before: Mapping[str, Any]) -> Collapse | None:
        seen.append((look["step"], before.get("step", 0)))
        return shown[min(len(seen), len(shown)) - 1]

    monkeypatch.setattr(keeper, "APART", 1)
    monkeypatch.setattr(keeper, "find_collapse", find)
    monkeypatch.setattr(fit, "conclude", lambda *_, **__: None)
    return seen


def test_a_collapse_is_said_once_and_so_is_its_end(monkeypatch, cache, tmp_path) -> None:
    display = Listening()
    showing(monkeypatch, None, ONE, ONE, COMPLETE, None)
    train(tmp_path / "run", cache, display)
    assert [line.split(":")[0:2] for line in display.heard] == [
        ["after step 2", " one-prototype collapse"],
        ["after step 4", " complete collapse"],
        ["after step 5", " the run has recovered"],
    ]
    assert Run.open(tmp_path / "run").latest_checkpoint()["state"]["collapse"] == ""


def test_a_resumed_run_remembers_what_was_said_and_seen(monkeypatch, cache, tmp_path) -> None:
    out, first, second = tmp_path / "run", Listening(until=0.5), Listening()
    seen = showing(monkeypatch, COMPLETE)
    with pytest.raises(Enough):
        train(out, cache, first)
    assert len(first.heard) == 1
    saved = seen.index((3, 2)) + 1  # the fourth step was cut off before its checkpoint
    del seen[saved:]
    train(out, cache, second, resume=True)
    assert second.heard == []
    assert seen == [(step, step - 1) for step in range(1, 9)]
