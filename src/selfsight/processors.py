"""How many threads to compute with: as many as there are cores that nobody else is using.

Threads wait for one another at the end of every operation. One of them sharing its core with
another program makes all the others wait, which costs far more than the core: on two cores, one of
them busy, two threads were several times slower than one (`bench/threads.py`).
"""

import os
import time
from pathlib import Path

SAMPLE = 0.3  # seconds over which the cores are watched


def free_cores() -> int:
    """Return this process's share of the cores that are idle now, at least 1.

    Takes a third of a second. Linux tells by /proc/stat; elsewhere all cores count as idle.
    Processes that train together (torchrun) share.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    together = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    try:
        idle, total = _ticks()
        time.sleep(SAMPLE)
        idle_then, total_then = _ticks()
    except (OSError, ValueError, IndexError):
        return max(1, cores // together)
    share = (idle_then - idle) / max(1, total_then - total)
    idle_cores = min(cores, round(share * (os.cpu_count() or cores)))
    return max(1, idle_cores // together)


def _ticks() -> tuple[int, int]:
    """Return the ticks that all cores have been idle, and all their ticks, since the start."""
    line = Path("/proc/stat").read_text("ascii").splitlines()[0]
    ticks = [int(word) for word in line.split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
