"""Stems and patches: small images keep their places."""

import pytest
import torch
from torch import nn

from selfsight.errors import UserError
from selfsight.nets.catalogue import fit_patch
from selfsight.nets.encoder import Encoder, build_encoder


def build(name: str, size: int, stem: str = "auto") -> Encoder:
    return build_encoder(name, image_size=size, stem=stem, mean=[0.5] * 3, std=[0.25] * 3)


@pytest.mark.parametrize(
    ("size", "stem", "places"),
    [
        (28, "small", 4),
        (32, "small", 4),
        (40, "small", 5),
        (64, "small", 4),
        (96, "small", 6),
        (97, "standard", 4),
        (128, "standard", 4),
    ],
)
def test_the_last_map_of_a_resnet_keeps_about_4x4_places(size: int, stem: str, places: int) -> None:
    encoder = build("resnet18", size)
    assert encoder.stem == stem
    with torch.no_grad():
        assert encoder.feature_map(torch.zeros(1, 3, size, size)).shape[2:] == (places, places)


@pytest.mark.parametrize("name", ["resnet18", "resnet18d"])
@pytest.mark.parametrize(("size", "stride"), [(32, 1), (64, 2)])
def test_the_small_stem_is_3x3_with_padding_1_and_no_pooling(
    name: str, size: int, stride: int
) -> None:
    network = build(name, size).network
    assert network.conv1.kernel_size == (3, 3)
    assert network.conv1.stride == (stride, stride)
    assert network.conv1.padding == (1, 1)
    assert network.conv1.bias is None
    assert isinstance(network.maxpool, nn.Identity)


def test_the_stem_can_be_chosen() -> None:
    assert build("resnet18", 32, "standard").network.conv1.kernel_size == (7, 7)
    assert build("resnet18", 128, "small").network.conv1.kernel_size == (3, 3)
    with pytest.raises(UserError, match="use 16 px or more"):
        build("resnet18", 15, "standard")
    with pytest.raises(UserError, match="'vit_tiny' has no ResNet stem"):
        build("vit_tiny", 32, "small")
    with pytest.raises(UserError, match="'convnet' has no ResNet stem"):
        build("convnet", 32, "small")
    with pytest.raises(UserError, match="one of: auto, small, standard"):
        build("resnet18", 32, "tiny")


@pytest.mark.parametrize(
    ("size", "patch"),
    [(16, 2), (28, 4), (32, 4), (48, 6), (64, 8), (96, 12), (100, 10), (128, 16), (224, 16)],
)
def test_a_patch_fits_its_image(size: int, patch: int) -> None:
    assert fit_patch(size, name="vit_tiny", own=16) == patch


@pytest.mark.parametrize("size", [5, 37, 53, 127, 129, 230])
def test_a_size_without_patches_names_one_that_has(size: int) -> None:
    with pytest.raises(UserError, match="use an image size of") as refusal:
        fit_patch(size, name="vit_tiny", own=16)
    advised = int(str(refusal.value).split()[-2])
    assert abs(advised - size) <= 8
    assert fit_patch(advised, name="vit_tiny", own=16)


@pytest.mark.parametrize(
    ("name", "size", "patch"),
    [
        ("vit_tiny", 32, 4),
        ("vit_tiny", 96, 12),
        ("vit_tiny_patch16_224", 64, 8),
        ("deit_tiny_patch16_224", 32, 4),
        ("vit_tiny", 224, 16),
    ],
)
def test_a_transformer_has_the_fitted_patch(name: str, size: int, patch: int) -> None:
    network = build(name, size).network
    assert network.patch_embed.patch_size == (patch, patch)
    assert network.patch_embed.img_size == (size, size)
