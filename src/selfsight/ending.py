"""What may end a run before its time, and what the user is then told: Ctrl-C and full disks."""

import errno
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from selfsight.errors import Interrupted, UserError
from selfsight.gather import process_rank
from selfsight.run import Run

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


@contextmanager
def resumable(run: Run) -> Iterator[None]:
    """Turn Ctrl-C and a disk that takes no more into messages that say how to go on.

    What was half written is removed, and so is a run in which a mistake of the user's is found
    before the first step is taken. Raises Interrupted and UserError.
    """
    try:
        yield
    except Interrupted:
        raise
    except UserError:
        if process_rank() == 0:
            run.drop_if_not_begun()
        raise
    except KeyboardInterrupt:
        run.drop_partial_files()
        raise Interrupted("interrupted; continue with the same command and --resume") from None
    except OSError as error:
        if error.errno not in DISK:
            raise
        run.drop_partial_files()
        raise UserError(
            f"cannot write to {run.path}: {error.strerror}; mend that and continue with --resume"
        ) from error


@contextmanager
def unsaved() -> Iterator[None]:
    """Turn Ctrl-C before there is a run into a message that does not send to --resume."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted before there was anything to save; begin again with the same command"
        ) from None


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event, so that the step under way ends before the run stops."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: object) -> None:  # noqa: ARG001
        pressed.set()
        signal.signal(signal.SIGINT, before)  # a second Ctrl-C is not waited for

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
