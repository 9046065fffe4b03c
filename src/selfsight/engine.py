"""Device, precision and processes: the only file that knows the distributed engine.

Lightning Fabric stands behind it: it reads what torchrun left in the
environment, starts the process group and wraps the module for data-parallel training. One process
does not notice it.
"""

import logging
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from selfsight.errors import UserError
from selfsight.gather import gather, process_rank, world_size
from selfsight.method import Method, Step, Views
from selfsight.nets.synchronised import synchronise

PATIENCE = timedelta(days=7)  # a process that dies is noticed by the launcher, not by this

Forward = Callable[[Views, float], Step]


class Engine:
    """Runs a method's forward and backward pass where and how the settings say."""

    def __init__(self, *, device: str = "auto", precision: str = "auto") -> None:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies import DDPStrategy

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # we say what we use
        self.device = device_named(device)
        self.precision = _precision(precision, self.device)
        local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        nodes = int(os.environ.get("WORLD_SIZE", "1")) // local
        several = local * nodes > 1
        self._fabric: Any = Fabric(
            accelerator=self.device.type,
            devices=local if several or self.device.index is None else [self.device.index],
            num_nodes=nodes,
            # The others wait while the first decodes or measures: hours, with many images.
            strategy=DDPStrategy(timeout=PATIENCE) if several else "auto",
            precision="bf16-mixed" if self.precision == "bf16" else "32-true",
        )
        self._fabric.launch()
        self.device = self._fabric.device

    @property
    def first(self) -> bool:
        """Whether this is the process that prints and writes."""
        return process_rank() == 0

    def set_up(self, method: Method, optimiser: Optimizer) -> tuple[Forward, Optimizer]:
        """Return the method's forward pass and the optimiser, placed and wrapped.

        With several processes, batch norm is over all of their batches.
        """
        if world_size() > 1:
            synchronise(method)
        return self._fabric.setup(method, optimiser)  # type: ignore[no-any-return]

    def backward(self, loss: Tensor) -> None:
        """Add the loss's gradients to the weights', averaged over the processes."""
        self._fabric.backward(loss)

    def any(self, *said: bool) -> list[bool]:
        """Return of each statement whether any process makes it: all then do the same."""
        if world_size() == 1:
            return list(said)
        together = gather(torch.tensor([said], dtype=torch.float32, device=self.device))
        return [bool(column.any()) for column in together.T]

    def first_says(self, value: float) -> float:
        """Return the first process's value."""
        if world_size() == 1:
            return value
        return float(gather(torch.tensor([value], dtype=torch.float32, device=self.device))[0])

    def place(self, rows: Any) -> Tensor:
        """Return this process's share of a batch of arrays as a tensor on the device."""
        share = len(rows) // world_size()
        assert share * world_size() == len(rows), "the batch must divide among the processes"
        mine = rows[process_rank() * share : (process_rank() + 1) * share]
        return torch.from_numpy(mine).to(self.device, non_blocking=True)

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._fabric.barrier()


def device_named(name: str) -> torch.device:
    """Return a device; auto is an accelerator if there is one. Raises UserError for none such."""
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return found or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {name!r} cannot be used here: {reason}") from error
    return device


def _precision(name: str, device: torch.device) -> str:
    if name != "auto":
        return name
    if device.type == "cpu":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return "bf16" if fast else "fp32"
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
