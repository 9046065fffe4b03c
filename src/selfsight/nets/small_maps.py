"""Convolutions of 3x3 on maps of 1x1 and 2x2 places, without multiplying the padding's zeros.

A ResNet halves a map five times: of 32 px it leaves a single place, on which eight ninths of every
3x3 kernel meet padding only. There the convolution is a matrix product of all places with the
kernel's part that meets them. It has the same weights, the same values and the same gradients
(those of the other taps are zero), and takes a fraction of the time: in a ResNet-18 at 32 px those
layers were most of a training step on a processor (`bench/small_maps.py`).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

LARGEST = 2  # places along a side; from 3 on most of a kernel meets the map


class SmallMapConv2d(nn.Conv2d):
    """A 3x3 convolution with padding 1 that treats small maps as vectors."""

    def forward(
        self, maps: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch wider rows columns"]:
        """Return what the plain convolution returns."""
        if max(maps.shape[-2:]) > LARGEST:
            return super().forward(maps)
        height, width = maps.shape[-2:]
        down, across = (int(stride) for stride in self.stride)
        rows, columns = range(0, height, down), range(0, width, across)
        # The kernel around place (row, column) meets the map with these of its taps.
        kernels = [
            self.weight[:, :, 1 - row : 1 - row + height, 1 - column : 1 - column + width].flatten(
                1
            )
            for row in rows
            for column in columns
        ]
        bias = None if self.bias is None else self.bias.repeat(len(kernels))
        places = F.linear(maps.flatten(1), torch.cat(kernels), bias)
        wider = places.reshape(-1, len(rows), len(columns), self.out_channels)
        return wider.permute(0, 3, 1, 2).contiguous()  # or weights after it get its strides


def quicken(network: nn.Module) -> None:
    """Replace the 3x3 convolutions of `network` in place, where they are of the plain kind.

    The names, the weights and the values stay as they are.
    """
    for name, part in list(network.named_children()):
        if type(part) is nn.Conv2d and _fits(part):
            setattr(network, name, _quick(part))
        else:
            quicken(part)


def _fits(part: nn.Conv2d) -> bool:
    return (
        part.kernel_size == (3, 3)
        and part.padding == (1, 1)
        and part.dilation == (1, 1)
        and part.groups == 1
        and part.padding_mode == "zeros"
    )


def _quick(part: nn.Conv2d) -> SmallMapConv2d:
    down, across = part.stride
    quick = SmallMapConv2d(
        part.in_channels, part.out_channels, 3, stride=(down, across), padding=1, device="meta"
    )
    quick.weight, quick.bias = part.weight, part.bias
    return quick.train(part.training)
