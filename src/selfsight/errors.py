"""What the command line prints as one line: mistakes that the user can mend, and Ctrl-C."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a message that says what is saved and how to go on."""


class UserError(ValueError):
    """A mistake in the user's input or surroundings; its message is one line that says what to do.

    The command line prints the message without a traceback and exits with code 2. Anything else
    that is raised is a fault of selfsight and keeps its traceback.
    """


@contextmanager
def reaching(path: str | Path, *, to: str = "use") -> Iterator[None]:
    """Turn an OSError of the block into a UserError that names the path and what was not possible.

    No permission, a parent that is closed, a name too long, a full disk: the system's word is told.
    """
    try:
        yield
    except OSError as fault:
        raise UserError(f"cannot {to} {path}: {fault.strerror or one_line(fault)}") from fault


def one_line(fault: Exception) -> str:
    """Return the fault's message as one line of at most 200 characters."""
    return " ".join(str(fault).split())[:200]


def suggest(wrong: str, known: list[str]) -> str:
    """Return " (did you mean 'x'?)" for the known word nearest to `wrong`, or ""."""
    from difflib import get_close_matches

    near = get_close_matches(wrong, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
