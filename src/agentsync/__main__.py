"""The program: `agentsync`, and `python -m agentsync`."""

from __future__ import annotations

import sys

from agentsync.cli import main

if __name__ == "__main__":
    sys.exit(main())
