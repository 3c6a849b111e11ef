"""Errors reported to the user, each with the exit code of the command that it ends."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit statuses of the commands, documented in docs/cli.md."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    SOURCE_UNAVAILABLE = 3
    INCOMPLETE = 4
    BUG = 70
    SHORTAGE = 71
    LOCKED = 75
    INTERRUPTED = 130
    TERMINATED = 143


class AgentsyncError(Exception):
    """An error that the user can act on.

    Attributes:
        message: what failed, in one sentence.
        place: a file, `file:line`, a key or a redacted URL; empty where there is none.
        hint: what to do about it; empty where there is no useful advice.
        others: the further mistakes of the same file; none of them has others.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INCOMPLETE

    def __init__(self, message: str, *, place: str = "", hint: str = "", others: Sequence[AgentsyncError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint
        self.others = tuple(others)

    def __str__(self) -> str:
        more = f" (and {len(self.others)} more)" if self.others else ""
        return f"{self._located}{more}"

    @property
    def _located(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message

    @property
    def mistakes(self) -> tuple[tuple[str, str], ...]:
        """What is wrong and where, and the hint: of this error, then of each of the others."""
        return tuple((error._located, error.hint) for error in (self, *self.others))  # noqa: SLF001 - of its own class

    def as_dict(self) -> dict[str, object]:
        """JSON form as documented in docs/json.md."""
        record: dict[str, object] = {"message": self.message, "place": self.place, "hint": self.hint}
        return {**record, "others": [error.as_dict() for error in self.others]} if self.others else record


class ConfigError(AgentsyncError):
    """The configuration, the manifest or the command line is invalid."""

    exit_code = ExitCode.USAGE


class SourceUnavailableError(AgentsyncError):
    """A source could not be fetched: network, credentials, a missing repository or ref.

    Attributes:
        retry_after: the seconds to wait, as requested by the server; 0 where it requests none.
    """

    exit_code = ExitCode.SOURCE_UNAVAILABLE

    def __init__(self, message: str, *, place: str = "", hint: str = "", retry_after: float = 0) -> None:
        super().__init__(message, place=place, hint=hint)
        self.retry_after = retry_after


class SourceShortageError(SourceUnavailableError):
    """A source could not be fetched since this machine has too little of something for now."""

    exit_code = ExitCode.SHORTAGE


class SourceRefusedError(AgentsyncError):
    """A source was fetched but must not be applied: rewritten history, a moved tag.

    Attributes:
        commit: the refused commit; empty where it is not known.
    """

    def __init__(
        self,
        message: str,
        *,
        place: str = "",
        hint: str = "",
        commit: str = "",
        others: Sequence[AgentsyncError] = (),
    ) -> None:
        super().__init__(message, place=place, hint=hint, others=others)
        self.commit = commit


class UnverifiedError(SourceRefusedError):
    """A commit or tag of a source lacks the signature that this machine requires."""


class StateError(AgentsyncError):
    """The state database cannot be used."""


class StateShortageError(StateError):
    """The state database cannot be used for now: there is no space or memory left."""

    exit_code = ExitCode.SHORTAGE


class LockedError(AgentsyncError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED


_SHORTAGES = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
)


class ShortageError(AgentsyncError):
    """The system has too little of something for now: threads, processes, memory, descriptors, space, file size."""

    exit_code = ExitCode.SHORTAGE


def shortage(error: BaseException) -> ShortageError | None:
    """Return the error for a failure that may pass by itself, or that one led to; None for others, such as a bug."""
    if (short := _shortage(error)) or not (cause := error.__cause__ or error.__context__):
        return short
    return shortage(cause)


def _shortage(error: BaseException) -> ShortageError | None:
    if isinstance(error, OSError) and error.errno in _SHORTAGES:
        message = f"the system has too little for now: {error.strerror}"
    elif isinstance(error, MemoryError):
        message = "the system has too little for now: memory"
    elif isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        message = "the system has too little for now: threads"
    else:
        return None
    hint = "allow this user, service or container more (tasks, memory, open files, file size), or free some space"
    return ShortageError(message, hint=hint)


def why(error: Exception) -> str:
    """Reason why a file could not be used, without its path, which messages have as their place."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
