"""`python -m selfsight` and the `selfsight` command."""

import sys

from selfsight.allocator import keep_freed_memory
from selfsight.cli import main as run_command_line


def main() -> None:
    """Run the command line and leave with its exit code."""
    keep_freed_memory()
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
