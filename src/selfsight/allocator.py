"""Freed memory is kept for the next step: giving it back and asking anew costs a page fault a page.

Of glibc only; elsewhere nothing happens. A process that calls this keeps what it once used, up to
1 GiB at the end of its heap. The command line does so; `import selfsight` does not, because the
process is then the user's.
"""

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = -1, -2, -3, -4  # of mallopt(3)
KEPT = 1 << 30  # bytes at the end of the heap
AHEAD = 1 << 26  # bytes asked for beyond what is needed
HIGHEST_THRESHOLD = 1 << 25  # bytes; glibc accepts no more


def keep_freed_memory() -> None:
    """Keep freed blocks of any size: a training step allocates the same tensors each time."""
    _set(TRIM_THRESHOLD, KEPT)
    _set(TOP_PAD, AHEAD)
    _set(MMAP_MAX, 0)


def keep_freed_blocks() -> None:
    """Keep freed blocks below 32 MiB; a single huge image's memory still goes back at once."""
    _set(TRIM_THRESHOLD, KEPT)
    _set(TOP_PAD, AHEAD)
    _set(MMAP_THRESHOLD, HIGHEST_THRESHOLD)


def _set(parameter: int, value: int) -> None:
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):  # musl has none
            library.mallopt(parameter, value)
