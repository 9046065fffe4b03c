"""Heads: one function, exact about biases and norms."""

import pytest
import torch
from torch import nn

from selfsight.nets.heads import mlp


def shape(head: nn.Sequential) -> list[str]:
    """Return the layers in words: Linear with (+) or without (-) bias, batch norm or bare norm."""
    words = []
    for layer in head:
        if isinstance(layer, nn.Linear):
            words.append("linear-" if layer.bias is None else "linear+")
        elif isinstance(layer, nn.BatchNorm1d):
            words.append("norm" if layer.affine else "bare norm")
        else:
            words.append(type(layer).__name__.lower())
    return words


def test_simclr() -> None:
    assert shape(mlp([8, 4, 2])) == ["linear-", "norm", "relu", "linear+"]


def test_byol() -> None:
    head = mlp([8, 4, 2], hidden_bias=True, last_bias=False)
    assert shape(head) == ["linear+", "norm", "relu", "linear-"]


def test_simsiam() -> None:
    head = mlp([8, 4, 4, 2], last_bias=False, last_norm="batch_no_affine")
    hidden = ["linear-", "norm", "relu"]
    assert shape(head) == [*hidden, *hidden, "linear-", "bare norm"]


def test_the_last_norm_may_learn() -> None:
    assert shape(mlp([8, 2], last_bias=False, last_norm="batch")) == ["linear-", "norm"]


def test_widths_follow_one_another() -> None:
    head = mlp([8, 5, 3])
    assert head(torch.rand(4, 8)).shape == (4, 3)
    assert head[0].out_features == head[1].num_features == head[3].in_features == 5


def test_a_head_needs_two_widths() -> None:
    with pytest.raises(AssertionError):
        mlp([8])
