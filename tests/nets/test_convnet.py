"""The small network of our own: fast, and for images of many sizes."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from selfsight.nets.convnet import ConvNet
from selfsight.nets.encoder import build_encoder


@pytest.mark.parametrize("side", [8, 15, 32, 96, 130])
def test_every_size_from_8_px_gives_256_features(side: int) -> None:
    network = ConvNet(channels=3)
    assert network(torch.rand(2, 3, side, side)).shape == (2, 256)
    places = -(-side // 8)
    assert network.forward_features(torch.rand(2, 3, side, side)).shape == (2, 256, places, places)


def test_it_says_what_its_stages_are() -> None:
    network = ConvNet(channels=1)
    maps = network.forward_intermediates(torch.rand(2, 1, 32, 32), intermediates_only=True)
    for stage, described in zip(maps, network.feature_info, strict=True):
        assert stage.shape[1] == described["num_chs"]
        assert stage.shape[2] == 32 // int(str(described["reduction"]))
        assert isinstance(network.get_submodule(str(described["module"])), nn.Sequential)


def test_it_multiplies_at_most_an_eighth_of_a_resnet18() -> None:
    def multiplications(name: str) -> int:
        encoder = build_encoder(name, image_size=32, mean=[0.5] * 3, std=[0.25] * 3)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            encoder(torch.rand(2, 3, 32, 32))
        return int(counter.get_total_flops())

    assert 8 * multiplications("convnet") < multiplications("resnet18")
