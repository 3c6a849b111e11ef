"""Commits, and the files in their trees."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """A commit's id, committer time in epoch seconds, and first line of the message."""

    id: str
    time: int
    subject: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a repository at a commit: path with `/`, git's mode, blob id, and size in bytes."""

    path: str
    mode: str
    blob: str
    size: int
