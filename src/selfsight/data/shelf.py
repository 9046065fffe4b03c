"""Folders in the cache that are made once, and are there whole or not at all.

A folder is filled under a temporary name and renamed when complete, so that a killed run leaves
nothing that could be taken for a result. The maker holds a lock: a second run that wants the same
folder waits for the first and then uses its work, and what lies half-made under a free lock is
known to be abandoned.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selfsight.errors import UserError

HALF_MADE = ".building"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def keep(
    cache: Path,
    name: str,
    *,
    state: str,
    whole: Callable[[Path], bool],
    fill: Callable[[Path], None],
    waiting: Callable[[], None],
) -> Path:
    """Return the folder `name` of the cache as of `state`, which `fill` makes if need be.

    Older states of the name are deleted; who has them open keeps them. `whole` tells whether a
    folder is sound, `waiting` is called when another process is making it. Raises UserError if
    the cache cannot be written.
    """
    final = cache / f"{name}-{state}"
    try:
        if final.is_dir() and whole(final):
            return final
        cache.mkdir(parents=True, exist_ok=True)
        with _lock(cache / f"{name}.lock", waiting):
            if not (final.is_dir() and whole(final)):
                _sweep(cache)
                _make(final, cache / f"{name}{HALF_MADE}", fill)
                for old in cache.glob(f"{name}-*"):
                    if old != final:
                        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise UserError(cannot_write(cache, error)) from error
    return final


def cannot_write(cache: Path, error: OSError) -> str:
    """Return what to tell the user about a cache that cannot be written."""
    if error.errno in FULL:
        free = shutil.disk_usage(cache).free
        return (
            f"the disk of the cache {str(cache)!r} is full ({free:,} bytes free); "
            f"free some space or choose another cache folder"
        )
    why = error.strerror or str(error)
    return f"cannot write in the cache {str(cache)!r}: {why}; choose another cache folder"


@contextmanager
def _lock(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file, or the end of the process by whatever cause, gives the lock back


def _sweep(cache: Path) -> None:
    """Delete what killed runs left half-made under other names."""
    for half in cache.glob(f"*{HALF_MADE}"):
        with half.with_suffix(".lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # at work, or our own
            shutil.rmtree(half, ignore_errors=True)


def _make(final: Path, half: Path, fill: Callable[[Path], None]) -> None:
    if half.exists():
        shutil.rmtree(half)
    half.mkdir()
    try:
        fill(half)
        if final.exists():  # there, but not whole
            shutil.rmtree(final)
        os.rename(half, final)  # noqa: PTH104 -- must fail if the target has come up meanwhile
    except BaseException:  # Ctrl-C too leaves nothing behind
        shutil.rmtree(half, ignore_errors=True)
        raise
