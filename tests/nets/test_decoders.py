"""Which encoders a task can train through their map of features."""

import pytest
import torch

from selfsight.errors import UserError
from selfsight.nets.decoders import map_width, pooled
from selfsight.nets.encoder import Encoder, build_encoder


def encoder_of(name: str) -> Encoder:
    torch.manual_seed(0)
    return build_encoder(name, image_size=32, mean=[0.5] * 3, std=[0.25] * 3)


@pytest.mark.parametrize("name", ["test_convnext", "test_vit"])
def test_an_encoder_that_exports_no_mean_of_its_map_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(UserError, match=f"encoder '{name}' exports no mean of one") as refused:
        map_width(encoder_of(name), method="inpainting")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["convnet", "resnet18"])
def test_asking_changes_nothing_in_an_encoder_that_exports_the_mean(name: str) -> None:
    encoder = encoder_of(name).train()
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    drawn = torch.get_rng_state()
    assert map_width(encoder, method="inpainting") == encoder.dim
    assert torch.equal(drawn, torch.get_rng_state())
    assert all(part.training for part in encoder.modules())
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    images = torch.rand(2, 3, 32, 32)
    encoder.eval()
    torch.testing.assert_close(pooled(encoder.feature_map(images)), encoder(images))
