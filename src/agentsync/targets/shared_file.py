"""The entries of a file that a tool and its user write too, to be used as if each were a file in a directory.

The file is read anew before every change, and replaced as a whole, by one rename: so at any moment it is either as it
was or as it should be. Of two entries in one batch both are changed, or neither.
"""

# What pathlib asks of a path raises where one may not look.
# ruff: noqa: PTH114

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from agentsync.core.codes import Code
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError
from agentsync.dialects import SharedFile, UneditableError
from agentsync.state.records import Known
from agentsync.targets.change import Actual
from agentsync.targets.directory import TargetDirectory, TargetError, temporary
from agentsync.targets.observe import ABSENT, ChangedError, Observed

_REMEDY = "put the file right, or move it away"


class SharedEntries:
    """One shared file, its directory held open. An entry's path is its agent's slug.

    It has the methods of `files.Directory`, and they raise what is said there. What is staged and published is
    gathered, and written by `sync`.
    """

    def __init__(self, directory: TargetDirectory, path: Path, shared: SharedFile) -> None:
        self._directory = directory
        self._path = path
        self._shared = shared
        self._temp = ""
        self._staged: dict[str, bytes] = {}
        self._changes: dict[str, bytes | None] = {}
        self._before: bytes | None = None

    @classmethod
    def open(cls, path: Path, shared: SharedFile, *, create: bool = False, follow_symlinks: bool = False) -> Self:
        """Open the directory of a shared file.

        Args:
            path: the file's absolute path; it need not be there.
            shared: how it is read and edited.
            create: make its directory, and those above it, where they are missing.
            follow_symlinks: edit what a symbolic link in the file's place leads to, and accept links above it.

        Raises:
            TargetError: the directory is missing, or cannot be opened, or the file is a symbolic link.
        """
        if os.path.islink(path):
            if not follow_symlinks:
                raise TargetError(Code.TARGET_SYMLINK, f"`{path}` is a symbolic link", place=str(path))
            path = Path(os.path.realpath(path))
        return cls(TargetDirectory.open(path.parent, create=create, follow_symlinks=follow_symlinks), path, shared)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the directory."""
        self._directory.close()

    def observe(self, relative: str, known: Known | None = None) -> Observed:
        """What an entry is; where the file cannot be edited, that is a finding about all of it.

        Args:
            relative: the entry.
            known: an earlier answer, which holds as long as the whole file's stat is the same.
        """
        if known and self._directory.holds({self._path.name: known}):
            return Observed(Actual(known.digest), known)
        file = self._directory.observe(self._path.name)
        if file.actual.digest is None:
            return ABSENT
        try:
            if not file.actual.digest:
                raise UneditableError(file.actual.reason)
            data = self._directory.read(self._path.name)
            entry = self._entries(data).get(relative)
        except (AgentsyncError, OSError) as error:
            reason, hint = (error.message, _REMEDY) if isinstance(error, AgentsyncError) else (error.strerror, "")
            message = f"the file is left as it is: {reason}"
            return Observed(Actual("", reason=message, code=Code.WRITE_FAILED, hint=hint))
        if entry is None:
            return ABSENT
        same = file.known is not None and file.known.digest == digest(data)
        fresh = file.known._replace(digest=digest(entry)) if file.known and same else None
        return Observed(Actual(digest(entry)), fresh)

    def read(self, relative: str) -> bytes:
        """An entry as a file of its own.

        Raises:
            ChangedError: it has gone.
        """
        entry = self._entries(self._read()).get(relative)
        if entry is None:
            raise ChangedError("the entry has gone since it was looked at", place=relative)
        return entry

    def temporary(self, relative: str) -> str:
        """A fresh name to stage an entry under.

        The whole file is staged under the last one that was given out, so that some intent knows of it.
        """
        self._temp = temporary(relative)
        return self._temp

    def stage(self, temp: str, data: bytes) -> None:
        """Keep an entry for being published."""
        self._staged[temp] = data

    def publish_new(self, temp: str, relative: str) -> None:
        """Have `sync` write a staged entry, where the file has none of that slug.

        Raises:
            ChangedError: it has.
        """
        if relative in self._look():
            raise ChangedError("an entry has appeared here since", place=relative)
        self._changes[relative] = self._staged.pop(temp)

    def publish_over(self, temp: str, relative: str, expected: str) -> None:
        """Have `sync` put a staged entry in the place of one that has the expected digest.

        Raises:
            ChangedError: what is there has another.
        """
        self._check(relative, expected)
        self._changes[relative] = self._staged.pop(temp)

    def remove(self, relative: str, expected: str) -> None:
        """Have `sync` take away an entry that has the expected digest.

        Raises:
            ChangedError: what is there has another.
        """
        self._check(relative, expected)
        self._changes[relative] = None

    def discard(self, temp: str) -> None:
        """Forget a staged entry, and delete what was staged under its name."""
        self._staged.pop(temp, None)
        self._directory.discard(temp)

    def prune(self, relative: str) -> None:
        """Nothing: an entry leaves no directories behind."""

    def sync(self) -> None:
        """Write the file with all that was published since the last call, and make it durable.

        Raises:
            TargetError: it has changed since the first of them was published; nothing is written.
        """
        changes, self._changes = self._changes, {}
        if not changes:
            return
        self._directory.stage(self._temp, self._shared.edited(self._before, changes))
        try:
            if self._before is None:
                self._directory.publish_new(self._temp, self._path.name)
            else:
                self._directory.publish_over(self._temp, self._path.name, digest(self._before))
        except ChangedError as error:
            message = "the file was changed at this very moment; the next run tries again"
            raise TargetError(Code.WRITE_FAILED, message, place=str(self._path)) from error
        self._directory.sync()

    def _check(self, relative: str, expected: str) -> None:
        entry = self._look().get(relative)
        if entry is None or digest(entry) != expected:
            raise ChangedError("the entry has changed since it was looked at", place=relative)

    def _look(self) -> Mapping[str, bytes]:
        """The entries that changes are made to: as they were when the first one since the last `sync` was made."""
        if not self._changes:
            self._before = self._read()
        return self._entries(self._before)

    def _entries(self, data: bytes | None) -> Mapping[str, bytes]:
        if data is None:
            return {}
        if not data:  # who takes it for a file without entries now loses those that are written to it next
            raise UneditableError("it is empty, as it is while it is being written; delete it if it is meant to be")
        return self._shared.entries(data)

    def _read(self) -> bytes | None:
        try:
            return self._directory.read(self._path.name)
        except FileNotFoundError:
            return None
