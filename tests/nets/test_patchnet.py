"""The network of patches: sizes, mirror images, gradients, and where it begins."""

import pytest
import torch
from test_encoder import build
from torch import Tensor
from torch.nn import functional as F

from selfsight.nets.layers import layers_of
from selfsight.nets.patchnet import LINEAR, PatchNet

FEATURES = PatchNet.num_features


def smooth(count: int) -> Tensor:
    """Return images that look like something: colours that change slowly."""
    return F.interpolate(torch.randn(count, 3, 4, 4), size=16, mode="bicubic")


def tinted(pixels: Tensor) -> Tensor:
    """Return a view: another tint, and some noise."""
    tint = 3 * torch.randn(len(pixels), 3, 1, 1)
    return pixels + tint + 0.3 * torch.randn_like(pixels)


@pytest.fixture(scope="module")
def begun() -> PatchNet:
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("selfsight.nets.patchnet.CLUSTERS", 40)  # a tenth, for speed
        network = PatchNet(channels=3)
    pixels = smooth(400)
    network.find_patches(pixels, seed=0)
    network.find_linear([(tinted(part), tinted(part)) for part in pixels.split(100)])
    network.find_prototypes(pixels, seed=0)
    return network.eval()


@pytest.mark.parametrize("side", [4, 8, 15, 32, 65])
def test_every_size_gives_as_many_features(side: int) -> None:
    torch.manual_seed(0)
    network = PatchNet(channels=1)
    pixels = torch.rand(2, 1, side, side)
    features = network(pixels)
    assert features.shape == (2, FEATURES)
    assert torch.isfinite(features).all()
    (stage,) = network.forward_intermediates(pixels, intermediates_only=True)
    torch.testing.assert_close(stage.mean((2, 3)), features[:, :LINEAR])


def test_images_above_32_px_are_read_at_32(begun: PatchNet) -> None:
    network, small = begun, torch.rand(2, 3, 32, 32)
    large = small.repeat_interleave(3, 2).repeat_interleave(3, 3)
    torch.testing.assert_close(network(large), network(small), rtol=1e-4, atol=1e-4)


def test_a_mirror_image_has_the_same_features_and_the_mirrored_map(begun: PatchNet) -> None:
    network, pixels = begun, torch.rand(3, 3, 16, 16)
    torch.testing.assert_close(network(pixels.flip(3)), network(pixels), rtol=1e-4, atol=1e-4)
    here, there = network.forward_features(pixels), network.forward_features(pixels.flip(3))
    torch.testing.assert_close(there.flip(3), here, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(here, there)


def test_many_images_at_once_are_answered_like_each_alone(
    begun: PatchNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, pixels = begun, torch.rand(5, 3, 16, 16)
    together = network(pixels)
    monkeypatch.setattr("selfsight.nets.patchnet.AT_ONCE", 1)
    torch.testing.assert_close(network(pixels), together)


def test_after_the_beginning_a_new_image_is_found_again_in_another_tint(begun: PatchNet) -> None:
    def found(network: PatchNet) -> float:
        torch.manual_seed(1)
        pixels = smooth(200)
        with torch.no_grad():
            here, there = (network(tinted(pixels)) for _ in range(2))
        similar = F.normalize(here, dim=1) @ F.normalize(there, dim=1).T
        return float((similar.argmax(1) == torch.arange(200)).float().mean())

    torch.manual_seed(0)
    before = found(PatchNet(channels=3))
    assert found(begun) > before + 0.1


def test_training_moves_the_linear_layer_only_and_pixels_have_gradients(begun: PatchNet) -> None:
    network, pixels = begun, torch.rand(2, 3, 16, 16, requires_grad=True)
    network(pixels).square().sum().backward()
    assert {name for name, _ in network.named_parameters()} == {"weight", "bias"}
    gradients: list[Tensor | None] = [network.weight.grad, network.bias.grad, pixels.grad]
    for gradient in gradients:
        assert gradient is not None
        assert torch.isfinite(gradient).all()
        assert gradient.abs().sum() > 0


def test_its_weights_are_one_layer() -> None:
    assert [len(layer) for layer in layers_of(build("patchnet"))] == [2]
