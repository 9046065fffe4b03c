"""Optimisers by name, with the parameter groups that they need.

Biases and the weights of normalisation layers (one dimension or none) are neither decayed nor
scaled by LARS, as in SimCLR, BYOL, Barlow Twins and VICReg.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer

NAMES = ("adamw", "lars", "sgd")


def build_optimiser(
    name: str, groups: Iterable[dict[str, Any]], *, weight_decay: float
) -> Optimizer:
    """Return the optimiser `name` over a method's groups; the loop sets its rate at every step.

    Raises ValueError for an unknown name.
    """
    split = [part for group in groups for part in _by_dimension(group, weight_decay)]
    if name == "adamw":
        return AdamW(split, lr=0.0)
    if name == "sgd":
        return SGD(split, lr=0.0, momentum=0.9, nesterov=True)
    if name == "lars":
        return Lars(split)
    raise ValueError(f"no optimiser {name!r}; there are: {', '.join(NAMES)}")


def scaled_rate(name: str, lr: float, *, batch: int) -> float:
    """Return the rate for `batch` images a step from a rate made for 256.

    Linear for SGD and LARS (Goyal et al. 2017); by the square root for AdamW, whose step length
    does not grow with the gradient.
    """
    ratio = batch / 256
    return float(lr * (ratio**0.5 if name == "adamw" else ratio))


class Lars(Optimizer):
    """SGD with momentum whose step for each matrix is a fixed share of the matrix's own length.

    You, Gitman, Ginsburg 2017 (arXiv 1708.03888), in the form of SimCLR, BYOL and VICReg: with
    u = g + decay w and r = trust |w| / |u| (1 if either length is 0), m <- momentum m + r u and
    w <- w - lr m. Tensors with one dimension or none get neither decay nor r.
    """

    def __init__(
        self, params: Iterable[dict[str, Any]], *, momentum: float = 0.9, trust: float = 0.001
    ) -> None:
        defaults = {"lr": 0.0, "weight_decay": 0.0, "momentum": momentum, "trust": trust}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step; `closure` is accepted for torch's interface and called if given."""
        loss = closure() if closure else None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)
        return loss

    def _move(self, weight: Tensor, group: dict[str, Any]) -> None:
        update = weight.grad
        assert update is not None
        if weight.ndim > 1:
            update = update + group["weight_decay"] * weight
            length, step = weight.norm(), update.norm()
            ratio = torch.where((length > 0) & (step > 0), group["trust"] * length / step, 1.0)
            update = update * ratio
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].mul_(group["momentum"]).add_(update)
        weight.sub_(state["momentum"] * group["lr"])


def _by_dimension(group: dict[str, Any], weight_decay: float) -> list[dict[str, Any]]:
    rest = {name: value for name, value in group.items() if name != "params"}
    flat = [weight for weight in group["params"] if weight.ndim <= 1]
    deep = [weight for weight in group["params"] if weight.ndim > 1]
    parts = [rest | {"params": deep, "weight_decay": weight_decay}]
    parts.append(rest | {"params": flat, "weight_decay": 0.0})
    return [part for part in parts if part["params"]]
