"""Entries of a shared file, which a tool and its user write too, used as if each were a file in a directory.

The file is read again before every change, and replaced as a whole, by one rename: so at any time it is either as it
was or as it should be. Of two entries in one batch both are changed, or neither.
"""

# os.path.islink returns False where access is denied; pathlib's method raises.
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
from agentsync.targets.observe import ABSENT, ChangedError, Observed
from agentsync.targets.target_directory import TargetDirectory, TargetError, temporary

_REMEDY = "fix the file, or move it away"
_MAX_BYTES = 4 << 20
"""The most that a shared file may have. It is parsed as a whole, for each of its entries."""


class SharedEntries:
    """Shared file, with its directory held open. An entry's path is its agent's slug.

    It has the methods of `TargetDirectory`, which raise the same errors. Published entries are collected, and written
    by `sync`.
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
            path: the file's absolute path; it need not exist.
            shared: how it is read and edited.
            create: create its directory, and those above it, where they are missing.
            follow_symlinks: edit the target of a symbolic link in the file's place, and accept links above it.

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
        """Close the directory."""
        self._directory.close()

    def observe(self, relative: str, known: Known | None = None) -> Observed:
        """Observe an entry; where the file cannot be edited, the result has a code that concerns the whole target.

        Args:
            relative: the entry.
            known: an earlier result, which holds as long as the whole file's stat is the same.
        """
        if known and self._directory.holds(self._path.name, known):
            return Observed(Actual(known.digest), known)
        try:
            self._check_size()
            file = self._directory.observe(self._path.name)
            if file.actual.digest is None:
                return ABSENT
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
        """Read an entry as a file of its own.

        Raises:
            ChangedError: it is gone.
        """
        entry = self._entries(self._read()).get(relative)
        if entry is None:
            raise ChangedError("the entry has gone since it was looked at", place=relative)
        return entry

    def temporary(self, relative: str) -> str:
        """Return a new name to stage an entry under.

        The whole file is staged under the last name that was returned, so that it is recorded in an intent.
        """
        self._temp = temporary(relative)
        return self._temp

    def stage(self, temp: str, data: bytes) -> None:
        """Keep an entry to publish it later."""
        self._staged[temp] = data

    def publish_new(self, temp: str, relative: str) -> None:
        """Have `sync` write a staged entry, where the file has none of that slug.

        Raises:
            ChangedError: the file has one.
        """
        if relative in self._look():
            raise ChangedError("an entry has appeared here since", place=relative)
        self._changes[relative] = self._staged.pop(temp)

    def publish_over(self, temp: str, relative: str, expected: str) -> None:
        """Have `sync` replace an entry that has the expected digest by a staged one.

        Raises:
            ChangedError: the entry has another digest.
        """
        self._check(relative, expected)
        self._changes[relative] = self._staged.pop(temp)

    def remove(self, relative: str, expected: str) -> None:
        """Have `sync` remove an entry that has the expected digest.

        Raises:
            ChangedError: the entry has another digest.
        """
        self._check(relative, expected)
        self._changes[relative] = None

    def discard(self, temp: str) -> None:
        """Forget a staged entry, and delete what was staged under its name."""
        self._staged.pop(temp, None)
        self._directory.discard(temp)

    def prune(self, relative: str) -> None:
        """Do nothing: an entry leaves no directories behind."""

    def sync(self) -> None:
        """Write the file with all entries that were published since the last call, and make it durable.

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
            message = "the file was changed at the same time; the next run tries again"
            raise TargetError(Code.WRITE_FAILED, message, place=str(self._path)) from error
        self._directory.sync()

    def _check(self, relative: str, expected: str) -> None:
        entry = self._look().get(relative)
        if entry is None or digest(entry) != expected:
            raise ChangedError("the entry has changed since it was looked at", place=relative)

    def _look(self) -> Mapping[str, bytes]:
        """Return the entries to change, as they were at the first change since the last `sync`."""
        if not self._changes:
            self._before = self._read()
        return self._entries(self._before)

    def _entries(self, data: bytes | None) -> Mapping[str, bytes]:
        if data is None:
            return {}
        # An empty file may be about to be written by its tool; replacing it now would lose the entries it gets.
        if not data:
            raise UneditableError("it is empty, as it is while it is being written; delete it if that is intended")
        return self._shared.entries(data)

    def _check_size(self) -> None:
        if self._directory.size(self._path.name) > _MAX_BYTES:
            raise UneditableError(f"it is over {_MAX_BYTES:,} bytes")

    def _read(self) -> bytes | None:
        self._check_size()
        try:
            return self._directory.read(self._path.name)
        except FileNotFoundError:
            return None
