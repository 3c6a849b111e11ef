"""What git says of a commit and of the files in its tree."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What a commit says about itself: its id, committer time in epoch seconds, first line."""

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
