"""The parts of a training follow from the settings, and what is changed is said aloud."""

from dataclasses import replace

import pytest

from selfsight import methods
from selfsight.assemble import demand_memory, fitted_batch, fitted_encoder, fitted_stem
from selfsight.errors import UserError
from selfsight.nets.encoder import build_encoder
from selfsight.settings import Settings


def stem_for(
    name: str, *, device: str, stem: str = "auto", size: int = 32
) -> tuple[str, list[str]]:
    settings = Settings(encoder=name, stem=stem, size=size)
    encoder = build_encoder(name, image_size=size, stem=stem, mean=[0.5] * 3, std=[0.25] * 3)
    said: list[str] = []
    return fitted_stem(settings, encoder=encoder, device=device, say=said.append).stem, said


def test_a_processor_gets_the_standard_stem_and_is_told_how_to_have_the_small_one() -> None:
    stem, said = stem_for("resnet18", device="cpu")
    assert stem == "standard"
    assert "--stem small" in said[0]


@pytest.mark.parametrize(
    ("name", "device", "stem", "size"),
    [
        ("resnet18", "cuda", "auto", 32),
        ("resnet18", "cpu", "small", 32),
        ("resnet18", "cpu", "auto", 16),
        ("resnet18", "cpu", "auto", 128),
        ("convnet", "cpu", "auto", 32),
    ],
)
def test_nothing_else_is_changed(name: str, device: str, stem: str, size: int) -> None:
    assert stem_for(name, device=device, stem=stem, size=size) == (stem, [])


def test_a_batch_that_the_images_cannot_fill_becomes_the_next_power_of_two() -> None:
    said: list[str] = []
    assert fitted_batch(Settings(batch=256), images=100, say=said.append).batch == 64
    assert "100 training images" in said[0]
    assert fitted_batch(Settings(batch=64), images=100, say=said.append).batch == 64
    assert len(said) == 1


def test_a_batch_whose_pixels_alone_exceed_the_memory_is_refused_before_it_is_tried() -> None:
    settings = Settings(batch=256, size=2048)
    demand_memory(settings, installed=80.0 * 2**30)
    with pytest.raises(UserError, match="takes at least 75 GiB and there are 24; give a smaller"):
        demand_memory(settings, installed=24.0 * 2**30)
    demand_memory(replace(settings, chunk=64), installed=24.0 * 2**30)
    with pytest.raises(UserError, match="takes at least 30 GiB"):
        demand_memory(replace(settings, chunk=64, batch=1024), installed=24.0 * 2**30)


def test_several_processes_get_a_batch_that_they_can_share(monkeypatch) -> None:
    monkeypatch.setattr("selfsight.assemble.world_size", lambda: 3)
    assert fitted_batch(Settings(batch=48), images=40, say=print).batch == 24
    with pytest.raises(UserError, match="2 training images cannot feed 3 processes"):
        fitted_batch(Settings(batch=48), images=2, say=print)


@pytest.mark.parametrize(
    ("method", "asked", "encoder", "lines"),
    [
        ("simclr", "auto", "resnet18", 0),
        ("mae", "auto", "vit_tiny", 1),
        ("mae", "vit_small", "vit_small", 0),
    ],
)
def test_a_method_that_resnets_do_not_suit_gets_its_own_encoder(
    method: str, asked: str, encoder: str, lines: int
) -> None:
    said: list[str] = []
    found = fitted_encoder(Settings(encoder=asked), kind=methods.find(method), say=said.append)
    assert found.encoder == encoder
    assert len(said) == lines
