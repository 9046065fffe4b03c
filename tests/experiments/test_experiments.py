"""Real comparisons and studies, from the command line's words to the page."""

import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import selfsight
from selfsight.cli import main
from selfsight.errors import Interrupted, UserError
from selfsight.keeper import Keeper
from selfsight.run import Run

QUICK = selfsight.Settings(
    encoder="convnet", size=16, batch=16, steps=3, threads=1, precision="fp32", looks=2
)


@pytest.fixture(autouse=True, scope="module")
def no_slow_map():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pacmap", None)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return 60 images of two classes, dark and light."""
    root = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 170)):
        (root / name).mkdir()
        for number in range(30):
            pixels = random.normal(level, 40, (16, 16, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def compared(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "compared"
    return selfsight.compare(
        folder, methods=["simclr", "rotation"], out=out, settings=QUICK, seeds=1, quiet=True
    )


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "encoder.safetensors")


def test_every_run_is_an_ordinary_run_on_the_same_images(compared, folder) -> None:
    made = [Run.open(compared.path / "runs" / name) for name in ("simclr-0", "rotation-0")]
    assert {run.images for run in made} == {str(folder)}
    assert [run.settings.method for run in made] == ["simclr", "rotation"]
    assert all((run.path / "report.html").is_file() for run in made)
    words = [run.evidence["verdict"]["word"] for run in made]
    assert [cell.word for cell in compared.cells] == words
    assert compared.arms[0].images == 3 * 16
    assert (compared.path.parent / ".selfsight-cache").is_dir()


def test_runs_of_a_seed_are_measured_on_the_same_images(compared) -> None:
    one, other = (
        [row["linear"] for row in Run.open(compared.path / "runs" / name).evidence["rows"]][2]
        for name in ("simclr-0", "rotation-0")
    )
    assert one == other  # raw pixels


def test_a_stopped_comparison_goes_on_within_the_run_and_ends_the_same(
    compared, folder, tmp_path, monkeypatch
) -> None:
    out = tmp_path / "stopped"
    words = {"methods": ["simclr", "rotation"], "out": out, "settings": QUICK, "quiet": True}
    record, seen = Keeper.record, []

    def interrupting(self: Keeper, made) -> None:
        record(self, made)
        seen.append(made.step)
        if len(seen) == 5:  # the second step of the second run
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "record", interrupting)
        with pytest.raises(Interrupted):
            selfsight.compare(folder, seeds=1, **words)
        assert [path.name for path in (out / "runs" / "rotation-0" / "checkpoints").iterdir()]
        assert not (out / "runs" / "rotation-0" / "report.html").exists()
        with pytest.raises(UserError, match="holds another experiment"):
            selfsight.compare(folder, seeds=1, **words)
        extra = folder / "dark" / "new.png"
        shutil.copy(folder / "dark" / "0.png", extra)
        try:
            with pytest.raises(UserError, match="have changed since the experiment was begun"):
                selfsight.compare(folder, seeds=1, resume=True, **words)
        finally:
            extra.unlink()
        selfsight.compare(folder, seeds=1, resume=True, **words)
    assert seen == [1, 2, 3, 1, 2, 3]  # nothing was done twice
    one, other = (weights(path / "runs" / "rotation-0") for path in (out, compared.path))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_study_of_the_share_of_images_keeps_labels_and_held_out_images(
    folder, tmp_path, capsys
) -> None:
    code = main(
        ["study", str(folder), "--method", "simclr", "--vary", "data=0.4,1", "--seeds", "1",
         "--images", "48", "--out", str(tmp_path / "s"), "--encoder", "convnet", "--size", "16",
         "--batch", "16", "--threads", "1", "--set", "hidden=64"]
    )  # fmt: skip
    out = capsys.readouterr().out
    assert code == 0
    assert "48 training images shown to each" in out
    assert "One seed cannot say" in out
    few, all_ = (Run.open(tmp_path / "s" / "runs" / f"simclr-data-{v}-0") for v in ("0.4", "1"))
    assert (few.evidence["images"], all_.evidence["images"]) == (
        {"train": 22, "held_out": 6},
        {"train": 54, "held_out": 6},
    )
    assert few.evidence["train_images"] == all_.evidence["train_images"] == 54
    pixels = [run.evidence["rows"][2]["linear"]["correct"] for run in (few, all_)]
    assert pixels[0] == pixels[1]
    assert few.method_settings["hidden"] == 64


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "simclr,simcrl", "--minutes", "1"], "did you mean 'simclr'"),
        (["--methods", "simclr,byol"], "no budget is given"),
        (["--methods", "simclr,,byol", "--minutes", "1"], "empty word"),
        (["--methods", "simclr,byol", "--minutes", "1", "--seeds", "0"], "seeds is 0"),
        (["--methods", "simclr,byol", "--minutes", "1", "--method", "moco"], "--method"),
        (["--methods", "simclr,byol", "--minutes", "1", "--labels", "none"], "have no labels"),
        (
            ["--methods", "simclr,byol", "--minutes", "1", "--batch", "64"],
            "give --batch 32 or less",
        ),
        (["--methods", "simclr,byol", "--minutes", "1", "--resume"], "holds no experiment"),
        (["--methods", "simclr,byol", "--minutes", "1", "--set", "x"], "NAME=VALUE"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(words, message, folder, tmp_path, capsys) -> None:
    out = tmp_path / "c"
    quick = ["--encoder", "convnet", "--size", "16", "--out", str(out)]
    assert main(["compare", str(folder), *words, *quick]) == 2
    err = [line for line in capsys.readouterr().err.splitlines() if line.startswith("selfsight: ")]
    assert len(err) == 1
    assert message in err[0]
    assert not out.exists()


def test_a_study_without_values_is_one_line(folder, tmp_path, capsys) -> None:
    words = ["--method", "simclr", "--minutes", "1", "--out", str(tmp_path / "s")]
    for vary, message in (("batch", "NAME=VALUE"), ("batch=8", "give two values")):
        assert main(["study", str(folder), "--vary", vary, *words]) == 2
        assert message in capsys.readouterr().err
