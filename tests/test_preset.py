"""Presets choose aloud, leave alone what is given, and are kept by the run."""

from dataclasses import replace
from pathlib import Path

import pytest

import selfsight
from selfsight.display import Display
from selfsight.errors import Interrupted, UserError
from selfsight.preset import chosen, within_minutes
from selfsight.run import Run
from selfsight.settings import Settings, settings_from


def choose(
    settings: Settings,
    *,
    own: dict[str, object] | None = None,
    images: int = 50_000,
    device: str = "cpu",
) -> tuple[Settings, str]:
    said: list[str] = []
    found = chosen(
        settings,
        own or {},
        images=lambda: images,
        device=device,
        agreed=lambda number: number,
        say=said.append,
    )
    return found, "\n".join(said)


def test_without_a_preset_nothing_is_changed_counted_or_said() -> None:
    settings = Settings(threads=2)
    found = chosen(
        settings,
        {},
        images=lambda: pytest.fail("counted"),
        device="cpu",
        agreed=lambda own: own,
        say=pytest.fail,
    )
    assert found == settings


@pytest.mark.parametrize(("given", "instead"), [({}, ":"), ({"minutes": 10.0}, " instead of min")])
def test_laptop_takes_no_gradient_steps_unless_they_are_asked_for(
    given: dict[str, float], instead: str
) -> None:
    found, said = choose(Settings(preset="laptop", threads=2, **given))
    assert (found.encoder, found.steps, found.minutes) == ("patchnet", 0, None)
    assert "encoder = patchnet" in said
    assert f"steps = 0{instead}" in said


@pytest.mark.parametrize("budget", [{"steps": 7}, {"epochs": 2.0}])
def test_steps_that_are_given_stay(budget: dict[str, float]) -> None:
    settings = Settings(preset="laptop", method="vicreg", threads=2, **budget)
    found, said = choose(settings)
    assert found == replace(settings, encoder="patchnet")
    assert "steps = 0" not in said


@pytest.mark.parametrize("preset", ["laptop", "auto"])
def test_an_encoder_that_is_given_stays_and_trains_and_that_is_said(preset: str) -> None:
    settings = Settings(preset=preset, encoder="convnet", minutes=3.0, threads=2)
    found, said = choose(settings)
    assert found == settings
    assert "convnet" in said


def test_the_presets_own_encoder_may_be_named() -> None:
    found, _ = choose(Settings(preset="laptop", encoder="patchnet", minutes=3.0, threads=2))
    assert (found.steps, found.minutes) == (0, None)


def test_auto_asks_all_processes_for_one_answer() -> None:
    settings, said = Settings(preset="auto", minutes=10.0, threads=2), []
    found = chosen(
        settings, {}, images=lambda: 50_000, device="cpu", agreed=lambda _: 100.0, say=said.append
    )
    assert found.encoder == "auto"
    assert "100" in " ".join(said) or "1e+02" in " ".join(said)


def test_auto_reckons_with_the_threads_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(preset="auto", minutes=100.0, threads=2)
    assert choose(settings)[0].encoder == "patchnet"
    monkeypatch.setattr("selfsight.preset.world_size", lambda: 4)
    found, said = choose(settings)
    assert found.encoder == "auto"
    assert "about 1.2e+02 passes" in said


@pytest.mark.parametrize(
    ("settings", "images", "device", "encoder", "reason"),
    [
        ({"minutes": 10.0}, 50_000, "cpu", "patchnet", "about 2.9 passes over 50,000 images, too"),
        ({"minutes": 10.0}, 1_000, "cpu", "auto", "about 1.4e+02 passes over 1,000 images"),
        ({"minutes": 600.0}, 50_000, "cpu", "auto", "about 1.7e+02 passes"),
        ({"minutes": 10.0}, 50_000, "cuda", "auto", "nothing else was measured on cuda"),
        ({"minutes": 10.0, "size": 96}, 50_000, "cpu", "auto", "at 32 px and these have 96"),
        ({"epochs": 3.0}, 50_000, "cpu", "patchnet", "about 3 passes"),
        ({"steps": 100}, 50_000, "cpu", "patchnet", "about 0.51 passes"),
        ({"steps": 100, "accumulate": 8}, 50_000, "cpu", "patchnet", "about 4.1 passes"),
        ({}, 50_000, "cpu", "patchnet", "no budget is given, and one of 10 minutes has time for"),
    ],
)
def test_auto_picks_by_images_size_device_and_budget(
    settings: dict[str, float], images: int, device: str, encoder: str, reason: str
) -> None:
    asked = Settings(preset="auto", threads=2, **settings)
    found, said = choose(asked, images=images, device=device)
    assert found.encoder == encoder
    assert reason in said
    assert said.startswith(f"preset = {'laptop' if encoder == 'patchnet' else 'none'}: ")


@pytest.mark.parametrize(
    ("settings", "own", "name"),
    [
        ({"method": "byol", "minutes": 10.0}, {}, "method"),
        ({"method": "mae", "steps": 50}, {}, "method"),
        ({"lr": 0.1}, {}, "lr"),
        ({"chunk": 64, "minutes": 10.0}, {}, "chunk"),
        ({"minutes": 10.0}, {"temperature": 0.2}, "temperature"),
    ],
)
def test_auto_leaves_steps_to_those_who_ask_for_what_only_steps_use(
    settings: dict[str, object], own: dict[str, object], name: str
) -> None:
    found, said = choose(Settings(preset="auto", threads=2, **settings), own=own)
    assert found.encoder == "auto"
    assert said.startswith(f"preset = none: {name} is given")


def test_auto_with_a_number_of_steps_takes_their_rate_too() -> None:
    found, _ = choose(Settings(preset="auto", threads=2, steps=50, lr=0.1))
    assert found.encoder == "patchnet"


def test_large_images_are_told_that_they_are_read_small() -> None:
    _, said = choose(Settings(preset="laptop", size=224, threads=2))
    assert "patchnet reads images at 32 px" in said


def test_an_unknown_preset_is_refused() -> None:
    settings = Settings()
    object.__setattr__(settings, "preset", "laptp")
    with pytest.raises(UserError, match="did you mean 'laptop'"):
        settings.__post_init__()


def test_a_run_keeps_its_choice_and_goes_on_to_the_weights_of_one_that_was_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsight.nets.patchnet.CLUSTERS", 40)  # a tenth, for speed
    monkeypatch.setattr("selfsight.beginning.PASSES", 1)
    words = {"preset": "laptop", "size": 8, "batch": 64, "labels": "none", "quiet": True}
    words |= {"steps": 4, "held_out": 0.02, "data": 0.2, "threads": 1, "cache": tmp_path / "c"}
    whole = selfsight.train("digits", out=tmp_path / "whole", **words)
    assert whole.settings.encoder == "patchnet"
    assert whole.settings.preset == "laptop"

    asked = 0

    def after_two() -> bool:
        nonlocal asked
        asked += 1
        return asked > 1

    with monkeypatch.context() as patch:
        patch.setattr("threading.Event.is_set", lambda _: after_two())
        with pytest.raises(Interrupted):
            selfsight.train("digits", out=tmp_path / "parts", **words)
    parts = selfsight.train("digits", out=tmp_path / "parts", resume=True, **words)
    for name, value in whole.encoder.state_dict().items():
        assert value.equal(parts.encoder.state_dict()[name]), name


def test_the_same_command_resumes_though_the_preset_replaced_its_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsight.nets.patchnet.CLUSTERS", 40)
    monkeypatch.setattr("selfsight.beginning.PASSES", 1)
    words = {"preset": "laptop", "minutes": 10.0, "size": 8, "data": 0.1, "quiet": True}
    words |= {"labels": "none", "held_out": 0.02, "cache": tmp_path / "c"}
    run = selfsight.train("digits", out=tmp_path / "r", **words)
    assert (run.settings.minutes, run.settings.steps) == (None, 0)
    (tmp_path / "r" / "report.html").unlink()  # as if killed while it was written
    again = selfsight.train("digits", out=tmp_path / "r", resume=True, **words)
    assert (again.path / "report.html").exists()


def test_minutes_that_the_preset_replaced_are_kept_in_mind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("selfsight.nets.patchnet.CLUSTERS", 40)
    monkeypatch.setattr("selfsight.beginning.PASSES", 1)
    monkeypatch.setattr(Display, "say", lambda _, line: said.append(line))
    words = {"preset": "laptop", "minutes": 0.001, "size": 8, "data": 0.1, "threads": 1}
    words |= {"labels": "none", "held_out": 0.02, "cache": tmp_path / "c", "quiet": True}
    selfsight.train("digits", out=tmp_path / "r", **words)
    assert sum("beyond the 0.001 min asked for" in line for line in said) == 1


def test_a_bench_counts_the_images_for_auto_and_measures_what_it_picks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsight.nets.patchnet.CLUSTERS", 40)
    monkeypatch.setattr("selfsight.beginning.PASSES", 1)
    monkeypatch.setattr("selfsight.speed.beginnings.MEASURED", 50)
    settings = Settings(preset="auto", size=8, steps=1, batch=32, device="cpu", cache=str(tmp_path))
    found = selfsight.bench("digits", settings=settings, seconds=1.0, quiet=True)
    assert "simclr with patchnet at 8 px" in found.plan
    assert found.beginning > 0
    assert "what the encoder begins with takes about" in "\n".join(found.lines())


def test_a_bench_of_no_steps_tells_what_finding_the_encoder_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsight.nets.patchnet.CLUSTERS", 40)
    monkeypatch.setattr("selfsight.speed.beginnings.MEASURED", 50)
    settings = Settings(preset="laptop", size=8, threads=1, device="cpu", cache=str(tmp_path))
    found = selfsight.bench("digits", settings=settings, seconds=1.0, quiet=True)
    text = "\n".join(found.lines())
    assert "patchnet at 8 px, no gradient steps" in found.plan
    assert (found.steps, found.images) == (0, 1617)  # a tenth is held out
    assert found.batch == 16 * 1617  # pairs of views: there are fewer than 50,000 images
    assert found.beginning == 0  # it is all there is
    assert "finding the encoder takes about" in text
    assert "by 25,872 pairs of views of 1,617 images" in text
    assert found.bound in found.shares
    assert f"{found.bound} (" in text
    assert found.advice.endswith("an accelerator")  # a share of the images takes as many views


def test_a_bench_foretells_no_steps_where_the_beginning_takes_all_the_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsight.nets.patchnet.CLUSTERS", 40)
    monkeypatch.setattr("selfsight.speed.beginnings.MEASURED", 50)
    monkeypatch.setattr("selfsight.engine._precision", lambda *_: "bf16")  # as on some machines
    words = {"encoder": "patchnet", "size": 8, "threads": 1, "minutes": 0.001, "device": "cpu"}
    settings = settings_from(words | {"cache": str(tmp_path)})
    found = selfsight.bench("digits", settings=settings, seconds=1.0, quiet=True)
    assert (found.steps, found.beginning) == (0, 0)
    assert "patchnet at 8 px, no gradient steps, fp32 on cpu" in found.plan


def test_minutes_that_the_beginning_takes_up_leave_a_run_without_steps() -> None:
    said: list[str] = []
    settings = Settings(encoder="patchnet", minutes=1.0)
    left = within_minutes(settings, spent=61.0, say=said.append)
    assert (left.steps, left.minutes) == (0, None)
    assert "takes all of the 1 min" in said[0]
    assert within_minutes(settings, spent=59.0, say=pytest.fail) == settings


def test_another_budget_is_refused_on_resume_where_the_preset_replaced_nothing(
    tmp_path: Path,
) -> None:
    words = {"preset": "laptop", "encoder": "convnet", "minutes": 3.0, "quiet": True}
    settings = settings_from({name: value for name, value in words.items() if name != "quiet"})
    Run.create(tmp_path / "r", images="digits", settings=settings, method_settings={})
    with pytest.raises(UserError, match=r"begun with minutes 3.0, not 30.0"):
        selfsight.train("digits", out=tmp_path / "r", resume=True, **words | {"minutes": 30.0})
