"""Wanted and actual state of a target, and the change of one path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.state.records import Action, Key, Recorded

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Wanted:
    """File that should exist: its digest and the agent that it comes from."""

    digest: str
    agent: str
    dialect: str
    source: str
    source_path: str
    commit: str
    blob: str


@dataclass(frozen=True, slots=True)
class TargetState:
    """Wanted state of one target.

    Attributes:
        target: its name.
        directory: its absolute path.
        files: relative path to the file wanted there. Two targets never want the same path of one directory.
        kept: (source, source path) of each agent that cannot be read or rendered now and keeps its last good output.
    """

    target: str
    directory: str
    files: Mapping[str, Wanted]
    kept: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Actual:
    """Actual state of a path.

    Attributes:
        digest: of the file's bytes; None where there is nothing; empty for what agentsync never wrote: a directory, a
            symbolic link, a file that cannot be read.
        reason: why the digest is empty.
        code: of a problem with the whole target, where that is the reason for the empty digest.
        hint: how to solve that problem, where it differs from the code's remedy.
    """

    digest: str | None
    reason: str = ""
    code: Code | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Change of one path, with the three states that decided it, and the diagnostic where it is blocked."""

    target: str
    directory: str
    path: str
    action: Action
    base: Recorded | None
    actual: Actual
    wanted: Wanted | None
    diagnostic: Diagnostic | None = None

    @property
    def key(self) -> Key:
        return self.directory, self.path

    @property
    def agent(self) -> str:
        owner = self.wanted or self.base
        return owner.agent if owner else ""

    @property
    def slug(self) -> str:
        """What the agent is called in the target."""
        return slug_of(self.path)

    @property
    def source(self) -> str:
        """Source that requests the change: the one that wants the file, else the one that wrote it."""
        owner = self.wanted or self.base
        return owner.source if owner else ""


def slug_of(path: str) -> str:
    """Return what a target's agent is called: the file's name without its ending, which has the only dots."""
    return path.rpartition("/")[2].partition(".")[0]


def absolute(directory: str, path: str) -> str:
    """Return the absolute path of a file in a target, for messages."""
    return f"{directory.rstrip('/')}/{path}"
