"""Tools that have no dialect: as another tool's agents, their files would mean something else."""

from __future__ import annotations

from typing import Final

DIRECTORIES: Final = frozenset({".continue", ".pi", ".devin", ".kimi-code", ".grok", ".deepagents"})
"""Their directories, in which nothing is read."""
