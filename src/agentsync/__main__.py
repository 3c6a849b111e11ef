"""The program: `agentsync`, and `python -m agentsync`."""

from __future__ import annotations

import os
import sys

from agentsync.completion import VARIABLE
from agentsync.completion.overview import answer, printed


def main() -> int:
    """Run the command line, or answer a shell that completes it; return the exit status."""
    if VARIABLE in os.environ:
        from agentsync.completion import main as complete  # noqa: PLC0415 - one of the two is needed

        return complete()
    if (text := answer(sys.argv[1:])) and printed(text):
        return 0
    from agentsync.cli import main as run  # noqa: PLC0415 - the same

    return run()


if __name__ == "__main__":
    sys.exit(main())
