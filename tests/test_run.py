"""The run directory survives what happens to disks and processes."""

import errno
from pathlib import Path

import pytest
import torch

from selfsight.ending import resumable
from selfsight.errors import Interrupted, UserError
from selfsight.run import Run
from selfsight.settings import Settings


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", images="x", settings=Settings(), method_settings={})


def saved(run: Run) -> list[str]:
    return sorted(path.name for path in (run.path / "checkpoints").iterdir())


def test_the_last_two_checkpoints_are_kept(run: Run) -> None:
    assert run.latest_checkpoint() is None
    for step in (5, 10, 100, 20):
        run.save_checkpoint(step, {"step": step, "weights": torch.ones(3)})
    assert saved(run) == ["step-00000020.pt", "step-00000100.pt"]
    assert run.latest_checkpoint()["step"] == 100


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(run: Run, content) -> None:
    for step in (1, 2):
        run.save_checkpoint(step, {"step": step, "weights": torch.ones(1000)})
    newest = run.path / "checkpoints" / "step-00000002.pt"
    newest.write_bytes(newest.read_bytes()[:2000] if content is None else content)
    assert run.latest_checkpoint()["step"] == 1
    (run.path / "checkpoints" / "step-00000001.pt").write_bytes(b"")
    with pytest.raises(UserError, match=r"no checkpoint in .* can be read; begin a new run"):
        run.latest_checkpoint()


def test_a_run_that_cannot_be_begun_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("selfsight.run.write_settings", full)
    with pytest.raises(UserError, match=r"cannot write to .*: No space left on device"):
        Run.create(tmp_path / "run", images="x", settings=Settings(), method_settings={})
    assert not (tmp_path / "run").exists()


def test_what_was_half_written_is_removed_and_the_way_on_is_told(run: Run) -> None:
    partial = run.path / "checkpoints" / ".part"
    for stop, error in (
        (KeyboardInterrupt(), Interrupted),
        (OSError(errno.ENOSPC, "No space left on device"), UserError),
    ):
        partial.write_bytes(b"half")
        with pytest.raises(error, match="--resume"), resumable(run):
            raise stop
        assert saved(run) == []


def test_a_fault_of_our_own_is_not_mistaken_for_a_full_disk(run: Run) -> None:
    with pytest.raises(FileNotFoundError), resumable(run):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")


def test_what_a_run_leaves_that_was_killed_at_its_very_start_is_not_in_the_way(tmp_path) -> None:
    place = tmp_path / "run"
    (place / "checkpoints").mkdir(parents=True)
    (place / "settings.toml.part").write_text("siz")
    Run.create(place, images="x", settings=Settings(), method_settings={})
    (place / "settings.toml").unlink()
    (place / "checkpoints" / "mine").touch()
    with pytest.raises(UserError, match="other files"):
        Run.create(place, images="x", settings=Settings(), method_settings={})


def test_a_mistake_found_later_loses_nothing(run: Run) -> None:
    run.append([{"kind": "step", "step": 1}])
    with pytest.raises(UserError), resumable(run):
        raise UserError("no")
    assert run.records("step")
