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
def reaching(path: str | Path) -> Iterator[None]:
    """Turn an OSError of the block (a parent that is closed, a name too long) into a UserError."""
    try:
        yield
    except OSError as fault:
        raise UserError(f"cannot use {path}: {fault.strerror or fault}") from fault


def suggest(wrong: str, known: list[str]) -> str:
    """Return " (did you mean 'x'?)" for the known word nearest to `wrong`, or ""."""
    from difflib import get_close_matches

    near = get_close_matches(wrong, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
