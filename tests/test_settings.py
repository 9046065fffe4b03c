import inspect
from dataclasses import fields

import pytest

from selfsight.commands.training import train
from selfsight.errors import UserError
from selfsight.settings import Settings, read_settings, settings_from, write_settings


def test_the_python_function_has_the_settings_as_arguments_with_the_same_defaults() -> None:
    arguments = inspect.signature(train).parameters
    for field in fields(Settings):
        assert arguments[field.name].default == field.default, field.name


def test_settings_survive_a_file(tmp_path) -> None:
    settings = Settings(method="rotation", steps=7, lr=0.25, held_out="x\n\udcff")
    path = tmp_path / "settings.toml"
    write_settings(path, settings, images="dir/a\udcff", method_settings={"crop": 0.5})
    assert read_settings(path) == ("dir/a\udcff", settings, {"crop": 0.5})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": 1}, "batch is 1; it must be at least 2"),
        ({"size": 4}, "size is 4"),
        ({"size": 10_000}, "size is 10000; it must be at most 2048 px"),
        ({"epochs": 1.0, "minutes": 2.0}, "epochs and minutes are given"),
        ({"steps": -1}, "steps is -1; it must be at least 0"),
        ({"epochs": float("nan")}, "epochs is nan"),
        ({"warm_up": 1.0}, "warm_up is 1.0"),
        ({"data": 0.0}, "data is 0.0; it must be a share above 0, at most 1"),
        ({"lr": -1.0}, "lr is -1.0"),
        ({"weight_decay": float("nan")}, "weight_decay is nan; it must be 0 or more, or auto"),
        ({"minutes": float("inf")}, "minutes is inf"),
        ({"threads": 0}, "threads is 0"),
        ({"bach": 3}, "did you mean 'batch'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(given, message) -> None:
    with pytest.raises(UserError, match=message):
        settings_from(given)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("precision", "bf61", r"precision is 'bf61' \(did you mean 'bf16'\?\); .*: auto, fp32"),
        ("optimiser", "adam", "did you mean 'adamw'"),
        ("on_collapse", "panic", "must be one of: warn, stop"),
    ],
)
def test_a_word_that_is_no_choice_is_refused_without_a_type_checker_too(
    name, value, message
) -> None:
    settings = Settings()
    object.__setattr__(settings, name, value)  # past the type checks that are active in tests
    with pytest.raises(UserError, match=message):
        settings.__post_init__()


def test_an_unknown_key_in_a_file_is_an_error_that_names_the_file(tmp_path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("images = 'x'\nbach = 3\n")
    with pytest.raises(UserError, match=r"settings\.toml: no setting 'bach'"):
        read_settings(path)


def test_a_broken_file_is_an_error_that_names_the_file(tmp_path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("batch = = 3")
    with pytest.raises(UserError, match=r"settings\.toml is not a settings file"):
        read_settings(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('batch = "many"', "batch is 'many'; that is no value for it"),
        ("batch = true", "batch is True"),
        ('lr = "fast"', "lr is 'fast'"),
        ("cache = 3", "cache is 3"),
        ('stem = "big"', "stem is 'big'"),
    ],
)
def test_a_file_with_a_value_of_another_type_is_one_line(line, words, tmp_path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"{line}\n")
    with pytest.raises(UserError, match=words):
        read_settings(path)
