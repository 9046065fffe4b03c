"""How much memory is there, taken and free."""

import math
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch


def peak_memory(device: torch.device) -> int:
    """Return the most bytes taken so far: on an accelerator by tensors, else by this process."""
    if device.type != "cpu":
        with suppress(RuntimeError, NotImplementedError):  # not every kind of device counts
            return torch.accelerator.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def installed_memory(device: torch.device) -> float:
    """Return the bytes that the device has; infinite where it cannot be told."""
    if device.type == "cuda":
        return float(torch.cuda.get_device_properties(device).total_memory)
    if device.type == "cpu" and hasattr(os, "sysconf"):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return math.inf


def free_memory() -> int | None:
    """Return the bytes of main memory that programs may still take; None where nobody tells."""
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def in_words(count: int) -> str:
    """Return a number of bytes for a reader."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
