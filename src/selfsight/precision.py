"""Losses in full precision, whatever the networks ran in.

Under bf16 autocast a matrix product of two float32 matrices is computed in bf16 again; the logits
of a contrastive loss at temperature 0.07 do not survive that. A loss is therefore a decorated
function: autocast is off inside it and half-precision inputs are widened to float32.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

_Inputs = ParamSpec("_Inputs")
_Output = TypeVar("_Output")


def full_precision(loss: Callable[_Inputs, _Output]) -> Callable[_Inputs, _Output]:
    """Return `loss` with autocast off and half-precision tensors (also in lists) as float32."""

    @wraps(loss)
    def wide(*args: _Inputs.args, **kwargs: _Inputs.kwargs) -> _Output:
        named = {name: _widen(value) for name, value in kwargs.items()}
        with torch.autocast(_device(*args, *kwargs.values()), enabled=False):
            return loss(*map(_widen, args), **named)  # type: ignore[arg-type]

    return wide


def _device(*values: object) -> str:
    """Return the kind of device of the first tensor, which may be in a list."""
    flat = (item for value in values for item in (value if isinstance(value, list) else [value]))
    return next(item.device.type for item in flat if isinstance(item, Tensor))


def _widen(value: object) -> object:
    if isinstance(value, list):
        return [_widen(item) for item in value]
    if isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16):
        return value.float()
    return value
