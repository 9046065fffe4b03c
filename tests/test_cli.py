"""The command line as a user meets it: one clear line and exit code 2 for mistakes."""

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfsight import cli
from selfsight.cli import main
from selfsight.errors import Interrupted


@pytest.fixture
def run(capsys):
    def call(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def make_images(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = random.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def assert_one_line(code: int, out: str, err: str, *parts: str) -> None:
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("selfsight: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    for part in parts:
        assert part in lines[0]


def test_a_missing_folder_is_one_line(run, tmp_path) -> None:
    out = tmp_path / "run"
    result = run("train", str(tmp_path / "absent"), "--out", str(out))
    assert_one_line(*result, "absent")
    assert not out.exists()


def test_an_empty_folder_is_one_line(run, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("train", str(tmp_path / "empty"), "--out", str(tmp_path / "run"))
    assert_one_line(*result, "empty")
    assert not (tmp_path / "run").exists()


def test_one_image_is_too_few(run, tmp_path) -> None:
    folder = make_images(tmp_path / "one", 1)
    result = run("train", str(folder), "--out", str(tmp_path / "run"))
    assert_one_line(*result, "at least 3")
    assert not (tmp_path / "run").exists()


def test_only_broken_images_are_one_line(run, tmp_path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(b"no image")
    result = run("train", str(folder), "--out", str(tmp_path / "run"))
    assert_one_line(*result, "3")
    assert not (tmp_path / "run").exists()


def test_a_batch_larger_than_the_data_is_made_to_fit_and_said(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pacmap", None)
    folder = make_images(tmp_path / "few", 10)
    options = ("--encoder", "convnet", "--size", "8", "--steps", "1")
    code, _, err = run("train", str(folder), "--out", str(tmp_path / "run"), *options)
    assert code == 0
    assert "batch = 8: there are 9 training images, fewer than 256" in err


def test_an_unknown_method_is_answered_with_the_nearest(run, tmp_path) -> None:
    result = run("train", "digits", "--out", str(tmp_path / "run"), "--method", "simcrl")
    assert_one_line(*result, "did you mean 'simclr'")


def test_an_unknown_setting_of_the_method_is_answered_with_the_nearest(run, tmp_path) -> None:
    result = run("train", "digits", "--out", str(tmp_path / "run"), "--set", "temprature=1")
    assert_one_line(*result, "did you mean 'temperature'")


def test_a_setting_of_the_wrong_type_is_one_line(run, tmp_path) -> None:
    result = run("train", "digits", "--out", str(tmp_path / "run"), "--set", "temperature=hot")
    assert_one_line(*result, "temperature is 'hot'", "float")


def test_an_unknown_option_is_one_line(run, tmp_path) -> None:
    result = run("train", "digits", "--out", str(tmp_path / "run"), "--bacth", "3")
    assert_one_line(*result, "--bacth")


def test_an_unknown_encoder_is_answered_with_the_nearest(run, tmp_path) -> None:
    result = run("train", "digits", "--out", str(tmp_path / "run"), "--encoder", "resnet81")
    assert_one_line(*result, "resnet81")
    assert not (tmp_path / "run").exists()


def test_a_folder_with_another_run_is_left_alone(run, tmp_path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "settings.toml").write_text("precious = 1")
    result = run("train", "digits", "--out", str(out))
    assert_one_line(*result, "holds another run", "--resume")
    assert (out / "settings.toml").read_text() == "precious = 1"


def test_a_folder_with_other_files_is_left_alone(run, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = run("train", "digits", "--out", str(tmp_path))
    assert_one_line(*result, "other files")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_place_of_the_run_is_one_line(run, tmp_path) -> None:
    (tmp_path / "run").write_text("a file")
    assert_one_line(*run("train", "digits", "--out", str(tmp_path / "run")), "is a file")


def test_a_run_among_the_images_is_refused(run, tmp_path) -> None:
    folder = make_images(tmp_path / "images", 3)
    result = run("train", str(folder), "--out", str(folder / "run"))
    assert_one_line(*result, "lies in the image folder")
    assert len(list(folder.iterdir())) == 3


def test_resuming_what_is_no_run_is_one_line(run, tmp_path) -> None:
    result = run("train", "digits", "--out", str(tmp_path / "none"), "--resume")
    assert_one_line(*result, "holds no run to resume; start it without --resume")


def test_what_is_measured_on_must_not_be_trained_on(run, tmp_path) -> None:
    folder = make_images(tmp_path / "images" / "held", 3).parent
    for held_out in (folder, folder / "held", folder / ".." / "images"):
        options = ("--out", str(tmp_path / "run"), "--held-out", str(held_out))
        assert_one_line(*run("train", str(folder), *options), "shares images with")
    result = run("train", "digits", "--out", str(tmp_path / "run"), "--held-out", "DIGITS")
    assert_one_line(*result, "DIGITS is held out but shares images with digits")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["absent/out", "folder"])
def test_where_results_go_is_looked_at_before_the_work(run, tmp_path, place) -> None:
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "folder.json").mkdir()
    out = tmp_path / place
    no_encoder = str(tmp_path / "none")  # would be found missing next
    result = run("embed", no_encoder, "digits", "--out", f"{out}.npz")
    assert_one_line(*result, f"{out}.npz")
    words = ("evaluate", no_encoder, "--train", "digits", "--test", "digits")
    assert_one_line(*run(*words, "--json", f"{out}.json"), f"{out}.json")


def test_no_command_shows_the_help(run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for command in ("train", "evaluate", "embed", "export", "methods"):
        assert command in out


def test_every_method_is_listed_and_explained(run) -> None:
    code, out, _ = run("methods")
    assert code == 0
    assert "simclr" in out
    code, out, _ = run("methods", "simclr")
    assert code == 0
    for part in ("temperature = 0.2", "arXiv 2002.05709", "6.334", "How it fails"):
        assert part in out


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("selfsight.cards.list_lines", fail)
    with pytest.raises(ZeroDivisionError):
        main(["methods"])


@pytest.mark.parametrize(
    ("pressed", "said"),
    [
        (KeyboardInterrupt(), "selfsight: interrupted\n"),
        (Interrupted("all is saved"), "selfsight: all is saved\n"),
    ],
)
def test_ctrl_c_is_one_line(run, monkeypatch, pressed, said) -> None:
    def press() -> None:
        raise pressed

    monkeypatch.setattr("selfsight.cards.list_lines", press)
    assert run("methods") == (130, "", said)


def test_of_several_processes_the_first_does_what_one_can(run, monkeypatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert run("methods") == (0, "", "")
    monkeypatch.setenv("RANK", "0")
    assert "simclr" in run("methods")[1]


@pytest.mark.parametrize("command", ["bench", "evaluate", "compare", "study", "diagnose"])
def test_of_several_processes_none_waits_for_those_that_have_gone(
    run, monkeypatch, command
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert run(command) == (0, "", "")
    monkeypatch.setenv("RANK", "0")
    assert_one_line(*run(command), f"{command} works in one process", "without torchrun")


def test_a_place_that_is_not_writable_is_one_line(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("selfsight.places.os.access", lambda *_: False)
    assert_one_line(*run("train", "digits", "--out", str(tmp_path / "run")), "cannot write to")
    result = run("evaluate", "x", "--train", "a", "--test", "b", "--json", str(tmp_path / "j"))
    assert_one_line(*result, "is not writable")


def test_names_and_seeds_that_no_machine_takes_are_one_line(run, tmp_path) -> None:
    long, out = "x" * 300, str(tmp_path / "run")
    folder = make_images(tmp_path / "images", 3)
    assert_one_line(*run("train", str(folder), "--out", str(tmp_path / long)), "cannot use", long)
    assert_one_line(*run("train", str(tmp_path / long), "--out", out), "cannot use", long)
    cache = str(tmp_path / long / "cache")
    assert_one_line(*run("train", str(folder), "--out", out, "--cache", cache), long)
    assert_one_line(*run("train", "digits", "--out", out, "--seed", str(2**64)), "seed is 1844")
    words = ("evaluate", "none", "--train", "digits", "--test", "digits", "--seed")
    assert_one_line(*run(*words, "-1"), "seed is -1; it must be at least 0")


def test_the_overview_has_every_command_and_says_what_its_help_says(run) -> None:
    files = {path.stem for path in Path(cli.__file__).parent.glob("*.py")} - {
        "__init__",
        "app",
        "words",
    }
    assert set(cli.COMMANDS) == files
    for name, summary in cli.COMMANDS.items():
        found = cli.application(name)[name].default_command
        first = " ".join(inspect.getdoc(found).split("\n\n")[0].split())
        assert first == summary


def test_the_module_and_the_command_are_the_same() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "selfsight", "--version"], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip()
