"""What an encoder finds in images before the first step: repeatable, unlabelled, no dice moved."""

from pathlib import Path

import numpy as np
import pytest
import torch

import selfsight
from selfsight.beginning import (
    LAYER,
    PATCHES,
    PROTOTYPES,
    VIEWS,
    begin,
    bytes_of_whole,
    looked_at,
    whole_images,
)
from selfsight.data.images import open_images
from selfsight.measure import untrained
from selfsight.nets.encoder import Encoder, build_encoder
from selfsight.speed.beginnings import time_beginning


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find a tenth of the patches, by one pair of views of each image, for speed."""
    monkeypatch.setattr("selfsight.nets.patchnet.CLUSTERS", 40)
    monkeypatch.setattr("selfsight.beginning.PASSES", 1)


def encoder(name: str = "patchnet") -> Encoder:
    torch.manual_seed(0)
    return build_encoder(name, image_size=8, mean=[0.5] * 3, std=[0.25] * 3)


def begun(seed: int, cache: Path) -> Encoder:
    found = encoder()
    images = open_images("digits", size=8, cache=cache)
    begin(found, images.part(np.arange(60)), seed=seed, progress=lambda *_: None)
    return found


def test_a_seed_decides_and_other_random_numbers_are_left_alone(tmp_path: Path) -> None:
    one = begun(0, tmp_path)
    state = torch.get_rng_state()
    again, other = begun(0, tmp_path), begun(1, tmp_path)
    torch.manual_seed(0)
    build_encoder("patchnet", image_size=8, mean=[0.5] * 3, std=[0.25] * 3)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in one.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    assert not torch.equal(other.network.weight, one.network.weight)


@pytest.mark.parametrize(
    ("images", "pairs", "whole"),
    [
        (2, 32, 2),
        (900, 14_400, 900),
        (2_240, 35_840, 2_240),
        (15_000, 45_000, 7_500),
        (50_000, 50_000, 10_000),
        (1_000_000, 50_000, 10_000),
    ],
)
def test_few_images_are_looked_at_more_often_and_used_whole(
    images: int, pairs: int, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsight.beginning.PASSES", 16)
    assert looked_at(images) == pairs
    assert whole_images(images) == whole


def test_fewer_images_are_looked_at_in_as_many_pairs_as_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsight.beginning.PASSES", 3)
    seen: list[tuple[str, int, int]] = []
    images = open_images("digits", size=8, cache=tmp_path).part(np.arange(60))
    begin(encoder(), images, seed=0, progress=lambda *told: seen.append(told))
    assert seen[-3] == (VIEWS, 180, 180)
    assert [name for name, *_ in seen] == [PATCHES, *4 * [VIEWS], LAYER, PROTOTYPES]


def test_networks_without_such_a_part_are_not_touched(tmp_path: Path) -> None:
    plain = encoder("convnet")
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    images = open_images("digits", size=8, cache=tmp_path)
    begin(plain, images, seed=0, progress=lambda *_: pytest.fail("nothing takes time"))
    assert all(torch.equal(before[name], value) for name, value in plain.state_dict().items())


def test_a_run_begins_so_before_the_method_copies_the_network(tmp_path: Path) -> None:
    run = selfsight.train(
        "digits",
        out=tmp_path / "r",
        method="byol",
        encoder="patchnet",
        size=8,
        steps=1,
        quiet=True,
        labels="none",
    )
    encoder = run.encoder
    assert encoder.network.level.abs().sum() > 0
    assert not torch.equal(encoder.network.fine.whitening, torch.eye(108))
    saved = run.latest_checkpoint()
    assert saved is not None
    centres = [value for name, value in saved["method"].items() if name.endswith("fine.centres")]
    assert len(centres) == 2  # the online network's and the momentum twin's
    assert torch.equal(centres[0], centres[1])
    assert not untrained(encoder, seed=0).network.level.any()


def test_a_few_images_tell_the_memory_of_as_many_as_are_used_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsight.speed.beginnings.MEASURED", 50)
    monkeypatch.setattr("selfsight.speed.beginnings.peak_memory", lambda _: 1_000)
    images = open_images("digits", size=8, cache=tmp_path)

    def told(count: int) -> int | None:
        return time_beginning(encoder(), images, images=count, seed=0).memory

    each = bytes_of_whole(encoder())
    assert each > 4 * 3 * 8 * 8  # the pixels of an image alone
    assert told(50) == 1_000
    assert told(1_000) == 1_000 + 950 * each
    assert told(1_000_000) == 1_000 + (whole_images(1_000_000) - 50) * each
