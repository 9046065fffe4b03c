"""The heads on an encoder: every projector and predictor of the joint-embedding methods.

They are all the same thing, layers of Linear, batch norm and ReLU, and differ in three places that
papers are exact about: whether the hidden layers have a bias (batch norm makes it redundant, but
it is a weight that an optimiser sees), whether the last layer has one, and what follows it.

    SimCLR                 mlp([512, 512, 128])
    BYOL, both heads       mlp([512, 4096, 256], hidden_bias=True, last_bias=False)
    SimSiam's projector    mlp([512, 2048, 2048, 2048], last_bias=False,
                               last_norm="batch_no_affine")
    SimSiam's predictor    mlp([2048, 512, 2048])
    MoCo v3                mlp([384, 4096, 256], last_bias=False, last_norm="batch_no_affine")
    Barlow Twins           mlp([512, 2048, 2048, 2048], last_bias=False)
    VICReg                 mlp([512, 2048, 2048, 2048], hidden_bias=True, last_bias=False)
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import nn


def mlp(
    sizes: Sequence[int],
    *,
    hidden_bias: bool = False,
    last_bias: bool = True,
    last_norm: Literal["none", "batch", "batch_no_affine"] = "none",
) -> nn.Sequential:
    """Return Linear-BN-ReLU for every hidden layer, then a Linear and `last_norm`.

    sizes: the widths from input to output, at least two: [in, hidden, ..., out].
    Weights have torch's default initialisation, which SimSiam needs (its appendix A).
    """
    assert len(sizes) >= 2, "a head needs an input and an output width"
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes[:-1]):
        layers += [nn.Linear(before, after, bias=hidden_bias), nn.BatchNorm1d(after), nn.ReLU()]
    layers.append(nn.Linear(sizes[-2], sizes[-1], bias=last_bias))
    if last_norm != "none":
        layers.append(nn.BatchNorm1d(sizes[-1], affine=last_norm == "batch"))
    return nn.Sequential(*layers)
