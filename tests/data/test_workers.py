"""A file that crashes or holds up its process is the only one lost."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from selfsight.data import workers
from selfsight.data.images import open_images

HARMFUL = """
import os, signal, time
from selfsight.data import worker

harmless = worker.decode

def decode(path, *, side):
    if "segfault" in path:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "exit" in path:
        os._exit(3)
    if "endless" in path:
        while True:
            time.sleep(1)
    return harmless(path, side=side)

worker.decode = decode
main = worker.main
"""


def test_only_the_harmful_files_are_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "harmful_worker.py").write_text(HARMFUL)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(workers, "MODULE", "harmful_worker")
    monkeypatch.setattr(workers, "PATIENCE", 1.0)
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(70):
        kind = {10: "segfault", 11: "segfault", 30: "exit", 69: "endless"}.get(number, "good")
        Image.new("L", (8, 8), number).save(folder / f"{number:02}-{kind}.png")
    images = open_images(str(folder), size=8, cache=tmp_path / "cache")
    assert images.skipped == (
        ("10-segfault.png", "crashed the decoder (SIGSEGV)"),
        ("11-segfault.png", "crashed the decoder (SIGSEGV)"),
        ("30-exit.png", "crashed the decoder (exit code 3)"),
        ("69-endless.png", "took longer than 1 s to read"),
    )
    good = [number for number in range(70) if number not in {10, 11, 30, 69}]
    assert images.pixels[:, 0, 0, 0].tolist() == good


def test_processes_that_cannot_start_are_a_fault_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MODULE", "no_such_module")
    (tmp_path / "images").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "images/a.png")
    with pytest.raises(workers.WorkerError, match="No module named 'no_such_module'"):
        open_images(str(tmp_path / "images"), size=8, cache=tmp_path / "cache")


def test_workers_import_nothing_heavy() -> None:
    heavy = "{'torch', 'torchvision', 'timm', 'sklearn', 'scipy'}"
    program = f"import selfsight.data.worker; print({heavy} & set(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == "set()"
