"""Batch norm in groups: what it computes, what it remembers, and how it goes away again."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from selfsight.errors import UserError
from selfsight.nets.encoder import build_encoder
from selfsight.nets.split_batch_norm import (
    SplitBatchNorm,
    shuffled,
    split_batch_norms,
    with_whole_batch_norms,
)


def maps(count: int = 8) -> torch.Tensor:
    shift = torch.arange(count).view(-1, 1, 1, 1)
    return torch.randn(count, 3, 5, 5) * (1 + shift) + shift


def norm() -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(3)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    return layer


def test_each_group_is_normalised_as_if_it_were_the_batch() -> None:
    layer, inputs = norm(), maps()
    split = SplitBatchNorm(deepcopy(layer), splits=4)
    outputs = split(inputs)
    for group in range(4):
        torch.testing.assert_close(outputs[group::4], layer(inputs[group::4]))


def test_rows_without_places_are_split_too() -> None:
    layer, inputs = nn.BatchNorm1d(3), torch.randn(8, 3)
    outputs = SplitBatchNorm(deepcopy(layer), splits=2)(inputs)
    torch.testing.assert_close(outputs[1::2], layer(inputs[1::2]))


@pytest.mark.parametrize("splits", [1, 2, 4])
def test_the_running_statistics_are_those_of_the_whole_batch(splits: int) -> None:
    layer = norm()
    split = SplitBatchNorm(deepcopy(layer), splits=splits)
    for _ in range(3):
        inputs = maps()
        layer(inputs)
        split(inputs)
    for name, value in layer.state_dict().items():
        torch.testing.assert_close(split.whole.state_dict()[name], value)


def test_evaluation_uses_the_running_statistics_and_takes_any_batch() -> None:
    layer = norm()
    split = SplitBatchNorm(layer, splits=4)
    split(maps())
    split.eval()
    inputs = maps(5)
    torch.testing.assert_close(split(inputs)[2:3], split(inputs[2:3]))


def test_gradients_are_those_of_the_groups() -> None:
    layer, inputs = norm(), maps().requires_grad_()
    split = SplitBatchNorm(deepcopy(layer), splits=2)
    weighing = torch.randn_like(inputs)
    by_split = torch.autograd.grad(
        (split(inputs) * weighing).sum(), [inputs, split.whole.weight, split.whole.bias]
    )
    alone = sum((layer(inputs[g::2]) * weighing[g::2]).sum() for g in range(2))
    by_group = torch.autograd.grad(alone, [inputs, layer.weight, layer.bias])
    for one, other in zip(by_split, by_group, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("images", [9, 4])
def test_a_batch_without_equal_groups_of_two_is_refused_in_one_line(images: int) -> None:
    with pytest.raises(UserError, match=f"splits is 4; .* {images} images"):
        SplitBatchNorm(norm(), splits=4)(maps(images))


def test_the_activation_inside_a_timm_layer_stays() -> None:
    from timm.layers import BatchNormAct2d

    layer, inputs = BatchNormAct2d(3), maps()
    outputs = SplitBatchNorm(deepcopy(layer), splits=2)(inputs)
    assert outputs.min() == 0
    torch.testing.assert_close(outputs[::2], layer(inputs[::2]))


def test_splitting_and_back_gives_the_network_that_it_was() -> None:
    encoder = build_encoder("convnet", image_size=16, mean=[0.5] * 3, std=[0.25] * 3)
    before = deepcopy(encoder)
    split_batch_norms(encoder, splits=2)
    assert sum(isinstance(part, SplitBatchNorm) for part in encoder.modules()) == 5
    plain = with_whole_batch_norms(encoder)
    assert str(plain) == str(before)
    for name, value in before.state_dict().items():
        assert torch.equal(plain.state_dict()[name], value)


def test_the_plain_copy_shares_no_weight_with_the_split_network() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), norm())
    split_batch_norms(network, splits=2)
    ours = {id(weight) for weight in network.parameters()}
    assert ours.isdisjoint(id(weight) for weight in with_whole_batch_norms(network).parameters())


def test_shuffled_rows_come_back_in_their_order() -> None:
    inputs = torch.arange(16.0).view(16, 1)
    assert torch.equal(shuffled(nn.Identity(), inputs), inputs)


def test_shuffling_puts_images_among_others() -> None:
    seen: list[torch.Tensor] = []

    class Watching(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            seen.append(inputs)
            return inputs

    inputs = torch.arange(64.0).view(64, 1)
    shuffled(Watching(), inputs)
    assert not torch.equal(seen[0], inputs)
    assert torch.equal(seen[0].sort(0).values, inputs)
