"""Settings that follow batch, data and image size, aloud; and those that cannot work, refused."""

from math import log

import pytest
from given import small

from selfsight import methods
from selfsight.assemble import demand_rate, rate_lines, suited
from selfsight.errors import UserError
from selfsight.method import Situation
from selfsight.settings import Settings

USUAL = Situation(images=50_000, batch=256, image_size=32)
SITUATIONS = [
    Situation(images=100, batch=64, image_size=32),
    Situation(images=1000, batch=16, image_size=64),
    Situation(images=3000, batch=500, image_size=96),
    Situation(images=1_000_000, batch=1024, image_size=224),
]
adjusting = pytest.mark.parametrize("name", ["byol", "dino", "moco", "moco_v3", "nnclr", "swav"])


@pytest.mark.parametrize("name", methods.names())
def test_defaults_are_made_for_batches_of_256_small_images(name: str) -> None:
    assert methods.find(name).suited(USUAL) == []


@pytest.mark.parametrize("name", methods.names())
def test_an_adjustment_changes_a_setting_and_says_why(name: str) -> None:
    kind = methods.find(name)
    known = methods.settings_of(kind)
    for situation in SITUATIONS:
        for adjustment in kind.suited(situation):
            assert adjustment.value != known[adjustment.setting].default
            assert isinstance(adjustment.value, known[adjustment.setting].kind)
            assert any(character.isdigit() for character in adjustment.reason)


@adjusting
@pytest.mark.parametrize("situation", SITUATIONS[:2])
def test_adjusted_settings_fit(name: str, situation: Situation) -> None:
    kind = methods.find(name)
    changed = {found.setting: found.value for found in kind.suited(situation)}
    assert changed
    small(name, **changed).demand_fit(situation)


def test_adjustments_are_said_and_the_users_own_settings_are_left() -> None:
    said: list[str] = []
    chosen = suited(
        methods.find("moco"),
        {"momentum": 0.5},
        settings=Settings(method="moco", batch=64),
        images=1000,
        say=said.append,
    )
    assert chosen == {"momentum": 0.5, "queue": 448}
    (line,) = said
    assert line == "queue = 448: 4,096 vectors would be more than half of the 1,000 images"


@pytest.mark.parametrize("name", ["moco", "nnclr", "swav"])
def test_a_queue_longer_than_the_data_is_refused_in_one_line(name: str) -> None:
    method = small(name, queue=64)
    method.demand_fit(Situation(images=64, batch=16, image_size=16))
    with pytest.raises(UserError, match="queue is 64; it must be at most 63, the tr") as refused:
        method.demand_fit(Situation(images=63, batch=16, image_size=16))
    assert "\n" not in str(refused.value)


def test_groups_of_batch_norm_that_do_not_cut_the_batch_are_refused_before_training() -> None:
    method = small("moco", splits=5, queue=64)
    method.demand_fit(Situation(images=64, batch=20, image_size=16))
    with pytest.raises(UserError, match="splits is 5; it must cut the 32 images") as refused:
        method.demand_fit(Situation(images=64, batch=32, image_size=16))
    assert "\n" not in str(refused.value)


def test_prototypes_far_beyond_what_is_assigned_at_once_are_refused_in_one_line() -> None:
    situation = Situation(images=5000, batch=64, image_size=16)
    small("swav", prototypes=300, queue=64).demand_fit(situation)
    few = small("swav", prototypes=300, queue=0)
    with pytest.raises(UserError, match="prototypes is 300; it must be at most 256") as refused:
        few.demand_fit(situation)
    assert "\n" not in str(refused.value)


def test_fewer_images_get_fewer_classes_to_sort_into() -> None:
    few = Situation(images=400, batch=256, image_size=32)
    for name, setting in (("swav", "prototypes"), ("dino", "outputs")):
        changed = {found.setting: found.value for found in methods.find(name).suited(few)}
        assert changed[setting] == 64


def test_small_batches_get_fewer_prototypes() -> None:
    for batch, expected in ((64, None), (32, 128), (16, 64)):
        situation = Situation(images=50_000, batch=batch, image_size=32)
        changed = {found.setting: found.value for found in methods.find("swav").suited(situation)}
        assert changed.get("prototypes") == expected


def test_a_teachers_memory_is_as_long_in_images_whatever_the_batch() -> None:
    memories = []
    for batch in (32, 64, 128):
        situation = Situation(images=50_000, batch=batch, image_size=32)
        (found,) = methods.find("byol").suited(situation)
        memories.append(batch / -log(float(found.value)))
    assert memories == pytest.approx([256 / -log(0.99)] * 3, rel=1e-3)


def test_a_teachers_momentum_looks_at_the_whole_step() -> None:
    for accumulate, expected in ((1, [0.997491]), (2, [0.994987]), (4, [])):
        said: list[str] = []
        settings = Settings(method="byol", batch=64, accumulate=accumulate)
        suited(methods.find("byol"), {}, settings=settings, images=50_000, say=said.append)
        assert [float(line.split()[2].rstrip(":")) for line in said] == expected


def test_a_queue_of_one_batch_says_that_it_is_no_shorter() -> None:
    few = Situation(images=300, batch=256, image_size=32)
    (queue,) = (found for found in methods.find("nnclr").suited(few) if found.setting == "queue")
    assert queue.value == 256
    assert queue.reason.endswith(
        "more than half of the 300 images; no queue is shorter than a batch"
    )


@pytest.mark.parametrize("name", ["simclr", "nnclr", "swav"])
def test_large_images_get_the_colours_of_the_papers_large_images(name: str) -> None:
    for size, colours in ((64, []), (96, [1.0])):
        found = methods.find(name).suited(Situation(images=50_000, batch=256, image_size=size))
        assert [change.value for change in found if change.setting == "colour"] == colours


def test_large_tiles_get_a_larger_shift_of_their_channels() -> None:
    (found,) = methods.find("jigsaw").suited(Situation(images=9000, batch=256, image_size=224))
    assert (found.setting, found.value) == ("shift", 2)


@pytest.mark.parametrize(
    ("name", "settings", "lines"),
    [
        ("simclr", {"batch": 256}, []),
        ("simclr", {"batch": 64, "lr": 0.1}, []),
        (
            "simclr",
            {"batch": 64},
            ["lr = 0.0005: 0.001 at batch 256, times the square root of 64 / 256"],
        ),
        (
            "byol",
            {"batch": 64, "accumulate": 8},
            ["lr = 0.2: 0.1 at batch 256, times 512 / 256"],
        ),
    ],
)
def test_a_scaled_rate_is_said_with_its_reason(name, settings, lines) -> None:
    assert rate_lines(small(name), Settings(method=name, **settings)) == lines


def test_another_optimiser_needs_a_rate_of_its_own() -> None:
    kind = methods.find("simclr")
    for fine in ({}, {"optimiser": "adamw"}, {"optimiser": "lars", "lr": 0.3}):
        demand_rate(kind, Settings(**fine))
    with pytest.raises(UserError, match="made for adamw; give --lr with --optimiser lars"):
        demand_rate(kind, Settings(optimiser="lars"))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_setting_that_is_no_finite_number_is_refused(value: str) -> None:
    with pytest.raises(UserError, match=f"invariance is {value}; it must be a finite number"):
        methods.parse_settings(methods.find("vicreg"), {"invariance": value})
