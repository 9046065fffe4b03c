"""Decoding on all cores, in processes that may crash or hang without harm to the rest.

The processes are plain Python commands, not `multiprocessing`: nothing of the caller's `__main__`
runs again and nothing is forked. A thread for each process hands it jobs and reads its answers.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from selfsight.data.worker import IDLE

MODULE = "selfsight.data.worker"
PATIENCE = 60.0  # seconds for one file
GLANCE = 0.2  # seconds between looks at the processes
LARGEST_JOB = 64  # files


@dataclass(slots=True)
class Outcome:
    """What became of some files."""

    failed: dict[int, str] = field(default_factory=dict)  # reason, by row
    sides: list[int] = field(default_factory=list)  # shorter sides in px, in no order


class WorkerError(RuntimeError):
    """The decoding processes do not even start; a fault of the installation."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """`count` decoding processes, which end with the `with` block.

    A file that ends its process, or holds it longer than PATIENCE, is reported as failed and the
    process is replaced.
    """

    def __init__(self, count: int, *, folder: Path) -> None:
        self._slots_path = folder / "slots"
        self._slots = np.memmap(self._slots_path, dtype=np.int64, mode="w+", shape=(count,))
        self._slots[:] = IDLE
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._seen: dict[int, tuple[int, float]] = {}  # by slot: a row and since when it is there
        self._stuck: set[int] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._lock = threading.Lock()  # of _processes and _closing

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closing = True
            for process in self._processes.values():
                process.kill()
        for thread in self._threads:
            thread.join()
        for process in self._processes.values():
            _bury(process)
        self._slots_path.unlink()

    def decode(
        self,
        paths: Sequence[str],
        *,
        root: str,
        side: int,
        store: Path,
        report: Callable[[int], None],
    ) -> Outcome:
        """Decode each path under `root` into its row of `store`; side 0 asks for their sides.

        `report` is told how many are done. Raises OSError if the store cannot be written.
        """
        jobs: queue.SimpleQueue[range] = queue.SimpleQueue()
        answers: queue.SimpleQueue[tuple[int, dict[str, Any]]] = queue.SimpleQueue()
        length = max(1, min(LARGEST_JOB, len(paths) // (4 * len(self._slots))))
        for start in range(0, len(paths), length):
            jobs.put(range(start, min(start + length, len(paths))))

        def serve(slot: int) -> None:
            try:
                while not self._closing:
                    rows = jobs.get_nowait()
                    job = {
                        "root": root,
                        "first": rows.start,
                        "paths": paths[rows.start : rows.stop],
                        "side": side,
                        "store": str(store),
                    }
                    answer = self._ask(slot, job)
                    if answer is None:
                        row, answer = self._culprit(slot)
                        for rest in (range(rows.start, row), range(row + 1, rows.stop)):
                            if rest:
                                jobs.put(rest)
                        rows = range(row, row + 1)
                    answers.put((len(rows), answer))
            except queue.Empty:
                pass
            except Exception as error:  # or the parent would wait for ever for this thread
                answers.put((0, {"fault": f"{type(error).__name__}: {error}"}))

        self._seen.clear()
        self._threads = [
            threading.Thread(target=serve, args=(slot,), daemon=True)
            for slot in range(len(self._slots))
        ]
        for thread in self._threads:
            thread.start()
        return self._collect(answers, len(paths), report)

    def _collect(
        self,
        answers: "queue.SimpleQueue[tuple[int, dict[str, Any]]]",
        total: int,
        report: Callable[[int], None],
    ) -> Outcome:
        outcome, done, looked = Outcome(), 0, time.monotonic()
        while done < total:
            with contextlib.suppress(queue.Empty):
                count, answer = answers.get(timeout=GLANCE)
                if "fault" in answer:
                    raise WorkerError(answer["fault"])
                if "errno" in answer:
                    raise OSError(answer["errno"], os.strerror(answer["errno"]))
                outcome.failed.update((row, reason) for row, reason in answer["failed"])
                outcome.sides += answer["sides"]
                done += count
            if time.monotonic() - looked > GLANCE:
                looked = time.monotonic()
                self._end_stuck(looked)
                report(done)
        report(done)
        return outcome

    def _ask(self, slot: int, job: dict[str, Any]) -> dict[str, Any] | None:
        """Return a process's answer to a job, or None if it died over it."""
        process = self._process(slot)
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _process(self, slot: int) -> subprocess.Popen[bytes]:
        with self._lock:
            if slot not in self._processes:
                start = f"import sys; sys.path[:] = {sys.path!r}; import {MODULE} as m; m.main()"
                command = [sys.executable, "-c", start, str(self._slots_path), str(slot)]
                pipe = subprocess.PIPE
                self._processes[slot] = subprocess.Popen(  # noqa: S603 -- our own Python
                    command, stdin=pipe, stdout=pipe, stderr=pipe
                )
                if self._closing:
                    self._processes[slot].kill()
            return self._processes[slot]

    def _culprit(self, slot: int) -> tuple[int, dict[str, Any]]:
        """Return the row over which a process died, and its failure; forget the process."""
        with self._lock:
            process = self._processes.pop(slot)
        printed = _bury(process)
        row = int(self._slots[slot])
        self._slots[slot] = IDLE
        if row == IDLE:
            raise WorkerError(f"a decoding process ended without cause: {printed}")
        if slot in self._stuck:
            reason = f"took longer than {PATIENCE:.0f} s to read"
        else:
            code = process.returncode
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            reason = f"crashed the decoder ({how})"
        self._stuck.discard(slot)
        return row, {"failed": [(row, reason)], "sides": []}

    def _end_stuck(self, now: float) -> None:
        with self._lock:
            for slot, process in self._processes.items():
                row = int(self._slots[slot])
                seen, since = self._seen.get(slot, (IDLE, now))
                if row == IDLE or row != seen:
                    self._seen[slot] = (row, now)
                elif now - since > PATIENCE:
                    self._stuck.add(slot)
                    process.kill()


def _bury(process: subprocess.Popen[bytes]) -> str:
    """Wait for the end of a killed or dead process, close its pipes, return its last words."""
    process.kill()
    process.wait()
    assert process.stderr is not None
    printed = process.stderr.read().decode(errors="replace").strip()
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
    return printed[-2000:]
