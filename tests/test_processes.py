"""Two processes on the halves of a batch are one process on the whole, for every method.

One pair of processes, started by torchrun, tries all cases of `two_processes.py` and writes down
what differed; the tests read that. Where a method's paper wants something else, the test says what.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from two_processes import CASES, STEPS

from selfsight import methods
from selfsight.run import Run

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
FOLDER = Path(__file__).parent

pytestmark = pytest.mark.xdist_group("processes")  # one worker: the fixture takes a minute
every_case = pytest.mark.parametrize("name", [str(case) for case in CASES])


def torchrun(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *TORCHRUN, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, Any]:
    """Return what both processes wrote: the steps of every case, `split` and `loop`."""
    folder = tmp_path_factory.mktemp("processes")
    torchrun(str(FOLDER / "two_processes.py"), str(folder))
    of_one, of_other = (json.loads((folder / f"{rank}.json").read_text()) for rank in range(2))
    return {**of_other, **of_one}


def steps_of(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    steps = found[name]
    assert isinstance(steps, list), steps  # else the message of what went wrong
    assert len(steps) == STEPS
    return steps


def assert_small(differences: dict[str, list[float]], *, most: float) -> None:
    large = {name: pair for name, pair in differences.items() if pair[0] > most}
    assert not large, f"(difference, value) by name: {large}"


def assert_same_loss(step: dict[str, Any]) -> None:
    two, one = step["loss"]
    assert abs(two - one) <= step["rounding"] * max(1, abs(one))


def assert_same_gradients(step: dict[str, Any]) -> None:
    gradients = step["gradients"]
    most = max(largest for _, largest in gradients.values())
    assert_small(gradients, most=step["rounding"] * max(1, most))
    for name, (difference, largest) in gradients.items():  # small ones too have the right factor
        assert difference < 0.01 * largest or largest < 1e-4 * most, name


def test_one_worker_has_all_of_these_tests() -> None:
    """Else the fixture that starts the two processes runs once a worker, and nobody notices."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert "@processes" in os.environ["PYTEST_CURRENT_TEST"]


def test_every_method_is_tried() -> None:
    assert {case.method for case in CASES} == set(methods.names())


@every_case
def test_the_loss_is_that_of_the_whole_batch(found, name: str) -> None:
    for step in steps_of(found, name):
        assert_same_loss(step)


@every_case
def test_the_gradients_are_those_of_the_whole_batch(found, name: str) -> None:
    for step in steps_of(found, name):
        assert_same_gradients(step)


@every_case
def test_weights_queues_centres_and_statistics_become_those_of_the_whole_batch(
    found, name: str
) -> None:
    for step in steps_of(found, name):
        for key, (difference, largest) in step["state"].items():
            assert difference <= step["rounding"] * max(1, largest), key


@every_case
def test_gradients_weights_and_buffers_are_equal_on_both_processes(found, name: str) -> None:
    for step in steps_of(found, name):
        assert not any(step["between"].values())


def test_mocos_split_batch_norm_is_that_of_one_process_with_as_many_groups(found) -> None:
    """MoCo's queries and keys must not share statistics across a split, nor across processes.

    So two processes with 2 groups each are one process with 4 groups, not with 2, whose keys are
    shuffled within the halves.
    """
    for step in steps_of(found, "split"):
        assert_same_loss(step)
        assert_same_gradients(step)
        assert_small(step["state"], most=step["rounding"])


def test_mocos_running_statistics_are_those_of_all_images_in_every_process(found) -> None:
    """Groups see only their own images, but the exported encoder must not depend on the process."""
    for step in steps_of(found, "split"):
        statistics = {name: pair for name, pair in step["state"].items() if "running_" in name}
        assert len(statistics) == 20  # mean and variance of five layers, in the slow network too
        assert_small(statistics, most=step["rounding"])
        assert not any(step["between"].values())


def test_chunks_on_two_processes_have_the_gradients_of_the_whole_batch(found) -> None:
    for step in steps_of(found, "chunks"):
        assert_same_loss(step)
        assert_same_gradients(step)
        assert_small(step["state"], most=step["rounding"])
        assert not any(step["between"].values())


@pytest.mark.parametrize("name", ["loop", "loop in chunks"])
def test_a_training_keeps_the_weights_equal_on_both_processes(found, name: str) -> None:
    loop = found[name]
    assert not any(loop["weights"].values())
    assert len(loop["losses"]) == 3
    assert all(one == other for one, other in loop["losses"])


def test_a_training_shows_each_process_its_own_images(found) -> None:
    assert found["loop"]["images"] == [16, 16, 16]  # half of the batch, accumulated twice
    assert found["loop"]["watched"] > 0


COLLAPSING = """
import sys
sys.modules["pacmap"] = None
from selfsight import keeper
from selfsight.__main__ import main
from selfsight.diagnosis.collapse import COMPLETE
keeper.APART = 1
keeper.find_collapse = lambda look, _: COMPLETE if look["step"] >= 3 else None
main()
"""


def write_noise(folder: Path) -> None:
    draws = np.random.default_rng(0)
    for number in range(60):
        path = folder / f"class{number % 2}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)


def test_torchrun_of_the_command_stops_in_all_processes_and_resumes_one_run(tmp_path) -> None:
    """Only the first process looks; the second would train on, and wait for it for ever."""
    write_noise(tmp_path / "images")
    options = {
        "out": tmp_path / "run",
        "cache": tmp_path / "cache",
        "steps": 100,  # the looks after 1 % and 3 % of them
        "on-collapse": "stop",
        "encoder": "convnet",
        "size": 16,
        "batch": 32,
        "threads": 1,
        "device": "cpu",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    done = torchrun(
        "--no-python", sys.executable, "-c", COLLAPSING, "train", str(tmp_path / "images"), *words
    )
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "images", "run"}
    run = Run.open(tmp_path / "run")
    assert [record["step"] for record in run.records("step")] == [1, 2, 3]
    assert run.evidence["verdict"]["word"] == "collapsed"
    assert done.stdout.count(run.verdict) == 1
    assert done.stderr.count("images to train on") == 1
    assert (run.path / "report.html").is_file()

    (run.path / "report.html").unlink()  # as if killed while the end was written
    torchrun(
        "--no-python", sys.executable, "-c", COLLAPSING, "train", str(tmp_path / "images"), *words,
        "--resume",
    )  # fmt: skip
    assert [record["step"] for record in run.records("step")] == [1, 2, 3]
    assert (run.path / "report.html").is_file()


FINDING = """
import sys
sys.modules["pacmap"] = None
import os
import torch
from selfsight import beginning, fit
from selfsight.__main__ import main
from selfsight.nets import patchnet
patchnet.CLUSTERS, beginning.PASSES = 40, 1
find = fit.begin
def begin(encoder, images, **more):
    find(encoder, images, **more)
    torch.save(encoder.state_dict(), os.environ["FOUND"] + os.environ.get("RANK", ""))
fit.begin = begin
main()
"""


def test_processes_find_the_encoder_that_one_finds_and_take_steps_from_there(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsight.nets.patchnet.CLUSTERS", 40)  # for loading; as in the processes
    write_noise(tmp_path / "images")
    words = ["train", str(tmp_path / "images"), f"--cache={tmp_path / 'cache'}", "--preset=laptop"]
    words += ["--steps=2", "--size=16", "--batch=32", "--labels=none", "--threads=1"]
    words += ["--device=cpu", "--precision=fp32"]
    monkeypatch.setenv("FOUND", str(tmp_path / "found"))
    torchrun("--no-python", sys.executable, "-c", FINDING, *words, f"--out={tmp_path / 'two'}")
    alone = [sys.executable, "-c", FINDING, *words, f"--out={tmp_path / 'one'}"]
    subprocess.run(alone, check=True, capture_output=True, timeout=200)
    one, *both = (torch.load(tmp_path / f"found{rank}") for rank in ("", "0", "1"))
    assert any(name.endswith("centres") for name in one)
    for found in both:
        for name, value in one.items():
            assert value.equal(found[name]), name
    run = Run.open(tmp_path / "two")
    assert [record["step"] for record in run.records("step")] == [1, 2]
    assert dict(run.encoder.named_buffers())["network.prototypes"].equal(one["network.prototypes"])
