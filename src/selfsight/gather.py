"""The batch across processes: the one file that gathers, with a gradient that is right.

Every process computes the loss of the whole batch from gathered rows. The gradient of the gathered
rows is summed over the processes on its way back, because every process's loss depends on them, and
data-parallel training then averages weights' gradients over the W processes: W equal losses, summed
and divided by W, give the gradient of one process with the whole batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor

_alone: ContextVar[bool] = ContextVar("alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """Make this process the only one for the block: it looks at a network while others train."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def world_size() -> int:
    """Return the number of processes that train together: 1 without a launcher."""
    if _alone.get() or not (dist.is_available() and dist.is_initialized()):
        return 1
    return dist.get_world_size()


def process_rank() -> int:
    """Return this process's number, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def gather(rows: Shaped[Tensor, "batch *rest"]) -> Shaped[Tensor, "all_batches *rest"]:
    """Return the rows of all processes in order of rank, differentiable; one process: itself.

    Every process must hold the same number of rows.
    """
    if world_size() == 1:
        return rows
    gathered: Tensor = _Gather.apply(rows)
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.batch = len(rows)
        parts = [torch.empty_like(rows) for _ in range(world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        start = process_rank() * ctx.batch
        return total[start : start + ctx.batch]
