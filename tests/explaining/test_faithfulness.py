"""The checks themselves: orders, areas, correlations, verdicts, and random weights."""

import numpy as np
import pytest
import torch
from made_up_images import scenes, untaught
from torch import Tensor, nn

from selfsight.explaining.deletion import (
    STEPS,
    areas,
    blurred,
    cell_grid,
    centre_first,
    edges_first,
    order_of,
    random_orders,
    trapezoid,
)
from selfsight.explaining.faithfulness import Gain, Order, agreement, gain_of
from selfsight.explaining.maps import Maps, features_of
from selfsight.explaining.randomised import randomised
from selfsight.explaining.ranks import rank_correlation, ranks
from selfsight.explaining.targets import Target
from selfsight.explaining.trust import judge
from selfsight.nets.encoder import Encoder, build_encoder


class Brightness(nn.Module):
    """One feature: the mean of the upper left quarter."""

    head_hidden_size = 1

    def forward(self, pixels: Tensor) -> Tensor:
        half = pixels.shape[2] // 2
        return pixels[:, :, :half, :half].mean((1, 2, 3))[:, None]


class Itself(Target):
    """The only feature as it is."""

    def linear(self, features: Tensor, rows: Tensor) -> Tensor:
        return features[:, 0]

    score = linear

    def part(self, rows: Tensor) -> "Itself":
        return self


def seer() -> Encoder:
    return Encoder(Brightness(), name="seer", image_size=16, stem="standard", mean=[0.0], std=[1.0])


def test_the_area_is_that_of_the_trapezoid_rule() -> None:
    scores = torch.tensor([1.0, 0.9, 0.5, 0.2, 0.1]).double()
    assert trapezoid(scores).item() == pytest.approx(0.5375)


def test_a_map_of_what_counts_gains_and_its_opposite_loses() -> None:
    encoder, image = seer(), torch.ones(1, 16, 16)
    truth = torch.zeros(16, 16)
    truth[:8, :8] = 1
    chance = random_orders(image, count=30, generator=torch.Generator().manual_seed(0))
    orders = torch.cat([torch.stack([order_of(truth), order_of(-truth)]), chance])
    found = areas(encoder, image, Itself(), orders=orders)
    # 64 cells in 8 steps: hiding the quarter that counts takes 2 of them, 1 -> 0.5 -> 0
    assert found.deletion[0, 0].item() == pytest.approx((0.5 + 0.5) / STEPS)
    assert found.insertion[0, 0].item() == pytest.approx(1 - (0.5 + 0.5) / STEPS)
    assert found.deletion[1, 0].item() == pytest.approx(1 - (0.5 + 0.5) / STEPS)
    assert found.deletion[2:, 0].mean().item() == pytest.approx(0.5, abs=0.03)
    assert torch.allclose(found.deletion[:, 1], torch.ones(32).double())  # blurred, it is the same
    by_mean = -found.deletion[None, :, :1].numpy()
    gains = [gain_of(by_mean, place, of=2) for place in (0, 1)]
    assert gains[0].mean == pytest.approx(0.375, abs=0.03)
    assert gains[0].beaten == 1
    assert gains[0].sure > 5
    assert gains[1].mean < -0.3
    assert gains[1].beaten == 0


def test_a_random_order_gains_nothing() -> None:
    random = np.random.default_rng(0)
    sure = [gain_of(random.normal(size=(8, 11, 2)), 0, of=1).sure for _ in range(400)]
    assert np.mean(sure) == pytest.approx(0, abs=0.15)
    assert np.std(sure) == pytest.approx(1, abs=0.15)  # so that two of them mean two


def test_cells_are_about_square_whatever_the_image() -> None:
    assert cell_grid(32, 32) == (8, 8)
    assert cell_grid(32, 64) == (8, 16)
    assert cell_grid(50, 35) == (11, 8)
    assert cell_grid(4, 4) == (4, 4)
    image = torch.rand(3, 20, 30)
    assert sorted(centre_first(image).tolist()) == list(range(8 * 12))
    assert centre_first(image)[:4].sort().values.tolist() == [41, 42, 53, 54]
    assert blurred(image).shape == image.shape
    assert blurred(image).std() < image.std() / 2


def test_the_strongest_contrast_comes_first() -> None:
    image = torch.full((3, 32, 32), 0.5)
    image[:, 12:16, 20:24] = torch.eye(4)
    assert edges_first(image)[0] == 3 * 8 + 5


def test_ranks_are_those_of_scipy() -> None:
    from scipy.stats import rankdata, spearmanr

    random = np.random.default_rng(0)
    one, other = random.integers(0, 5, (2, 60)).astype(float)
    assert np.array_equal(ranks(one) + 1, rankdata(one))
    assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert np.isnan(rank_correlation(one, np.ones(60)))


def test_agreement_ignores_signs_and_is_nan_for_an_empty_map() -> None:
    values = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0))
    found = agreement(Maps(values, signed=True), Maps(-3 * values, signed=True))
    assert found.tolist() == pytest.approx([1, 1])
    flat = agreement(Maps(values, signed=True), Maps(torch.zeros(2, 4, 4), signed=False))
    assert np.isnan(flat).all()


def test_of_an_unsigned_map_low_values_mean_little_whatever_their_sign() -> None:
    values = torch.arange(16.0).reshape(1, 4, 4)
    (found,) = agreement(Maps(values, signed=False), Maps(values - 8, signed=False))
    assert found == pytest.approx(1)


def test_batch_norm_is_measured_on_large_images_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfsight.explaining.randomised.DIFFERENTIATED", 1)  # smaller than one
    twin = randomised(untaught(), scenes(4, seed=0)[0], seed=1)
    assert twin.network.blocks[0][1].running_mean.abs().max() > 0


def test_an_empty_map_is_not_trusted() -> None:
    sure = order(0.2, 0.2, sure=(5, 5))
    nothing = float("nan")
    found = judge("RELAX", sure, randomised=nothing, other_target=nothing, centre=sure, empty=True)
    assert found.word == "not trusted" and found.sentence.endswith("it is empty.")


def test_one_image_on_a_map_of_one_place_is_enough_to_measure_batch_norm() -> None:
    encoder = build_encoder("convnet", image_size=8, mean=[0.5] * 3, std=[0.25] * 3)
    twin = randomised(encoder, torch.rand(1, 3, 8, 8), seed=1)
    assert twin(torch.rand(1, 3, 8, 8)).isfinite().all()


def test_the_randomised_network_shares_nothing_with_the_first() -> None:
    encoder, images = untaught(), scenes(40, seed=0)[0]
    twin = randomised(encoder, images, seed=1)
    for name, weight in twin.named_parameters():
        if weight.ndim > 1:
            other = encoder.get_parameter(name)
            assert abs(torch.corrcoef(torch.stack([weight.flatten(), other.flatten()]))[0, 1]) < 0.2
    with torch.no_grad():  # batch norm measured: what follows it is standardised
        normed = twin.network.blocks[0][:2](twin.normalise(images))
    assert normed.mean((0, 2, 3)).abs().max() < 0.05
    assert normed.std((0, 2, 3)).tolist() == pytest.approx([1] * 32, abs=0.05)
    again = randomised(encoder, images, seed=1)
    assert torch.equal(features_of(again, images), features_of(twin, images))


def order(deletion: float, insertion: float, *, sure: tuple[float, float]) -> Order:
    def gain(mean: float, sure: float) -> Gain:
        one = np.array([mean])
        return Gain(by_image=one, by_fill=one, beaten=one, random_spread=0.1, sure=float(sure))

    return Order(gain(deletion, sure[0]), gain(insertion, sure[1]))


@pytest.mark.parametrize(
    ("sure", "randomised", "word"),
    [
        ((5, 5), 0.1, "trusted"),
        ((5, 5), float("nan"), "trusted"),
        ((5, 1), 0.1, "with care"),
        ((1, 5), 0.1, "with care"),
        ((5, 5), 0.6, "with care"),
        ((1, 1), 0.1, "not trusted"),
        ((-5, -5), 0.1, "not trusted"),
        ((5, 5), 0.9, "not trusted"),
    ],
)
def test_the_verdict_follows_its_rule(
    sure: tuple[float, float], randomised: float, word: str
) -> None:
    found = judge(
        "RELAX",
        order(0.2, 0.2, sure=sure),
        randomised=randomised,
        other_target=0.3,
        centre=order(0.1, 0.1, sure=(3, 3)),
    )
    assert found.word == word
    assert found.sentence.startswith("RELAX ")
    assert found.sentence.endswith(".")


def test_the_verdict_names_a_map_that_the_centre_beats_and_one_that_ignores_its_target() -> None:
    found = judge(
        "Occlusion",
        order(0.1, 0.1, sure=(5, 5)),
        randomised=0.1,
        other_target=0.95,
        centre=order(0.2, 0.2, sure=(9, 9)),
    )
    assert "from the centre outwards does as well" in found.sentence
    assert "nearly the same toward any target" in found.sentence
