"""The command line: parse, call, print. It knows no mathematics and imports no torch.

One file a command; importing it adds the command to the application. The overview is written here,
by hand and in the order of the work, because even the parser takes longer to load than to read it.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from selfsight.errors import UserError

if TYPE_CHECKING:
    from cyclopts import App

COMMANDS = {
    "train": "Train an encoder on images and measure it.",
    "bench": "Name what bounds a planned run on this machine: disk, decoding, views or model.",
    "evaluate": "Measure an encoder beside what costs less, with few labels and with many.",
    "compare": "Compare methods on one equal budget: ranked, with spread, on one page.",
    "study": "Show how methods depend on one setting: the trend, with spread, on one page.",
    "diagnose": "Ask what is wrong with an encoder: collapse, quality without labels, shortcuts.",
    "explain": "Draw where an encoder looks, and test whether the maps tell the truth.",
    "embed": "Write the features of every image to a table.",
    "export": "Write the encoder in another tool's format and check it there.",
    "methods": "List the methods, or say everything about one.",
}
ALONE = ("bench", "evaluate", "compare", "study", "diagnose")  # they would wait for the others


def main(words: list[str]) -> int:
    """Run a command and return its exit code: 0, 2 for the user's mistakes, 130 for Ctrl-C.

    A fault of selfsight's own keeps its traceback.
    """
    try:
        if not words or words in (["--help"], ["-h"]):
            sys.stdout.write(overview())
        elif words[0] in ALONE and _launched():
            if _first_process():
                raise UserError(f"{words[0]} works in one process; start it without torchrun")
        elif words[0] == "train" or _first_process():  # only training knows several processes
            run(words)
    except UserError as error:
        sys.stderr.write(f"selfsight: {_one_line(error)}\n")
        return 2
    except KeyboardInterrupt as interrupt:
        if _first_process():
            said = interrupt.args[0] if interrupt.args else "interrupted"
            sys.stderr.write(f"selfsight: {said}\n")
        return 130
    return 0


def overview() -> str:
    """Return what `selfsight --help` prints."""
    width = max(map(len, COMMANDS))
    commands = "".join(f"  {name:<{width}}  {summary}\n" for name, summary in COMMANDS.items())
    return (
        "Usage: selfsight COMMAND [ARGUMENTS]\n\n"
        "From a folder of images to a self-supervised encoder and the evidence that it is good.\n\n"
        f"{commands}\n"
        "What a command takes: selfsight COMMAND --help\n"
        "The version:          selfsight --version\n"
    )


def run(words: list[str]) -> None:
    """Parse the words, with the files of those commands that they may mean, and call the command.

    Raises UserError for words that cannot be understood.
    """
    from cyclopts import CycloptsError

    try:
        application(words[0])(
            words, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        raise UserError(str(error)) from error


def application(command: str) -> "App":
    """Return the application with one command in it, or with all if `command` is none."""
    from selfsight.cli.app import app

    for name in [command] if command in COMMANDS else COMMANDS:
        import_module(f"selfsight.cli.{name}")
    return app


def _launched() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"  # of those that a launcher such as torchrun starts


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
