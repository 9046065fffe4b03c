"""What an experiment is, from words: arms, budgets, and the mistakes that words can hold."""

from dataclasses import replace

import pytest

from selfsight.errors import UserError
from selfsight.experiments.checking import check_arms, continued
from selfsight.experiments.plan import (
    Arm,
    Plan,
    arm_of,
    budget_of,
    check_given,
    read_plan,
    varied,
    with_encoders,
    with_value,
    within,
    write_plan,
)
from selfsight.settings import Settings

SHARED = Settings(minutes=1.0, encoder="convnet", size=16, batch=32, threads=1)


def plan(*methods: str, seeds: int = 2, settings: Settings = SHARED) -> Plan:
    arms = tuple(arm_of(method, settings, given=[]) for method in methods)
    return Plan("comparison", "photos", seeds, "", ("minutes", 1.0), arms)


def test_seeds_are_interleaved() -> None:
    order = [(arm.name, seed) for arm, seed in plan("simclr", "byol").cells()]
    assert order == [("simclr", 0), ("byol", 0), ("simclr", 1), ("byol", 1)]


def test_a_plan_survives_its_file(tmp_path) -> None:
    arms = (
        varied(arm_of("simclr", SHARED, given=[("hidden", "64")]), name="lr", value="0.1"),
        varied(arm_of("simclr", SHARED, given=[]), name="lr", value="auto"),
    )
    whole = Plan("study", "dir/\udcff", 3, "lr", ("images", 4000.0), arms)
    write_plan(tmp_path, whole)
    assert read_plan(tmp_path) == whole
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(UserError, match=r"plan\.json cannot be read"):
        read_plan(tmp_path)
    with pytest.raises(UserError, match="holds no experiment"):
        read_plan(tmp_path / "other")


def test_a_given_setting_reaches_the_methods_that_have_it() -> None:
    given = [("temperature", "0.5"), ("byol.momentum", "0.9"), ("byol.encoder", "resnet18")]
    simclr, byol = (arm_of(method, SHARED, given=given) for method in ("simclr", "byol"))
    assert simclr.own == {"temperature": 0.5}
    assert byol.own == {"momentum": 0.9}
    assert (simclr.settings.encoder, byol.settings.encoder) == ("convnet", "resnet18")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("temprature", "1"), "did you mean 'temperature'"),
        (("moco.temperature", "1"), "'moco' is not among simclr, byol"),
        (("simclr.minutes", "10"), "minutes must be the same for all"),
        (("simclr.method", "byol"), "method must be the same for all"),
        (("byol.seed", "7"), "seed must be the same for all"),
        (("byol.data", "0.1"), "data must be the same for all"),
        (("byol.threads", "1"), "threads must be the same for all"),
    ],
)
def test_a_given_setting_that_changes_nothing_is_a_mistake(given, message) -> None:
    with pytest.raises(UserError, match=message):
        check_given([given], names=["simclr", "byol"])


@pytest.mark.parametrize("place", ["temperature", "simclr.temperature"])
def test_what_a_study_varies_cannot_be_given_beside_it(place) -> None:
    with pytest.raises(UserError, match="no effect beside --vary temperature"):
        check_given([(place, "0.9")], names=["simclr"], vary="temperature")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("batch", "64", 64), ("lr", "0.5", 0.5), ("lr", "auto", "auto"), ("data", "0.1", 0.1),
        ("threads", "2", 2), ("stem", "small", "small"), ("download", "yes", True),
        ("encoder", "resnet18", "resnet18"),
    ],
)  # fmt: skip
def test_a_field_of_the_settings_is_varied_in_its_type(name, text, value) -> None:
    arm = with_value(Arm("simclr", SHARED, {}), name, text)
    assert getattr(arm.settings, name) == value
    assert type(getattr(arm.settings, name)) is type(value)


def test_the_methods_own_setting_is_varied_and_the_arm_named_for_a_folder() -> None:
    arm = varied(Arm("simclr", SHARED, {}), name="temperature", value="0.5")
    assert (arm.own, arm.value, arm.name) == ({"temperature": 0.5}, "0.5", "simclr-temperature-0.5")
    path = varied(Arm("simclr", SHARED, {}), name="encoder", value="a/b c")
    assert path.name == "simclr-encoder-a_b_c"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("bacth", "3", "no setting 'bacth'.*did you mean 'batch'"),
        ("batch", "big", "batch is 'big'"),
        ("batch", "1", "batch is 1; it must be at least 2"),
        ("temperature", "hot", "temperature is 'hot'"),
        ("seed", "3", "seed is no part of it"),
        ("held_out", "0.3", "held_out is no part of it"),
        ("stem", "huge", "stem is 'huge'"),
    ],
)
def test_a_wrong_value_is_one_line(name, value, message) -> None:
    with pytest.raises(UserError, match=message):
        varied(Arm("simclr", SHARED, {}), name=name, value=value)


def test_one_budget_is_taken_and_images_become_steps_of_each_batch() -> None:
    assert budget_of(SHARED, images=None, vary="") == ("minutes", 1.0)
    bare = Settings(batch=32, accumulate=2)
    budget = budget_of(bare, images=1000, vary="batch")
    arms = [within(varied(Arm("simclr", bare, {}), name="batch", value=b), budget) for b in "48"]
    assert [arm.settings.steps for arm in arms] == [125, 63]
    assert budget_of(bare, images=None, vary="minutes") == ("", 0.0)
    for settings, images, vary, message in (
        (bare, None, "", "no budget is given; give --minutes"),
        (SHARED, 10, "", "minutes and images are given"),
        (SHARED, None, "minutes", "give no --minutes beside it"),
        (bare, 0, "", "images is 0"),
    ):
        with pytest.raises(UserError, match=message):
            budget_of(settings, images=images, vary=vary)


def test_arms_are_tried_before_the_first_run() -> None:
    with pytest.raises(UserError, match="at least two arms"):
        check_arms(plan("simclr"))
    with pytest.raises(UserError, match="simclr is given twice"):
        check_arms(plan("simclr", "byol", "simclr"))
    fast = replace(plan("simclr", "byol").arms[1], own={"momentum": 2.0})
    with pytest.raises(UserError, match=r"byol: momentum is 2\.0; it must be at least 0"):
        check_arms(replace(plan("simclr"), arms=(*plan("simclr").arms, fast)))


def test_arms_get_the_encoder_of_their_method_by_name() -> None:
    found = with_encoders(plan("simclr", "mae", settings=Settings(minutes=1.0)))
    check_arms(found)
    assert [arm.settings.encoder for arm in found.arms] == ["resnet18", "vit_tiny"]
    assert with_encoders(found) == found


def test_an_experiment_goes_on_as_it_was_or_grown() -> None:
    saved = plan("simclr", "byol", settings=replace(SHARED, threads=2))
    asked = plan("byol", "simclr", "vicreg", seeds=3, settings=replace(SHARED, threads="auto"))
    grown = continued(saved, asked)
    assert [arm.name for arm in grown.arms] == ["byol", "simclr", "vicreg"]
    assert {arm.settings.threads for arm in grown.arms} == {2}
    for other, message in (
        (plan("simclr", "byol", seeds=1), "begun with seeds 2, not 1"),
        (plan("simclr", "vicreg"), "begun with byol, which is missing"),
        (
            plan("simclr", "byol", settings=replace(SHARED, batch=64)),
            "begun with batch of simclr 32",
        ),
        (replace(saved, budget=("minutes", 2.0)), "begun with budget"),
    ):
        with pytest.raises(UserError, match=message):
            continued(plan("simclr", "byol"), other)
