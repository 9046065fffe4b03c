"""Collapses: broken methods are named early and for the right reason, healthy ones never."""

import math
import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from breaking import BROKEN, Break, broken
from PIL import Image

from selfsight import fit, methods
from selfsight.data.images import ImageSet, Labels
from selfsight.diagnosis.collapse import (
    ALIKE,
    BLIND,
    CLUSTER,
    COMPLETE,
    DIMENSIONAL,
    ONE,
    SAME,
    SAME_TARGETS,
    Collapse,
    find_collapse,
)
from selfsight.display import Display
from selfsight.look import looker
from selfsight.loop import Record
from selfsight.material import Material
from selfsight.nets.encoder import build_encoder
from selfsight.nets.prototypes import assignment_logs
from selfsight.settings import Settings

MODES = {"one-prototype", "cluster", "uniform", "complete", "dimensional"}


def look(**changes: Any) -> dict[str, Any]:
    """Return the look at a healthy contrastive run after 500 steps, with changes."""
    healthy = {
        "step": 500,
        "progress": 0.1,
        "loss": 5.0,
        "loss_watched": 5.2,
        "knows_nothing": 6.0,
        "perfect": 0.0,
        "collapsed": 5.9,
        "collapsed_in_training": 5.9,
        "vectors_tell": True,
        "spread": 0.07,
        "spread_ideal": 0.1,
        "effective_rank": 12.0,
        "mean_cosine": 0.5,
        "scale": None,
        "assignment_entropy": None,
        "mean_assignment_entropy": None,
        "sure_assignment_entropy": 1.0,
    }
    assert changes.keys() <= healthy.keys()
    return healthy | changes


def assigned(mean: float, each: float, **changes: Any) -> dict[str, Any]:
    return look(mean_assignment_entropy=mean, assignment_entropy=each, **changes)


STUCK = {"loss": 5.9, "loss_watched": 5.9}
HOVERING = {"loss": 5.89, "loss_watched": 5.905}

# what is wrong, what is said of it, and the nearest that nothing is said of
SIGNS: list[tuple[dict[str, Any], Collapse, dict[str, Any]]] = [
    (look(spread=0.0149), COMPLETE, look(spread=0.0151)),
    (look(scale=0.099), COMPLETE, look(scale=0.101)),
    (look(effective_rank=1.49), DIMENSIONAL, look(effective_rank=1.51)),
    (look(**HOVERING), BLIND, look(loss=5.88, loss_watched=5.9)),
    (look(**HOVERING), BLIND, look(loss=5.9, loss_watched=5.88)),
    (look(**STUCK), SAME_TARGETS, look(**STUCK, collapsed=None, collapsed_in_training=None)),
    (assigned(0.19, 0.1), ONE, assigned(0.51, 0.1)),
    (assigned(0.49, 0.3), CLUSTER, assigned(0.51, 0.3)),
    (assigned(0.99, 0.988), ALIKE, assigned(0.99, 0.986)),
    (assigned(0.8, 0.798), SAME, assigned(0.8, 0.796)),
]
every_sign = pytest.mark.parametrize(("wrong", "said", "right"), SIGNS)


def test_a_healthy_look_is_silent() -> None:
    assert find_collapse(look(), look()) is None
    assert find_collapse(assigned(0.98, 0.7), assigned(0.98, 0.7)) is None
    assert find_collapse(look(), {}) is None


@every_sign
def test_every_collapse_has_its_name_and_its_boundary(wrong, said, right) -> None:
    assert find_collapse(wrong, wrong) == said
    assert find_collapse(right, right) is None


@every_sign
def test_a_recovered_run_is_silent(wrong, said, right) -> None:
    assert find_collapse(look(), wrong) is None
    assert find_collapse(right, wrong) is None


@every_sign
def test_nothing_is_said_before_a_network_has_settled(wrong, said, right) -> None:
    assert find_collapse(wrong | {"step": 19}, wrong | {"step": 10}) is None
    assert find_collapse(wrong | {"step": 21}, wrong | {"step": 20}) == said


@pytest.mark.parametrize(
    "name", ["spread", "effective_rank", "mean_cosine", "loss", "loss_watched", "scale"]
)
def test_a_number_that_is_none_shows_nothing(name: str) -> None:
    assert find_collapse(look(**{name: math.nan}), look(**{name: math.nan})) is None
    gone = look(spread=math.nan, effective_rank=math.nan, loss_watched=math.nan)
    assert find_collapse(gone, gone) is None


@pytest.mark.parametrize(("images", "prototypes"), [(128, 65536), (64, 4096), (64, 3000)])
def test_few_images_cannot_use_many_prototypes(images: int, prototypes: int) -> None:
    """Each sure of one of its own: as many are used as can be, though few of all."""
    alone = torch.eye(images, prototypes)
    one = torch.eye(1, prototypes).expand(images, prototypes)
    for shares, expected in ((alone, None), (one.lerp(alone, 0.01), ONE)):
        logs = assignment_logs(shares)
        assert (
            find_collapse(look(**{name: log.item() for name, log in logs.items()}), {}) == expected
        )


def test_assignments_that_are_no_numbers_show_nothing() -> None:
    gone = assigned(math.nan, math.nan)
    assert find_collapse(gone, gone) is None


def test_a_loss_that_only_passes_its_constant_is_no_collapse() -> None:
    assert find_collapse(look(**HOVERING), look()) is None
    assert find_collapse(look(**HOVERING), {}) is None
    assert find_collapse(look(**HOVERING), look(**HOVERING, step=10)) is None


def test_a_loss_at_its_constant_is_not_called_narrow_before_it_is_called_stuck() -> None:
    narrow = look(**HOVERING, effective_rank=1.2)
    assert find_collapse(narrow, look()) is None
    assert find_collapse(narrow, narrow) == BLIND


def test_a_perfect_loss_is_not_a_stuck_one_where_equal_outputs_would_be_perfect_too() -> None:
    solved = {"collapsed": -1.0, "collapsed_in_training": -1.0, "perfect": -1.0}
    solved |= {"knows_nothing": 0.0, "loss": -1.0, "loss_watched": -1.0}
    assert find_collapse(look(**solved), look(**solved)) is None
    assert find_collapse(look(**solved, spread=0.001), look(**solved)) == COMPLETE


def test_narrow_vectors_are_no_fault_where_the_loss_tells() -> None:
    """Four rotations need three directions, and what a class token says nobody asked for."""
    narrow = look(vectors_tell=False, spread=0.001, effective_rank=1.0)
    assert find_collapse(narrow, narrow) is None
    assert find_collapse(narrow | HOVERING, narrow | HOVERING) == BLIND


def test_a_task_with_targets_of_its_own_is_given_time_to_leave_its_constant() -> None:
    """Half of a puzzle's first hundred steps may pass within a thousandth of ln K."""
    early, late = look(**HOVERING, step=99), look(**HOVERING, step=120)
    assert find_collapse(late, early) == BLIND
    task = {"vectors_tell": False}
    assert find_collapse(early | task, early | task) is None
    assert find_collapse(late | task, early | task) is None
    assert find_collapse(late | task, look(**HOVERING, step=100) | task) == BLIND


def test_narrow_vectors_are_no_fault_where_assignments_tell_them_apart() -> None:
    narrow = assigned(0.98, 0.9, spread=0.001, effective_rank=1.0, **STUCK)
    assert find_collapse(narrow, narrow) is None


def test_every_collapse_names_a_cause_and_what_to_change_first() -> None:
    for _, said, _ in SIGNS:
        assert said.mode in MODES
        assert str(said) == f"{said.mode} collapse: {said.cause}. First: {said.remedy}"


@pytest.mark.parametrize("name", methods.names())
def test_remedies_are_for_modes_that_there_are_and_name_settings_that_the_method_has(name) -> None:
    kind = methods.find(name)
    assert kind.remedies.keys() <= MODES
    for remedy in kind.remedies.values():
        for setting in re.findall(r"\w+_\w+", remedy):
            assert setting in methods.settings_of(kind)


def test_a_methods_own_remedy_comes_before_the_general_one() -> None:
    treated = ALIKE.treated(methods.find("dino").remedies)
    assert treated.cause == ALIKE.cause
    assert "teacher_temperature" in treated.remedy
    assert BLIND.treated(methods.find("moco").remedies) == BLIND


# --- Looks


def image_set(count: int) -> ImageSet:
    generator = np.random.default_rng(count)
    pixels = generator.integers(0, 256, (count, 3, 12, 12), dtype=np.uint8)
    labels = Labels((), np.full(count, -1))
    return ImageSet(pixels, tuple(map(str, range(count))), labels, (), "made up")


@pytest.mark.parametrize("held_out", [1, 37, 70, 200])
@pytest.mark.parametrize(
    ("batch", "splits"), [(256, 4), (300, 4), (100, 4), (68, 4), (96, 3), (48, 24), (255, 5)]
)
def test_any_number_of_held_out_images_can_be_looked_at(held_out, batch, splits) -> None:
    """A batch norm in groups wants a number that they divide."""
    grey = {"mean": (0.5,) * 3, "std": (0.2,) * 3}
    material = Material(image_set(300), image_set(300), image_set(held_out), **grey, skipped=())
    method = methods.find("moco")(
        build_encoder("convnet", image_size=12, **grey), splits=splits, queue=16, hidden=8
    )
    record = Record(30, 0.1, 1.0, 0.0, batch, 0.0, {}, torch.zeros(2, 2))
    found = looker(material, batch=batch, groups=method.groups, seed=0)(method, record, 1.0, False)
    assert math.isfinite(found["spread"])


def test_the_images_looked_at_are_held_out_if_there_are_enough() -> None:
    """Images that are all black are told from others by their vectors, which are equal."""
    black = image_set(64)
    black.pixels[:] = 0
    grey = {"mean": (0.5,) * 3, "std": (0.2,) * 3}
    method = methods.find("autoencoder")(build_encoder("convnet", image_size=12, **grey))
    record = Record(30, 0.1, 1.0, 0.0, 128, 0.0, {}, torch.zeros(2, 2))
    for images, few in ((black, False), (black.part(np.arange(8)), True)):
        material = Material(image_set(200), image_set(200), images, **grey, skipped=())
        spread = looker(material, batch=128, groups=1, seed=0)(method, record, 1.0, False)["spread"]
        assert (spread > 1e-3) == few


# --- Runs


@dataclass(frozen=True)
class Training:
    """A run that takes seconds: narrow heads, few small images, and a rate to match."""

    own: Mapping[str, object] = field(default_factory=dict)
    lr: float = 4e-3
    batch: int = 32
    steps: int = 400
    size: int = 12
    images: str = "digits"
    watched: float = 0.1  # of the run, before it is cut off


TASK = Training(lr=1e-3, batch=16, steps=240, images="clouds")
NARROW: dict[str, object] = {"hidden": 64, "projection": 32}
TRAININGS = {
    "barlow_twins": Training(  # as much weight on the redundancy as 1024 dimensions give it
        {"projection": 256, "off_diagonal": 0.02}, batch=64
    ),
    "byol": Training(NARROW, lr=0.03),
    "dino": Training({**NARROW, "outputs": 64, "momentum": 0.97, "local_crops": 1}),
    "emp_ssl": Training({**NARROW, "patches": 4}, lr=1e-3, batch=16, steps=240),
    "jigsaw": Training({"hidden": 64, "shuffles": 1}, 1e-3, 16, 240, 24, "clouds"),
    "moco": Training({**NARROW, "queue": 128}, lr=1e-3),
    "moco_v3": Training(NARROW, lr=1e-3, batch=16, steps=240),
    "nnclr": Training({**NARROW, "predicting": 64, "queue": 128}, 1e-3, 16, 240),
    "relative_patch": Training({"hidden": 64, "pairs": 1}, 1e-3, 16, 240, 24, "clouds"),
    "simclr": Training(NARROW),
    "simsiam": Training({"projection": 64, "bottleneck": 16}, lr=6e-3, steps=600),
    "swav": Training({**NARROW, "prototypes": 64, "queue": 128, "small_views": 0}),
    "vicreg": Training({"projection": 64}),
}


class Enough(Exception):
    """The run has shown what it had to."""


class Listening(Display):
    """Notes what is said of collapses, and cuts the run off."""

    def __init__(self, *, until: float, mode: str = "") -> None:
        super().__init__(quiet=True)
        self.until, self.mode, self.heard = until, mode, []

    def say(self, line: str) -> None:
        if line.startswith("after step"):
            self.heard.append(line)

    def step(self, state: Mapping[str, Any]) -> None:
        named = self.mode and any(f": {self.mode} collapse" in line for line in self.heard)
        if named or state["progress"] >= self.until:
            raise Enough


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, Path]:
    """Return a folder of coloured clouds, and a place for decoded images."""
    root = tmp_path_factory.mktemp("places")
    clouds = root / "clouds"
    clouds.mkdir()
    coarse = torch.rand(96, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(coarse, (24, 24), mode="bicubic").clamp(0, 1)
    for number, image in enumerate(smooth.mul(255).byte().permute(0, 2, 3, 1).numpy()):
        Image.fromarray(image).save(clouds / f"{number}.png")
    return {"clouds": clouds, "cache": root / "cache"}


def begin(
    name: str, display: Display, *, out: Path, places: Mapping[str, Path], how: Break | None = None
) -> None:
    training = TRAININGS.get(name, TASK)
    settings = Settings(
        method=name,
        encoder=methods.find(name).smallest_encoder,
        size=training.size,
        batch=training.batch,
        steps=training.steps,
        lr=training.lr,
        labels="none",
        threads=1,
        precision="fp32",
        cache=str(places["cache"]),
    )
    with broken(how) if how else nullcontext(), pytest.raises(Enough):
        fit.fit(
            str(places.get(training.images, training.images)),
            out=out,
            settings=settings,
            method_settings={**training.own, **(how.settings if how else {})},
            resume=False,
            display=display,
        )


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_method_is_named_within_the_first_tenth(what, places, tmp_path) -> None:
    how = BROKEN[what]
    display = Listening(until=0.1, mode=how.mode)
    begin(how.method, display, out=tmp_path / "run", places=places, how=how)
    assert display.heard, "silence"
    for line in display.heard[:-1]:  # few prototypes, on the way to one
        assert how.mode == "one-prototype" and ": cluster collapse" in line
    said = re.fullmatch(r"after step \d+: (\S+) collapse: (.+)\. First: (.+)", display.heard[-1])
    assert said is not None, display.heard
    mode, cause, remedy = said.groups()
    assert mode == how.mode
    assert len(cause.split()) > 5
    assert how.first in remedy


@pytest.mark.parametrize("name", methods.names())
def test_a_healthy_method_is_never_called_collapsed(name, places, tmp_path) -> None:
    display = Listening(until=TRAININGS.get(name, TASK).watched)
    begin(name, display, out=tmp_path / "run", places=places)
    assert display.heard == []
