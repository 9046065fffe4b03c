"""The encoder: pixel statistics inside, modes restored, every image for itself."""

import json

import pytest
import torch
from torch import Tensor, nn

from selfsight.errors import UserError
from selfsight.nets.encoder import Encoder, build_encoder

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)


def build(name: str = "convnet", size: int = 32) -> Encoder:
    torch.manual_seed(0)
    return build_encoder(name, image_size=size, mean=MEAN, std=STD)


def photos(count: int = 5, side: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("name", "dim", "places", "stages"),
    [
        ("convnet", 256, 4, [32, 64, 128, 128, 256]),
        ("resnet18", 512, 4, [64, 64, 128, 256, 512]),
        ("vit_tiny", 192, 8, [192] * 12),
        ("convnext_atto", 320, 1, [40, 80, 160, 320]),
        ("swin_tiny_patch4_window7_224", 768, 1, [96, 192, 384, 768]),  # channels last inside
        ("mobilenetv3_small_100", 1024, 1, [16, 16, 24, 48, 576]),  # a head wider than the map
    ],
)
def test_an_encoder_gives_vectors_maps_and_stages(
    name: str, dim: int, places: int, stages: list[int]
) -> None:
    encoder = build(name).eval()
    images = photos(2) / 255
    assert encoder.dim == dim
    assert encoder(images).shape == (2, dim)
    assert encoder.feature_map(images).shape == (2, stages[-1], places, places)
    assert [stage.shape[1] for stage in encoder.stages(images)] == stages


@pytest.mark.parametrize("name", ["convnet", "resnet18"])
def test_features_are_the_mean_of_the_map_and_the_last_stage(name: str) -> None:
    encoder = build(name).eval()
    images = photos() / 255
    features = encoder(images)
    torch.testing.assert_close(encoder.feature_map(images).mean((2, 3)), features)
    torch.testing.assert_close(encoder.stages(images)[-1], features)


def test_the_map_of_a_transformer_has_its_patches_in_their_places() -> None:
    encoder = build("vit_tiny").eval()
    tokens = encoder.network.forward_features(encoder.normalise(photos(1) / 255))
    places = encoder.feature_map(photos(1) / 255)
    torch.testing.assert_close(places[0, :, 2, 3], tokens[0, 1 + 2 * 8 + 3])


def test_pixels_are_normalised_by_channel() -> None:
    images = torch.tensor(MEAN).reshape(1, 3, 1, 1).expand(1, 3, 32, 32)
    assert build().normalise(images).abs().max() < 1e-6
    brighter = images + torch.tensor(STD).reshape(1, 3, 1, 1)
    torch.testing.assert_close(build().normalise(brighter), torch.ones(1, 3, 32, 32))


@pytest.mark.parametrize("name", ["convnet", "resnet18", "vit_tiny"])
def test_encode_treats_each_image_alone(name: str) -> None:
    encoder, images = build(name), photos()
    together = encoder.encode(images)
    alone = torch.cat([encoder.encode(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert encoder.encode(images[:0]).shape == (0, encoder.dim)


def test_encode_leaves_modes_and_statistics_as_they_were() -> None:
    encoder = build().train()
    frozen = encoder.network.blocks[1].eval()
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    modes = [part.training for part in encoder.modules()]
    encoder.encode(photos())
    assert [part.training for part in encoder.modules()] == modes
    assert encoder.training
    assert not frozen.training
    for key, value in encoder.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_modes_come_back_when_encode_fails() -> None:
    encoder = build().train()
    with pytest.raises(UserError, match="takes uint8"):
        encoder.encode(photos().int())
    assert all(part.training for part in encoder.modules())


def test_a_probe_can_be_trained_on_encoded_features() -> None:
    features = build().encode(photos())
    probe = nn.Linear(256, 2)
    probe(features).sum().backward()
    assert not features.requires_grad
    assert probe.weight.grad is not None


def test_bytes_and_floats_are_the_same_image() -> None:
    encoder, images = build(), photos()
    assert torch.equal(encoder.encode(images), encoder.encode(images / 255))


def test_other_sizes_are_scaled_and_cut_to_the_centre() -> None:
    encoder = build()
    wide = torch.zeros(1, 3, 64, 96, dtype=torch.uint8)
    wide[..., 16:80] = photos(1, side=64)
    fitted = encoder.fit(wide)
    expected = nn.functional.interpolate(wide / 255, (32, 48), mode="bilinear", antialias=True)
    torch.testing.assert_close(fitted, expected[..., 8:40])
    assert encoder.encode(wide).shape == (1, 256)
    assert encoder.fit(photos(1, side=20)).shape == (1, 3, 32, 32)
    assert encoder.fit(photos(1, side=20)[:0]).shape == (0, 3, 32, 32)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (torch.zeros(2, 1, 32, 32), r"\[batch, 3, height, width\]"),
        (torch.full((1, 3, 32, 32), 255.0), r"lie in \[255, 255\]"),
        (torch.full((1, 3, 32, 32), torch.nan), r"\[0, 1\]"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.int64), "int64"),
    ],
)
def test_images_that_do_not_fit_are_named(images: Tensor, words: str) -> None:
    with pytest.raises(UserError, match=words):
        build().encode(images)


@pytest.mark.parametrize(
    ("name", "size"), [("convnet", 20), ("resnet18", 32), ("resnet18", 128), ("vit_tiny", 64)]
)
def test_the_config_is_json_and_rebuilds_the_architecture(name: str, size: int) -> None:
    encoder = build(name, size)
    config = json.loads(json.dumps(encoder.config))
    again = build_encoder(**config)
    again.load_state_dict(encoder.state_dict())
    assert again.config == encoder.config == config
    assert config["mean"] == list(MEAN)
    assert torch.equal(again.encode(photos(side=size)), encoder.encode(photos(side=size)))


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("resnt18", 32, "no encoder 'resnt18' .did you mean 'resnet18'"),
        ("vit_tny", 32, "did you mean 'vit_tiny'"),
        ("hf-hub:someone/model", 32, "no encoder"),
        ("resnet18.a1_in1k", 32, "names trained weights; training begins with 'resnet18'"),
        ("vit_tiny", 37, "use an image size of 40 px"),
        ("inception_v3", 32, "cannot take images of 32 px: .*[Kk]ernel"),
        ("convnext_atto", 8, "vanish .* use 16 px or more"),
        ("convnet", 3, "vanish"),
        ("convnet", 0, "1 or more"),
    ],
)
def test_a_name_or_size_that_cannot_be_is_refused(name: str, size: int, words: str) -> None:
    with pytest.raises(UserError, match=words) as refusal:
        build(name, size)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        ([0.5], [0.25], "1 means and 1 stds for 3 channels"),
        ([0.5] * 3, [0.25, 0.0, 0.25], "std positive"),
        ([0.5, float("nan"), 0.5], [0.25] * 3, "finite"),
    ],
)
def test_statistics_that_do_not_fit_are_refused(
    mean: list[float], std: list[float], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        build_encoder("convnet", image_size=32, mean=mean, std=std)


def test_grey_images_have_one_channel() -> None:
    for name in ("convnet", "resnet18"):
        encoder = build_encoder(name, image_size=28, channels=1, mean=[0.13], std=[0.31])
        assert encoder.encode(photos(2, side=28)[:, :1]).shape == (2, encoder.dim)


def test_building_draws_only_the_weights() -> None:
    first, second = build().state_dict(), build().state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
