"""What the README shows runs."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from selfsight.cli import application

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


@pytest.fixture(autouse=True)
def no_slow_map(monkeypatch):
    monkeypatch.setitem(sys.modules, "pacmap", None)


def test_the_python_example_runs(tmp_path, monkeypatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("selfsight.conclude.MOST_MEASURED", 200)  # of the 1,797 digits
    draws = np.random.default_rng(0)
    for number in range(48):
        path = Path(
            "labelled", "train" if number < 32 else "test", "ab"[number % 2], f"{number}.png"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    names = {"batch": torch.zeros(3, 3, 20, 30, dtype=torch.uint8)}
    code = code.replace("size=16)", "size=16, steps=2)")  # the example's 100 epochs take minutes
    exec(compile(code, "README.md", "exec"), names)
    assert names["features"].shape == (3, 256)
    assert np.isfinite(names["features"].numpy()).all()
    assert names["run"].verdict


def test_every_command_line_is_understood() -> None:
    lines = re.findall(r"^    selfsight (.*?)(?:#.*)?$", README, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line)
        # What it cannot understand is raised; ignored is only what a grid of runs varies itself.
        _, _, ignored = application("").parse_args(words, exit_on_error=False, print_error=False)
        assert not ignored or words[0] in ("compare", "study")


def test_the_make_targets_exist() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text("utf-8")
    for target in re.findall(r"^    make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_the_files_that_it_links_to_exist() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parents[1] / link).exists(), link
