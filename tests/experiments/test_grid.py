"""The order of the work, failures and interruptions, with runs that are made up at once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_cells import IMAGES, made_up_run

from selfsight.display import Display
from selfsight.errors import Interrupted, UserError
from selfsight.experiments import grid
from selfsight.experiments.leaks import Leak
from selfsight.experiments.plan import Arm, Plan
from selfsight.settings import Settings

SHARED = Settings(steps=1, encoder="convnet", size=16, batch=32, cache="cache")


class Fits:
    """Stands in for `fit`: makes runs up at once, notes which, and does what it is told of some."""

    def __init__(self) -> None:
        self.made: list[tuple[str, bool]] = []
        self.troubles: dict[str, BaseException] = {}

    def __call__(self, images: str, *, out: Path, settings: Settings, resume: bool, **_: object):
        self.made.append((out.name, resume))
        if out.name in self.troubles:
            raise self.troubles.pop(out.name)
        if resume:
            for path in out.iterdir():
                path.unlink() if path.is_file() else path.rmdir()
        return made_up_run(out, settings, accuracy=0.5 + 0.01 * settings.seed)


@pytest.fixture
def fits(monkeypatch) -> Fits:
    made = Fits()
    monkeypatch.setattr(grid, "fit", made)
    monkeypatch.setattr(grid, "material_of", lambda *_, **__: None)
    monkeypatch.setattr(grid, "find_leak", lambda *_, **__: Leak(IMAGES, (), ()))
    return made


def plan(*methods: str, seeds: int = 2) -> Plan:
    arms = tuple(Arm(name, replace(SHARED, method=name), {}) for name in methods)
    return Plan("comparison", "photos", seeds, "", ("steps", 1.0), arms)


def test_runs_are_made_in_turn_and_never_twice(fits, tmp_path) -> None:
    grid.carry_out(tmp_path, plan("simclr", "byol"), display=Display(quiet=True))
    assert fits.made == [
        ("simclr-0", False),
        ("byol-0", False),
        ("simclr-1", False),
        ("byol-1", False),
    ]
    found = grid.carry_out(tmp_path, plan("simclr", "byol", "swav"), display=Display(quiet=True))
    assert fits.made[4:] == [("swav-0", False), ("swav-1", False)]
    assert found.done == len(found.cells) == 6


def test_a_failure_stops_nothing_and_is_tried_again(fits, tmp_path) -> None:
    fits.troubles = {
        "simclr-0": UserError("no such thing"),
        "byol-1": RuntimeError("out of\nmemory"),
    }
    found = grid.carry_out(tmp_path, plan("simclr", "byol"), display=Display(quiet=True))
    assert [cell.word for cell in found.cells] == ["failed", "learned", "learned", "failed"]
    assert found.cells[0].reason == "no such thing"
    assert found.cells[3].reason == "RuntimeError: out of memory"
    kept = json.loads((tmp_path / "failures.json").read_text())
    assert "Traceback" in kept["byol-1"]["traceback"]
    again = grid.carry_out(tmp_path, plan("simclr", "byol"), display=Display(quiet=True))
    assert [cell.word for cell in again.cells] == ["learned"] * 4
    assert not (tmp_path / "failures.json").exists()


def test_ctrl_c_stops_everything_and_a_begun_run_is_resumed(fits, tmp_path) -> None:
    fits.troubles = {"byol-0": Interrupted("interrupted after step 3")}
    with pytest.raises(Interrupted):
        grid.carry_out(tmp_path, plan("simclr", "byol"), display=Display(quiet=True))
    begun = tmp_path / "runs" / "byol-0"
    begun.mkdir(parents=True)
    (begun / "settings.toml").write_text('method = "byol"\nsize = 16\nimages = "photos"')
    half = tmp_path / "runs" / "simclr-1"  # killed while it was made
    half.mkdir()
    (half / "settings.toml.part").write_text("")
    assert "1 of 4 runs" in (tmp_path / "report.html").read_text()
    grid.carry_out(tmp_path, plan("simclr", "byol"), display=Display(quiet=True))
    assert fits.made[2:] == [("byol-0", True), ("simclr-1", False), ("byol-1", False)]


def test_a_full_disk_stops_everything(fits, tmp_path) -> None:
    full = UserError("cannot write: no space left")
    full.__cause__ = OSError(28, "No space left on device")
    fits.troubles = {"simclr-0": full}
    with pytest.raises(UserError, match="no space left"):
        grid.carry_out(tmp_path, plan("simclr", "byol"), display=Display(quiet=True))
    assert len(fits.made) == 1


def test_the_time_left_is_told(fits, tmp_path, monkeypatch) -> None:
    said = []
    monkeypatch.setattr(Display, "say", lambda _, line: said.append(line))
    timed = replace(plan("simclr", "byol"), budget=("minutes", 5.0))
    grid.carry_out(tmp_path, timed, display=Display(quiet=True))
    assert said[0] == "run 1 of 4: simclr, seed 0 (about 20 min left)"
    assert said[3].startswith("run 4 of 4: byol, seed 1 (about 1 min left)")
