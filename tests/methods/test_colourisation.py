"""Colourisation: its loss and weights, grey inputs, and an encoder that takes colour images."""

from math import log

import pytest
import torch
from torch import Tensor

from selfsight.methods.colourisation import Colourisation, colour_cross_entropy
from selfsight.nets.encoder import Encoder, build_encoder
from selfsight.nets.grey import grey
from selfsight.views.colour_bins import rarity
from selfsight.views.lab import srgb_to_lab


def encoder(name: str = "convnet") -> Encoder:
    torch.manual_seed(0)
    return build_encoder(name, image_size=16, mean=[0.5, 0.45, 0.4], std=[0.25, 0.24, 0.3])


@pytest.fixture
def images() -> Tensor:
    coarse = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, size=(16, 16), mode="bilinear")


def test_the_loss_agrees_with_loops() -> None:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 7, 2, 3, generator=generator, dtype=torch.float64)
    codes = torch.rand(2, 7, 2, 3, generator=generator, dtype=torch.float64)
    codes /= codes.sum(1, keepdim=True)
    weights = torch.rand(2, 2, 3, generator=generator, dtype=torch.float64)
    losses = colour_cross_entropy(logits, codes, weights)
    for n in range(2):
        total = 0.0
        for y in range(2):
            for x in range(3):
                believed = logits[n, :, y, x].exp() / logits[n, :, y, x].exp().sum()
                entropy = -float((codes[n, :, y, x] * believed.log()).sum())
                total += float(weights[n, y, x]) * entropy
        assert losses[n].item() == pytest.approx(total / 6, abs=1e-9)


def test_the_gradient_is_the_weighted_belief_minus_the_code() -> None:
    logits = torch.randn(2, 7, 2, 3, dtype=torch.float64, requires_grad=True)
    codes = torch.rand(2, 7, 2, 3, dtype=torch.float64).softmax(1)
    weights = torch.rand(2, 2, 3, dtype=torch.float64)
    colour_cross_entropy(logits, codes, weights).sum().backward()
    expected = weights[:, None] * (logits.softmax(1) - codes).detach() / 6
    torch.testing.assert_close(logits.grad, expected)


def test_a_uniform_guess_costs_the_logarithm_of_the_bins() -> None:
    codes = torch.rand(2, 260, 2, 2).softmax(1)
    losses = colour_cross_entropy(torch.zeros(2, 260, 2, 2), codes, torch.ones(2, 2, 2))
    torch.testing.assert_close(losses, torch.full((2,), log(260)))
    assert Colourisation(encoder()).knows_nothing(8) == pytest.approx(
        log(len(Colourisation(encoder()).bins)), abs=1e-4
    )


def test_knowing_nothing_is_the_best_constant_guess() -> None:
    method = Colourisation(encoder())
    prior = torch.rand(len(method.bins)).pow(8)
    method.prior = prior / prior.sum()
    weights = rarity(method.prior, uniform=0.5)
    share = method.prior * weights

    def cost(guess: Tensor) -> float:
        return float(-(share * guess.log()).sum())

    assert cost(share) == pytest.approx(method.knows_nothing(8), abs=1e-4)
    for other in (method.prior, torch.full_like(prior, 1 / len(prior))):
        assert cost(other) > method.knows_nothing(8)


def test_the_input_is_grey_and_has_one_number_a_pixel(images: Tensor) -> None:
    network = encoder()
    standardised = network.normalise(grey(network, images))
    torch.testing.assert_close(standardised[:, 0], standardised[:, 1])
    torch.testing.assert_close(standardised[:, 0], network.normalise(images).mean(1))


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_colour_image_has_the_features_of_its_grey_version_after_training(images, decay) -> None:
    method = Colourisation(encoder()).train()
    optimiser = torch.optim.AdamW(method.parameters(), lr=2e-3, weight_decay=decay)
    for _ in range(10):
        optimiser.zero_grad()
        method([images], 0.0).loss.backward()
        optimiser.step()
    kernels = method.encoder.network.blocks[0][0].weight
    torch.testing.assert_close(kernels[:, 0], kernels[:, 1], rtol=1e-4, atol=1e-6)
    method.eval()
    network = method.exported
    torch.testing.assert_close(
        network(images), network(grey(network, images)), rtol=1e-3, atol=1e-4
    )
    assert not torch.allclose(network(images), network(images.flip(1)), atol=1e-3)


def test_targets_are_a_strided_subset_of_the_pixels_and_not_their_mean(images: Tensor) -> None:
    method = Colourisation(encoder())
    seen: list[Tensor] = []
    code = method._code
    method._code = lambda ab: seen.append(ab) or code(ab)
    method([images], 0.0)
    assert torch.equal(seen[0], srgb_to_lab(images)[:, 1:, ::4, ::4])


def test_the_frequencies_are_the_mean_of_the_images_seen(images: Tensor) -> None:
    method = Colourisation(encoder()).train()
    means = []
    for part in images.split(4):
        method([part], 0.0)
        means.append(method._code(srgb_to_lab(part)[:, 1:, ::4, ::4]).mean((0, 2, 3)))
    torch.testing.assert_close(method.prior, (means[0] + means[1]) / 2)
    assert method.batches.item() == 2
    before = method.prior.clone()
    method.eval()([images], 0.0)
    assert torch.equal(method.prior, before)


def test_grey_images_count_for_nothing(images: Tensor) -> None:
    torch.manual_seed(4)
    method = Colourisation(encoder()).eval()
    alone = method([images], 0.0)
    greys = torch.rand(5, 1, 16, 16).expand(-1, 3, -1, -1)
    among = method([torch.cat([images, greys])], 0.0)
    torch.testing.assert_close(among.loss, alone.loss)
    assert among.logs["colourful"].item() == pytest.approx(8 / 13)
    assert alone.logs["colourful"].item() == 1


def test_images_without_any_colour_are_refused_in_one_line() -> None:
    method = Colourisation(encoder()).train()
    with pytest.raises(ValueError, match="all grey; use another method"):
        method([torch.rand(5, 1, 16, 16).expand(-1, 3, -1, -1)], 0.0)


def test_the_logged_loss_is_the_unweighted_one(images: Tensor) -> None:
    even = Colourisation(encoder(), uniform=1.0).train()([images], 0.0)
    torch.testing.assert_close(even.loss.detach(), even.logs["unweighted"])
    rare = Colourisation(encoder(), uniform=0.5).train()([images], 0.0)
    torch.testing.assert_close(rare.logs["unweighted"], even.logs["unweighted"])
    assert not torch.allclose(rare.loss.detach(), rare.logs["unweighted"], rtol=1e-4)


def test_no_prediction_is_better_than_perfect() -> None:
    method = Colourisation(encoder())
    assert 1.0 < method.perfect(8) < log(5)


def test_a_transformer_and_grey_images_are_refused() -> None:
    with pytest.raises(ValueError, match="'vit_tiny' exports no mean"):
        Colourisation(encoder("vit_tiny"))
    single = build_encoder("convnet", image_size=16, channels=1, mean=[0.5], std=[0.25])
    with pytest.raises(ValueError, match="3 colours"):
        Colourisation(single)


@pytest.mark.parametrize("settings", [{"uniform": 0.0}, {"stride": 0}, {"sigma": 0.0}])
def test_settings_that_cannot_work_are_refused(settings) -> None:
    with pytest.raises(ValueError, match=rf"^{next(iter(settings))} is "):
        Colourisation(encoder(), **settings)
