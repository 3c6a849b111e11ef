"""What is wanted in a target, what is there, and the change of one path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.state.records import Action, Key, Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that should exist: its digest and the agent that it comes from."""

    digest: str
    agent: str
    dialect: str
    source: str
    source_path: str
    commit: str
    blob: str


@dataclass(frozen=True, slots=True)
class TargetState:
    """All that should exist in one target.

    Attributes:
        target: its name.
        directory: its absolute path.
        files: relative path to what is wanted there. Two targets never want one path of one directory.
        kept: (source, source path) of each agent that cannot be read or rendered now and keeps its last good output.
    """

    target: str
    directory: str
    files: Mapping[str, Wanted]
    kept: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Actual:
    """What stands at a path.

    Attributes:
        digest: of the file's bytes; None where there is nothing; empty for what is never ours: a directory, a
            symbolic link, a file that cannot be read.
        reason: why the digest is empty.
        code: a finding about the whole target, where that is what the digest is empty for.
        hint: what to do about that, where the code's remedy is another.
    """

    digest: str | None
    reason: str = ""
    code: Code | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What would be done at one path, the three states that decided it, and what stands in the way."""

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
    def source(self) -> str:
        """The source that asks for the change: the one that wants the file, else the one that wrote it."""
        owner = self.wanted or self.base
        return owner.source if owner else ""


def _never(_change: Change) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Consent:
    """What the user agrees to for one run.

    Attributes:
        deletions: that all is deleted that a source drops at once, or that its former URL left behind.
        escalation: that agents get more than they had here.
        replaces: whether the source's file takes the place of what is in conflict with it.
    """

    deletions: bool = False
    escalation: bool = False
    replaces: Callable[[Change], bool] = _never


def absolute(directory: str, path: str) -> str:
    """The absolute path of a file in a target, for people."""
    return f"{directory.rstrip('/')}/{path}"
