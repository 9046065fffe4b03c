"""Batch norm in groups: what several devices do to a batch, on one device.

Batch norm lets the images of a batch see one another. In MoCo a query could so recognise the key
that was normalised with it, without looking at the picture. The remedy is that a query and its key
are normalised among different images: the batch is cut into groups, and the keys are shuffled
first (He et al., CVPR 2020, arXiv 1911.05722, section 3.3, "shuffling BN").
"""

from copy import deepcopy
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from selfsight.errors import UserError
from selfsight.gather import gather

_Network = TypeVar("_Network", bound=nn.Module)


class SplitBatchNorm(nn.Module):
    """A batch norm layer that normalises every `splits`-th image together while it trains.

    The layer itself is `whole`. Its running statistics are those that it would have without the
    groups, over the images of all processes, because in evaluation it normalises with them.
    """

    def __init__(self, whole: _BatchNorm, *, splits: int) -> None:
        super().__init__()
        self.whole, self.splits = whole, splits

    def forward(
        self, maps: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels *places"]:
        """Return the normalised maps. Raises UserError for a batch that cannot be cut so."""
        if not self.training:
            output: Tensor = self.whole(maps)
            return output
        images, channels = maps.shape[:2]
        demand_groups(images, splits=self.splits)
        layer, groups = self.whole, self.splits
        assert layer.running_mean is not None, "a batch norm without running statistics"
        # row-major: images g, g + groups, g + 2 groups, ... become group g without being moved
        grouped = maps.reshape(images // groups, groups * channels, *maps.shape[2:])
        means = torch.zeros(groups * channels, device=maps.device, dtype=layer.running_mean.dtype)
        variances = torch.ones_like(means)
        normal = F.batch_norm(
            grouped,
            means,
            variances,
            None if layer.weight is None else layer.weight.repeat(groups),
            None if layer.bias is None else layer.bias.repeat(groups),
            training=True,
            momentum=1.0,  # so that means and variances become this batch's
            eps=layer.eps,
        ).reshape(maps.shape)
        self._remember(
            means.view(groups, channels),
            variances.view(groups, channels),
            count=grouped.numel() // (groups * channels),
        )
        for rest in layer.children():  # timm's batch norms have a dropout and an activation inside
            normal = rest(normal)
        return normal

    @torch.no_grad()
    def _remember(
        self,
        means: Float[Tensor, "groups channels"],
        variances: Float[Tensor, "groups channels"],
        *,
        count: int,
    ) -> None:
        """Update the running statistics with the mean and unbiased variance of all groups as one.

        Those of all processes: an encoder must not depend on which of them exports it.

        count: values a group and channel, of which `variances` are unbiased estimates.
        """
        means, variances = gather(torch.stack([means, variances], dim=1)).unbind(1)
        layer, total = self.whole, count * len(means)
        mean, variance, steps = layer.running_mean, layer.running_var, layer.num_batches_tracked
        assert mean is not None and variance is not None and steps is not None
        assert layer.momentum is not None, "a batch norm that averages over all batches"
        within = variances.mean(0) * (count - 1) / count
        of_all = (within + means.var(0, correction=0)) * total / (total - 1)
        mean.lerp_(means.mean(0), layer.momentum)
        variance.lerp_(of_all, layer.momentum)
        steps.add_(1)


def demand_groups(images: int, *, splits: int) -> None:
    """Raise UserError unless a process's batch of `images` can be cut into equal groups."""
    if images % splits or images < 2 * splits:
        raise UserError(
            f"splits is {splits}; it must cut the {images} images of a process's batch "
            "into equal groups of 2 or more"
        )


def split_batch_norms(network: nn.Module, *, splits: int) -> None:
    """Put every batch norm layer of `network` into a SplitBatchNorm, in place."""
    for name, part in network.named_children():
        if isinstance(part, _BatchNorm):
            setattr(network, name, SplitBatchNorm(part, splits=splits))
        else:
            split_batch_norms(part, splits=splits)


def with_whole_batch_norms(network: _Network) -> _Network:
    """Return a copy of `network` with its batch norm layers as they were before the split."""
    plain = deepcopy(network)
    _unwrap(plain)
    return plain


def shuffled(
    network: nn.Module, images: Float[Tensor, "batch *rest"]
) -> Float[Tensor, "batch dim"]:
    """Return `network(images)`, row for row, computed with the images in a random order."""
    order = torch.randperm(len(images), device=images.device)
    output: Tensor = network(images[order])
    return output[order.argsort()]


def _unwrap(network: nn.Module) -> None:
    for name, part in network.named_children():
        if isinstance(part, SplitBatchNorm):
            setattr(network, name, part.whole)
        else:
            _unwrap(part)
