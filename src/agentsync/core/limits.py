"""How much of anything is read or kept."""

from __future__ import annotations

MAX_FILES = 20_000
"""How many candidate files one source may hold."""
