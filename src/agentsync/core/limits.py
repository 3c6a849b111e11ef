"""Limits on what is read or kept."""

from __future__ import annotations

MAX_FILES = 20_000
"""The most candidate files that one source may have."""
