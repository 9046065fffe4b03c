"""The autoencoder: its loss, its chance level, and that it is PCA when it is linear."""

import pytest
import torch
from torch import Tensor, nn

from selfsight.methods.autoencoder import Autoencoder, reconstruction_loss
from selfsight.nets.decoders import enlargements, map_decoder, map_width, vector_decoder
from selfsight.nets.encoder import Encoder, build_encoder


class Linear(nn.Linear):
    """A linear encoder that speaks the word of timm that `Encoder` needs."""

    head_hidden_size = 3

    def forward(self, pixels: Tensor) -> Tensor:
        return super().forward(pixels.flatten(1))


def test_the_loss_is_the_mean_over_all_elements() -> None:
    predicted, images = torch.rand(2, 2, 3, 4, 4, dtype=torch.float64)
    total = 0.0
    for one, other in zip(predicted.flatten().tolist(), images.flatten().tolist(), strict=True):
        total += (one - other) ** 2
    loss = reconstruction_loss(predicted, images)
    assert loss.item() == pytest.approx(total / predicted.numel(), abs=1e-12)


def test_the_gradient_is_twice_the_error_over_the_number_of_elements() -> None:
    predicted = torch.rand(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    images = torch.rand_like(predicted)
    reconstruction_loss(predicted, images).backward()
    torch.testing.assert_close(predicted.grad, 2 * (predicted - images).detach() / images.numel())


def test_the_mean_image_costs_one_when_the_statistics_are_the_datas() -> None:
    images = torch.rand(50, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    images *= torch.tensor([1.0, 0.5, 0.2])[:, None, None]
    mean, std = images.mean((0, 2, 3)), images.std((0, 2, 3), correction=0)
    encoder = build_encoder("convnet", image_size=16, mean=mean.tolist(), std=std.tolist())
    target = encoder.normalise(images)
    nothing = Autoencoder(encoder).knows_nothing(50)
    assert reconstruction_loss(torch.zeros_like(target), target).item() == pytest.approx(
        nothing, abs=1e-4
    )


def test_a_linear_one_is_a_principal_component_analysis() -> None:
    generator = torch.Generator().manual_seed(1)
    spread = torch.diag(torch.logspace(0, -1.5, 48, dtype=torch.float64))
    turn = torch.linalg.qr(torch.randn(48, 48, generator=generator, dtype=torch.float64)).Q
    pixels = torch.randn(200, 48, generator=generator, dtype=torch.float64) @ spread @ turn
    images = (pixels - pixels.mean(0)).view(200, 3, 4, 4)
    torch.manual_seed(2)
    network = Linear(48, 3).double()
    linear = Encoder(
        network, name="linear", image_size=4, stem="standard", mean=[0.0] * 3, std=[1.0] * 3
    )
    method = Autoencoder(linear.double())
    method.decoder = nn.Sequential(nn.Linear(3, 48), nn.Unflatten(1, (3, 4, 4))).double()
    optimiser = torch.optim.LBFGS(method.parameters(), max_iter=400, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = method([images], 0.0).loss
        loss.backward()
        return loss

    optimiser.step(closure)
    left = torch.linalg.svdvals(images.flatten(1))[3:].square().sum() / images.numel()
    reached = method([images], 0.0).loss
    assert left * (1 - 1e-9) <= reached <= left * 1.001


def test_the_crop_is_cut_once_and_is_both_input_and_target() -> None:
    encoder = build_encoder("convnet", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
    method = Autoencoder(encoder)
    (view,) = method.views(torch.rand(4, 3, 16, 16))
    drawn = method.decoder(encoder(view))
    expected = reconstruction_loss(drawn, (view - 0.5) / 0.25)
    torch.testing.assert_close(method([view], 0.0).loss, expected)


@pytest.mark.parametrize(("side", "sides"), [(8, [8]), (32, [8, 16, 32]), (28, [7, 14, 28])])
def test_a_decoder_doubles_its_maps_up_to_the_image(side: int, sides: list[int]) -> None:
    assert enlargements(side) == sides


@pytest.mark.parametrize("side", [8, 15, 32, 50])
def test_decoders_draw_any_size_from_any_map(side: int) -> None:
    drawn = vector_decoder(20, channels=3, side=side, width=16)(torch.rand(2, 20))
    assert drawn.shape == (2, 3, side, side)
    drawn = map_decoder(70, channels=5, side=side, width=16)(torch.rand(2, 70, 7, 7))
    assert drawn.shape == (2, 5, side, side)


def test_a_map_decoder_has_few_weights_even_for_a_wide_map() -> None:
    decoder = map_decoder(2048, channels=3, side=32, width=64)
    assert sum(weight.numel() for weight in decoder.parameters()) < 250_000


def test_an_encoder_that_exports_a_class_token_has_no_map_to_decode() -> None:
    transformer = build_encoder("vit_tiny", image_size=32, mean=[0.5] * 3, std=[0.25] * 3)
    with pytest.raises(
        ValueError, match=r"inpainting learns through a map.*'vit_tiny'.*use convnet"
    ):
        map_width(transformer, method="inpainting")
