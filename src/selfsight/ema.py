"""A slow copy of a network: the exponential moving average of its weights.

Only weights are averaged. Batch norm statistics of the copy are its own: it forwards in training
mode like the network that it follows, so a copy in evaluation mode would keep its first statistics.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn


class Ema(nn.Module):
    """A network that follows another one by `update`, and never by gradient."""

    def __init__(self, online: nn.Module) -> None:
        super().__init__()
        self.network = deepcopy(online).requires_grad_(requires_grad=False)

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """Return the slow network's output, without a graph."""
        output: Tensor = self.network(inputs)
        return output

    @torch.no_grad()
    def update(self, online: nn.Module, *, momentum: float) -> None:
        """Move every weight to `momentum` x itself + (1 - `momentum`) x the online weight."""
        slow: list[Tensor] = list(self.network.parameters())
        fast: list[Tensor] = list(online.parameters())
        torch._foreach_lerp_(slow, fast, 1 - momentum)
