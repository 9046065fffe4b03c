"""The command line: parse, call, print. It knows no mathematics and imports no torch.

One file a command; importing it adds the command to the application.
"""

import sys

from cyclopts import CycloptsError

from selfsight.cli import embed, evaluate, explain, export, methods, train  # noqa: F401
from selfsight.cli.app import app
from selfsight.errors import UserError

__all__ = ["app", "main"]


def main(words: list[str]) -> int:
    """Run a command and return its exit code: 0, 2 for the user's mistakes, 130 for Ctrl-C.

    A fault of selfsight's own keeps its traceback.
    """
    try:
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except (UserError, CycloptsError) as error:
        sys.stderr.write(f"selfsight: {_one_line(error)}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("selfsight: interrupted\n")
        return 130
    except Exception as error:
        # Its class lives beside torch, which a wrong option must not load.
        if type(error).__name__ != "Interrupted":
            raise
        sys.stderr.write(f"selfsight: {error}\n")
        return 130
    return 0


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
