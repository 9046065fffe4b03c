"""The denoising autoencoder: its noises, its target, and the autoencoder without noise."""

import pytest
import torch
from torch import Tensor

from selfsight.methods.autoencoder import Autoencoder
from selfsight.methods.denoising import Denoising, corrupt, denoising_loss
from selfsight.nets.encoder import Encoder, build_encoder


def encoder() -> Encoder:
    torch.manual_seed(0)
    return build_encoder("convnet", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1


def test_without_noise_it_is_the_autoencoder(images: Tensor) -> None:
    plain, noisy = Autoencoder(encoder()), Denoising(encoder(), amount=0.0)
    noisy.load_state_dict(plain.state_dict())
    torch.testing.assert_close(noisy([images], 0.0).loss, plain([images], 0.0).loss)


def test_the_target_is_the_clean_image(images: Tensor) -> None:
    method = Denoising(encoder(), noise="masking", amount=0.5)
    torch.manual_seed(3)
    loss = method([images], 0.0).loss
    torch.manual_seed(3)
    spoilt, _ = corrupt(images, noise="masking", amount=0.5)
    drawn = method.decoder(method.encoder(spoilt))
    torch.testing.assert_close(loss, (drawn - (images - 0.5) / 0.25).square().mean())


def test_noise_is_fresh_at_every_step_and_in_every_image(images: Tensor) -> None:
    same = images[:1].expand(2, -1, -1, -1)
    for noise in ("gaussian", "masking", "salt_and_pepper"):
        first, _ = corrupt(same, noise=noise, amount=0.3)
        second, _ = corrupt(same, noise=noise, amount=0.3)
        assert not torch.equal(first, second)
        assert not torch.equal(first[0], first[1])


def test_gaussian_noise_has_its_deviation_and_is_not_clipped() -> None:
    images = torch.ones(20, 3, 32, 32)
    noisy, corrupted = corrupt(images, noise="gaussian", amount=0.3)
    assert corrupted.all()
    assert (noisy - images).std().item() == pytest.approx(0.3, rel=0.02)
    assert abs((noisy - images).mean().item()) < 0.01
    assert noisy.max() > 1.5


@pytest.mark.parametrize(("noise", "values"), [("masking", {0.0}), ("salt_and_pepper", {0.0, 1.0})])
def test_other_noise_takes_an_exact_share_of_whole_pixels(images, noise, values) -> None:
    noisy, corrupted = corrupt(images, noise=noise, amount=0.25)
    assert corrupted.flatten(1).sum(1).tolist() == [64] * len(images)
    changed = noisy != images
    assert torch.equal(changed, corrupted.expand_as(images))
    assert set(noisy[changed].unique().tolist()) == values
    if noise == "salt_and_pepper":
        assert torch.equal(noisy[:, 0][corrupted[:, 0]], noisy[:, 2][corrupted[:, 0]])


def test_the_loss_of_corrupted_pixels_alone_ignores_the_others(images: Tensor) -> None:
    corrupted = torch.rand(6, 1, 16, 16) < 0.3
    predicted = torch.rand_like(images).requires_grad_()
    loss = denoising_loss(predicted, images, corrupted, untouched=0.0)
    loss.backward()
    assert (predicted.grad * ~corrupted == 0).all()
    expected = (predicted - images).square()[corrupted.expand_as(images)].mean()
    torch.testing.assert_close(loss, expected)
    elsewhere = torch.where(corrupted, predicted, 7.0)
    torch.testing.assert_close(
        denoising_loss(elsewhere, images, corrupted, untouched=0.0), expected
    )


def test_the_loss_agrees_with_loops() -> None:
    generator = torch.Generator().manual_seed(4)
    predicted, images = torch.rand(2, 2, 3, 4, 4, generator=generator, dtype=torch.float64)
    corrupted = torch.rand(2, 1, 4, 4, generator=generator) < 0.5
    total = weights = 0.0
    for image in range(2):
        for channel in range(3):
            for row in range(4):
                for column in range(4):
                    weight = 1.0 if corrupted[image, 0, row, column] else 0.2
                    here = (image, channel, row, column)
                    total += weight * float(predicted[here] - images[here]) ** 2
                    weights += weight
    loss = denoising_loss(predicted, images, corrupted, untouched=0.2)
    assert loss.item() == pytest.approx(total / weights, abs=1e-7)


def test_equal_weights_are_the_plain_mean(images: Tensor) -> None:
    predicted, corrupted = torch.rand_like(images), torch.rand(6, 1, 16, 16) < 0.3
    torch.testing.assert_close(
        denoising_loss(predicted, images, corrupted, untouched=1.0),
        (predicted - images).square().mean(),
    )


def test_the_best_linear_denoiser_reaches_the_theoretical_error() -> None:
    generator = torch.Generator().manual_seed(5)
    clean = 0.5 * torch.randn(200, 3, 16, 16, generator=generator)
    torch.manual_seed(6)
    noisy, corrupted = corrupt(clean, noise="gaussian", amount=0.25)
    gain = 0.5**2 / (0.5**2 + 0.25**2)
    loss = denoising_loss(gain * noisy, clean, corrupted, untouched=1.0)
    assert loss.item() == pytest.approx(0.5**2 * 0.25**2 / (0.5**2 + 0.25**2), rel=0.02)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"amount": -0.1}, "amount is -0.1; it must be at least 0"),
        ({"noise": "masking", "amount": 1.0}, "amount = 1.0 of masking"),
        ({"untouched": 0.0}, "no effect"),
        ({"noise": "masking", "amount": 0.0, "untouched": 0.5}, "no effect"),
        ({"noise": "masking", "amount": 4e-4, "untouched": 0.0}, "no effect"),  # of 0 pixels
        ({"noise": "masking", "untouched": -1.0}, "untouched is -1.0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        Denoising(encoder(), **settings)
    assert "\n" not in str(caught.value)
