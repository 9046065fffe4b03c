"""Convolutions on small maps are the plain ones, only quicker."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from selfsight.nets.encoder import build_encoder
from selfsight.nets.small_maps import SmallMapConv2d, quicken


@pytest.mark.parametrize("side", [(1, 1), (2, 2), (1, 2), (2, 1), (3, 3), (2, 3)])
@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_those_of_the_plain_convolution(side, stride, bias) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(5, 7, 3, stride=stride, padding=1, bias=bias).double())
    quick = deepcopy(plain)
    quicken(quick)
    maps = torch.randn(4, 5, *side, dtype=torch.float64)
    inputs = [maps.clone().requires_grad_() for _ in range(2)]
    outputs = [net(part) for net, part in zip((plain, quick), inputs, strict=True)]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=0, atol=1e-12)
    direction = torch.randn_like(outputs[0])
    for output in outputs:
        output.backward(direction)
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad, rtol=0, atol=1e-12)
    for one, other in zip(plain.parameters(), quick.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=0, atol=1e-12)


def test_names_and_weights_stay_as_they_are() -> None:
    plain = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.Sequential(nn.Conv2d(4, 4, 3, padding=1))
    )
    quick = deepcopy(plain)
    quicken(quick)
    assert isinstance(quick[0], SmallMapConv2d)
    assert isinstance(quick[1][0], SmallMapConv2d)
    assert plain.state_dict().keys() == quick.state_dict().keys()
    for name, weight in plain.state_dict().items():
        assert torch.equal(quick.state_dict()[name], weight)


@pytest.mark.parametrize(
    "other",
    [
        nn.Conv2d(4, 4, 1),
        nn.Conv2d(4, 4, 5, padding=2),
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
    ],
)
def test_other_convolutions_are_left_alone(other: nn.Conv2d) -> None:
    network = nn.Sequential(other)
    quicken(network)
    assert network[0] is other


def test_an_encoder_has_them() -> None:
    encoder = build_encoder("convnet", image_size=8, mean=[0.5] * 3, std=[0.25] * 3)
    assert sum(isinstance(part, SmallMapConv2d) for part in encoder.modules()) == 5
