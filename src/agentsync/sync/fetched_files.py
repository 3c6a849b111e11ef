"""A mirror whose files are fetched before they are read: content that is missing, and submodules."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agentsync.core.errors import SourceRefusedError
from agentsync.core.urls import printable
from agentsync.git.mirror import Mirror
from agentsync.git.objects import SUBMODULE
from agentsync.git.submodules import FILE_NAME, remote_of_submodule

if TYPE_CHECKING:
    from agentsync.git.mirror import Remote
    from agentsync.git.objects import Entry


class _Submodule(NamedTuple):
    """A submodule's path, and the commit that names it, with the blob of that commit's settings; empty for none."""

    path: str
    parent: str
    settings: str


class FetchedFiles(Mirror):
    """A mirror for the caller that holds the lock of the run and has fetched the commit.

    Reading it as a sync does fetches exactly what a sync reads. What is read raises SourceUnavailableError where that
    fails, and SourceRefusedError for a submodule that has no usable URL.
    """

    def __init__(self, directory: Path, home: Path, remote: Remote) -> None:
        """Set the paths, as those of the mirror, and the remote that the commit was fetched from."""
        super().__init__(directory, home)
        self._remote = remote
        self._until = time.monotonic() + remote.deadline
        self._submodules: dict[str, _Submodule] = {}  # by their commits

    def tree(self, commit: str, subfolder: str = "") -> list[Entry]:
        """List the files at a commit, which may be that of a submodule in a tree that was listed before."""
        if not super().has(commit):
            self.fetch_submodule(self._in_time(self._remote_of(commit)))
        entries = super().tree(commit, subfolder)
        settings = next((entry.blob for entry in entries if entry.path == FILE_NAME), "")
        for entry in entries:
            if entry.mode == SUBMODULE:
                self._submodules.setdefault(entry.blob, _Submodule(entry.path, commit, settings))
        return entries

    def _remote_of(self, commit: str) -> Remote:
        """Where a commit is fetched from: that of a submodule is known by the settings of the commit that names it."""
        submodule = self._submodules.get(commit)
        if submodule is None:
            return self._remote
        self._complete([submodule.settings])
        urls = self.submodule_urls(submodule.settings) if submodule.settings else {}
        if submodule.path not in urls:
            message = f"the submodule `{printable(submodule.path)}` has no URL in {FILE_NAME}"
            raise SourceRefusedError(message, place=self._remote.place, hint="correct it in the repository")
        return remote_of_submodule(self._remote_of(submodule.parent), submodule.path, urls[submodule.path], commit)

    def has(self, commit: str) -> bool:
        """Whether a commit can be listed: those of submodules are fetched."""
        return commit in self._submodules or super().has(commit)

    def identified(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries with the size of their content; what is missing of it is fetched together before."""
        self._complete(entry.blob for entry in entries)
        return super().identified(entries)

    def _complete(self, ids: Iterable[str]) -> None:
        if missing := self.missing(ids):
            self.fetch_content(sorted(missing), self._in_time(self._remote))

    def _in_time(self, remote: Remote) -> Remote:
        """Return the remote with what is left of the time that all fetches together may take."""
        return replace(remote, deadline=self._until - time.monotonic())
