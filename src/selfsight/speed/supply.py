"""How fast files come from the disk and become pixels, by a sample of them.

The files of the sample are first dropped from the system's memory where it lets us (Linux), or a
second measurement would read memory and call it a disk.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import UInt8

from selfsight.data.scan import Scan
from selfsight.data.store import SAMPLED, allocate, stored_side
from selfsight.data.workers import Workers, cores
from selfsight.errors import UserError

SHARE = 64  # files a process, at least: fewer do not repay starting it
TRIED = 8  # files a process, to find how many fit into the time
MOST = 20_000  # files


@dataclass(frozen=True, slots=True)
class Supply:
    """What a sample of files shows.

    reading: images/s from the disk, one file after the other. decoding: images/s of `processes`
    processes, of files that are in memory as far as they were read. file: bytes of a file, the
    mean. pixels: the decoded sample, memory-mapped.
    """

    reading: float
    decoding: float
    processes: int
    file: float
    pixels: UInt8[np.ndarray, "images 3 side side"]

    @property
    def storing(self) -> float:
        """Return images/s of decoding a folder for the first time: the slower of the two."""
        return min(self.reading, self.decoding)


@contextmanager
def supply(found: Scan, *, size: int, seconds: float) -> Iterator[Supply]:
    """Measure for about `seconds` and keep the decoded sample for the block.

    Raises UserError if nothing of the sample can be read.
    """
    order = np.random.default_rng(0).permutation(len(found.paths))[:MOST]
    paths = [found.paths[row] for row in order]
    reading, file = _read(found.root, paths, seconds=seconds / 3)
    with TemporaryDirectory(prefix="selfsight-bench-") as place:
        folder = Path(place)
        processes = min(cores(), max(1, len(paths) // SHARE))
        with Workers(processes, folder=folder) as workers:
            sides = workers.decode(
                paths[:SAMPLED],  # which also starts the processes: that is not timed
                root=found.root,
                side=0,
                store=Path(os.devnull),
                report=lambda _: None,
            ).sides
            side = stored_side(sides, size)
            tried = paths[: TRIED * processes]
            store = folder / "tried.u8"
            decoding, failed = _decode(workers, found.root, tried, side=side, store=store)
            sample = paths[: max(len(tried), int(decoding * seconds / 2))]
            if len(sample) > len(tried):
                store = folder / "pixels.u8"
                decoding, failed = _decode(workers, found.root, sample, side=side, store=store)
        if failed == len(sample):
            raise UserError(
                f"none of {failed} image files under {found.root!r} can be read, such as "
                f"{sample[0]!r}; selfsight train says why, file by file"
            )
        pixels = np.memmap(store, dtype=np.uint8, mode="r", shape=(len(sample), 3, side, side))
        yield Supply(reading, decoding, processes, file, pixels)


def _read(root: str, paths: Sequence[str], *, seconds: float) -> tuple[float, float]:
    """Return files/s of reading them one after the other, and the mean of their bytes."""
    places = [Path(root, path) for path in paths]
    if hasattr(os, "posix_fadvise"):
        for place in places:
            with suppress(OSError), place.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    began, count, total = time.perf_counter(), 0, 0
    for place in places:
        with suppress(OSError):  # what cannot be read is counted, and found when it is decoded
            total += len(place.read_bytes())
        count += 1
        if time.perf_counter() - began > seconds:
            break
    return count / (time.perf_counter() - began), total / count


def _decode(
    workers: Workers, root: str, paths: Sequence[str], *, side: int, store: Path
) -> tuple[float, int]:
    """Return files/s of decoding them into a store, and how many cannot be read."""
    allocate(store, len(paths) * 3 * side**2)
    began = time.perf_counter()
    outcome = workers.decode(paths, root=root, side=side, store=store, report=lambda _: None)
    return len(paths) / (time.perf_counter() - began), len(outcome.failed)
