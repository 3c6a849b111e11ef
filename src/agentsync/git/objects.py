"""Commits, and the files in their trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SUBMODULE: Final = "160000"
"""Git's mode of a submodule, which a tree names by its commit in another repository."""

FIRST_PARENTS: Final = ("log", "-z", "--first-parent", "--no-show-signature", "--format=%H%n%T%n%ct%n%B")
"""Arguments of git that list a commit and the first parent of each."""


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """A commit's id, committer time in epoch seconds, and first line of the message."""

    id: str
    time: int
    subject: str


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """A commit's id, the id of its tree, its committer time in epoch seconds, and its message."""

    id: str
    tree: str
    time: int
    message: str


def parse_first_parents(output: bytes) -> list[CommitRecord]:
    """Parse the output of git with FIRST_PARENTS: commits, the newest first."""
    fields = (text.split("\n", 3) for text in output.decode(errors="replace").split("\0")[:-1])
    return [CommitRecord(id_, tree, int(seconds), message) for id_, tree, seconds, message in fields]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a repository at a commit: path with `/`, git's mode, blob id, and size in bytes."""

    path: str
    mode: str
    blob: str
    size: int
