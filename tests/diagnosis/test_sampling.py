"""The features that a diagnosis reads: the same images and views for every encoder."""

import numpy as np
import pytest
import torch

from selfsight.data.images import ImageSet, Labels
from selfsight.diagnosis import sampling
from selfsight.diagnosis.sampling import random_views, samples_of
from selfsight.errors import UserError
from selfsight.views.presets import simclr, two_views


def images(count: int) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, 8, 8), dtype=np.uint8)
    labels = Labels((), np.full(count, -1))
    return ImageSet(pixels, tuple(map(str, range(count))), labels, (), "made up")


def flat(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(len(pixels), -1).astype(np.float32)


def silent(_phase: str, _done: int, _total: int) -> None:
    pass


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(sampling, "BATCH", 16)
    monkeypatch.setattr(sampling, "VIEWED", 40)
    monkeypatch.setattr(sampling, "IMAGES", 50)


def test_views_belong_to_the_first_images_and_are_the_same_for_all_encoders():
    found = samples_of(
        {"one": flat, "other": flat},
        images(60),
        make_views=lambda batch: [batch.float() / 255],  # a view that is the image itself
        seed=1,
        progress=silent,
    )
    one, other = found["one"], found["other"]
    assert one.features.shape == (50, 192)
    assert one.views.shape == (40, 5, 192)
    for view in range(5):
        assert torch.equal(one.views[:, view], one.features[:40])
    assert torch.equal(one.views, other.views)


def test_the_seed_decides_images_and_views():
    def of(seed: int) -> torch.Tensor:
        views = two_views(simclr(8))
        return samples_of({"it": flat}, images(30), make_views=views, seed=seed, progress=silent)[
            "it"
        ].views

    assert torch.equal(of(0), of(0))
    assert not torch.equal(of(0), of(1))


def test_drawing_views_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    random_views(images(4).batch(np.arange(4)), two_views(simclr(8)), count=3, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_small_crops_do_not_count_as_views():
    def crops(batch: torch.Tensor) -> list[torch.Tensor]:
        whole = batch.float() / 255
        return [whole, whole[..., :4, :4], whole.flip(-1)]

    found = random_views(images(2).batch(np.arange(2)), crops, count=3, seed=0)
    assert [view.shape[-1] for view in found] == [8, 8, 8]
    assert np.array_equal(found[1], found[0][..., ::-1])


def test_too_few_images_and_a_diverged_encoder_are_the_users_to_mend():
    with pytest.raises(UserError, match=r"has 19 readable images; .* at least 20"):
        samples_of({}, images(19), make_views=two_views(simclr(8)), seed=0, progress=silent)
    with pytest.raises(UserError, match=r"50 of 50 images .encoder. are not finite"):
        samples_of(
            {"encoder": lambda pixels: flat(pixels) * np.nan},
            images(60),
            make_views=two_views(simclr(8)),
            seed=0,
            progress=silent,
        )
