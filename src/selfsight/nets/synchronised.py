"""Batch norm over the batches of all processes.

Torch's own SyncBatchNorm refuses the CPU, so a run on two processes could not be held against one
process there. This one gathers each process's mean and variance, differentiably, on any device.
"""

import torch
from torch import Tensor, nn

from selfsight.gather import gather, world_size


def synchronise(network: nn.Module) -> None:
    """Turn every plain batch norm in `network`, and timm's, into one that sees all batches.

    Weights and buffers stay where they are. Other subclasses keep their own idea of a batch.
    """
    for module in network.modules():
        if type(module) in _SYNCHRONISED:
            module.__class__ = _SYNCHRONISED[type(module)]
        elif isinstance(module, nn.BatchNorm2d) and dict(module.named_children()).keys() == _INSIDE:
            module.__class__ = _SynchronisedWithActivation


class _Synchronised(nn.modules.batchnorm._BatchNorm):
    def forward(self, input: Tensor) -> Tensor:
        if not self.training or world_size() == 1:
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            wide = torch.promote_types(input.dtype, torch.float32)
            return self._normalise(input.to(wide)).to(input.dtype)

    def _normalise(self, inputs: Tensor) -> Tensor:
        places = [0, *range(2, inputs.ndim)]
        variance, mean = torch.var_mean(inputs, dim=places, correction=0)
        means, variances = gather(mean[None]), gather(variance[None])
        mean = means.mean(0)
        variance = (variances + (means - mean) ** 2).mean(0)
        self._remember(mean, variance, count=world_size() * inputs.numel() // len(mean))
        shape = [1, -1, *(1 for _ in places[1:])]
        scale = torch.rsqrt(variance + self.eps)
        shift = -mean * scale
        if self.affine:
            scale, shift = scale * self.weight, shift * self.weight + self.bias
        return inputs * scale.view(shape) + shift.view(shape)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, *, count: int) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance * count / (count - 1), rate)


class _Synchronised1d(_Synchronised, nn.BatchNorm1d):
    pass


class _Synchronised2d(_Synchronised, nn.BatchNorm2d):
    pass


class _SynchronisedWithActivation(_Synchronised2d):
    """timm's BatchNormAct2d, which the EfficientNets, MobileNets and RegNets are built of."""

    def forward(self, input: Tensor) -> Tensor:
        output = super().forward(input)
        for rest in self.children():
            output = rest(output)
        return output


_INSIDE = {"drop", "act"}  # known by its parts, so that timm need not be imported
_SYNCHRONISED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: _Synchronised1d,
    nn.BatchNorm2d: _Synchronised2d,
}
