"""Every error that a user can meet, and the exit code that each one ends a command with."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command's exit status means; documented in docs/cli.md."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    SOURCE_UNAVAILABLE = 3
    INCOMPLETE = 4
    BUG = 70
    LOCKED = 75
    INTERRUPTED = 130
    TERMINATED = 143


class AgentsyncError(Exception):
    """Something that the user can act on.

    Attributes:
        message: what failed, in one sentence.
        place: where: a file, `file:line`, a key or a redacted URL; empty where there is none.
        hint: what to do about it; empty where nothing sensible can be said.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INCOMPLETE

    def __init__(self, message: str, *, place: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class ConfigError(AgentsyncError):
    """The configuration, the manifest or the command's own words cannot be used."""

    exit_code = ExitCode.USAGE


class SourceUnavailableError(AgentsyncError):
    """A source could not be fetched: network, credentials, a missing repository or ref.

    Attributes:
        retry_after: for how many seconds the server wants to be left alone; 0 where it does not say.
    """

    exit_code = ExitCode.SOURCE_UNAVAILABLE

    def __init__(self, message: str, *, place: str = "", hint: str = "", retry_after: float = 0) -> None:
        super().__init__(message, place=place, hint=hint)
        self.retry_after = retry_after


class SourceRefusedError(AgentsyncError):
    """A source was fetched and must not be applied: rewritten history, a moved tag.

    Attributes:
        commit: the one that was refused; empty where that is not known here.
    """

    def __init__(self, message: str, *, place: str = "", hint: str = "", commit: str = "") -> None:
        super().__init__(message, place=place, hint=hint)
        self.commit = commit


class UnverifiedError(SourceRefusedError):
    """What a source leads to is not signed as this machine asks."""


class StateError(AgentsyncError):
    """The state database cannot be used."""


class LockedError(AgentsyncError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED


def why(error: Exception) -> str:
    """What kept a file from being used, without its path: messages name that as their place."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
