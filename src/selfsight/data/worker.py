"""The process that decodes: reads jobs from stdin, a JSON object a line, and answers on stdout.

It imports NumPy and Pillow only. Its arguments are the shared file of slots and its own slot. Jobs:

    {"root", "first", "paths", "side", "store"}  ->  {"failed": [[row, reason], ...], "sides": [..]}

The pixels of paths[0] become row `first` of the store, and so on. `side` 0 asks for the shorter
sides of the files instead. The row in hand is kept in the slot, so that the parent knows which
file a dead or stuck worker had.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Int64

from selfsight.allocator import keep_freed_blocks
from selfsight.data.decode import UnreadableImageError, decode, shorter_side
from selfsight.data.filetypes import readable_formats

IDLE = -1
WRITTEN_AT_ONCE = 1 << 20  # bytes
LONGEST = 180  # seconds for one file, long after which the parent, if it lives, has lost patience


def main() -> None:
    """Work until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    keep_freed_blocks()  # giving memory back after each image halves Pillow's speed
    readable_formats()
    slots, number = sys.argv[1], int(sys.argv[2])
    slot = np.memmap(slots, dtype=np.int64, mode="r+", offset=0)[number : number + 1]
    answers = _silence()
    for line in sys.stdin.buffer:
        try:
            answer = _work(json.loads(line), slot)
        except OSError as error:  # of the store's disk; images raise UnreadableImageError
            answer = {"errno": error.errno or 0}
        slot[0] = IDLE
        answers.write(json.dumps(answer).encode() + b"\n")


def _work(job: dict[str, Any], slot: Int64[np.ndarray, "1"]) -> dict[str, Any]:
    failed: list[tuple[int, str]] = []
    sides: list[int] = []
    following = IDLE  # the row at which the store's file stands
    signal.alarm(LONGEST * len(job["paths"]))  # ends even an orphan caught in a loop of C
    with Path(job["store"]).open("r+b", buffering=WRITTEN_AT_ONCE) as store:
        for row, name in enumerate(job["paths"], start=job["first"]):
            slot[0] = row
            path = f"{job['root']}/{name}"
            try:
                if job["side"]:
                    pixels = decode(path, side=job["side"])
                    if row != following:
                        store.seek(row * pixels.nbytes)
                    store.write(pixels.data)
                    following = row + 1
                else:
                    sides.append(shorter_side(path))
            except UnreadableImageError as error:
                failed.append((row, str(error)))
    signal.alarm(0)
    return {"failed": failed, "sides": sides}


def _silence() -> BinaryIO:
    """Return the way to the parent; what libraries print from now on goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers
