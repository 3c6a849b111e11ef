"""The mirror of a source: fetched into and read from, never checked out.

All that the rest of the program needs of Git is here; the modules named `git_…` are how it is done.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO
from urllib.parse import quote

from agentsync.errors import SourceUnavailableError
from agentsync.git_access import access
from agentsync.git_faults import TransientError, UnexplainedError, explain, explain_missing_ref, lacks_ref, refuses_id
from agentsync.git_process import Done
from agentsync.git_remote import Auth, Remote
from agentsync.git_repository import BareRepository
from agentsync.source import Entry

__all__ = ["CANDIDATE", "Auth", "CommitFacts", "Mirror", "Remote", "TransientError"]

CANDIDATE = "refs/agentsync/candidate"
_TRUSTED = "refs/agentsync/trusted/"
_HEADS = "refs/agentsync/heads/"

_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-show-forced-updates", "--")
_STREAM_SECONDS = 600.0  # whoever takes the blobs works between them
_MAINTAIN_SECONDS = 120.0
_MAX_LOOSE, _MAX_PACKS = 1_000, 20
_BATCH = 50  # ids written at once: under the 4,096 bytes that every pipe holds, so the write never waits


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What a commit says about itself: its id, committer time in epoch seconds, first line, `Name <address>`."""

    id: str
    time: int
    subject: str
    author: str


class Mirror:
    """A bare repository in the cache. The caller holds the lock of the run; nothing else writes here."""

    def __init__(self, directory: Path, home: Path) -> None:
        """Nothing is read or made before the first fetch.

        Args:
            directory: the repository; its parent is made where missing.
            home: an empty directory that git gets as HOME, made with mode 0700 where missing.
        """
        self._repository = BareRepository(directory, home)

    @property
    def directory(self) -> Path:
        """Where it is, as an absolute path."""
        return self._repository.directory

    def fetch(self, remote: Remote) -> str:
        """Fetch one ref with its whole history into the candidate ref; a damaged mirror is made anew first.

        Returns:
            The commit's id; an annotated tag is followed to its commit.

        Raises:
            ConfigError: the ref or URL has a form that cannot be fetched.
            SourceUnavailableError: git is missing, or the fetch failed; TransientError where it may work later.
        """
        remote.check()
        until = time.monotonic() + remote.deadline
        self._repository.prepare()
        try:
            return self._fetch(remote, until)
        except UnexplainedError:
            if not self._repository.is_damaged():
                raise
        self._repository.set_aside()
        self._repository.prepare()
        return self._fetch(remote, until)

    def tree(self, commit: str, subfolder: str = "") -> list[Entry]:
        """Every file below a folder at a commit, in git's order; none where there is no such folder.

        Bytes of a path that are not UTF-8 are surrogate escapes; a submodule (mode 160000) has the size 0.
        """
        folder = subfolder.strip("/")
        pathspec = ("--", f"{folder}/") if folder else ()
        listing = self._repository.read("ls-tree", "-r", "-l", "-z", "--full-tree", commit, *pathspec)
        return [_entry(record) for record in listing.split(b"\0")[:-1]]

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The content of each blob, in the order asked for; one process, one blob in memory at a time."""
        remaining = iter(ids)
        with self._repository.start("cat-file", "--batch", seconds=_STREAM_SECONDS) as process:
            while batch := list(islice(remaining, _BATCH)):
                process.write("".join(f"{id_}\n" for id_ in batch).encode())
                for id_ in batch:
                    content = _answer(process.stdout)
                    if content is None:
                        raise self._repository.unreadable(f"the mirror cannot give object {id_}")
                    yield id_, content

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether a commit is reachable from another one, or is the same."""
        done = self._repository.run("merge-base", "--is-ancestor", older, newer)
        if done.status not in {0, 1}:
            raise self._repository.unreadable(done.reason)
        return done.status == 0

    def commit_facts(self, commit: str) -> CommitFacts:
        """What a commit says about itself."""
        format_ = "--format=%H%x00%ct%x00%an <%ae>%x00%s"
        shown = self._repository.read("show", "-s", "--no-show-signature", "--encoding=UTF-8", format_, commit)
        id_, seconds, author, subject = shown.decode(errors="replace").removesuffix("\n").split("\0")
        return CommitFacts(id_, int(seconds), subject, author)

    def has(self, commit: str) -> bool:
        """Whether the mirror holds this commit."""
        return self._repository.run("cat-file", "-e", f"{commit}^{{commit}}").status == 0

    def trust(self, name: str, commit: str) -> None:
        """Remember a commit as the last trusted one under a name."""
        self._repository.read("update-ref", _trusted_ref(name), commit)

    def trusted(self, name: str) -> str | None:
        """The last trusted commit under a name."""
        done = self._repository.run("rev-parse", "--verify", "--quiet", _trusted_ref(name))
        return done.output.decode().strip() if done.status == 0 else None

    def maintain(self) -> None:
        """Repack, and drop what nothing refers to, once many fetches have left many small objects or packs."""
        counted = self._repository.read("count-objects", "-v").decode().splitlines()
        counts = dict(line.split(": ", 1) for line in counted)
        if int(counts["count"]) > _MAX_LOOSE or int(counts["packs"]) > _MAX_PACKS:
            self._repository.read("gc", "--quiet", "--force", "--prune=now", seconds=_MAINTAIN_SECONDS)

    def _fetch(self, remote: Remote, until: float) -> str:
        run = self._repository.run
        url, environment = access(remote, self._repository.environment)
        done = run(*_FETCH, url, f"+{remote.ref}:{CANDIDATE}", environment=environment, until=until)
        if done.status and remote.is_commit and refuses_id(done):
            done = self._fetch_all(remote, url, environment, until)
        if done.status:
            raise self._explain(done, remote, url, environment, until)
        found = run("rev-parse", "--verify", "--end-of-options", f"{CANDIDATE}^{{commit}}", until=until)
        if found.status:
            raise UnexplainedError(f"{remote.title} does not lead to a commit", place=remote.place)
        return found.output.decode().strip()

    def _fetch_all(self, remote: Remote, url: str, environment: Mapping[str, str], until: float) -> Done:
        """For servers that hand out no commit by its id: take every branch and look whether it is among them."""
        every = f"+refs/heads/*:{_HEADS}*"
        done = self._repository.run(*_FETCH, url, every, environment=environment, until=until)
        if done.status:
            return done
        return self._repository.run("update-ref", CANDIDATE, f"{remote.ref}^{{commit}}", until=until)

    def _explain(
        self, done: Done, remote: Remote, url: str, environment: Mapping[str, str], until: float
    ) -> SourceUnavailableError:
        if not lacks_ref(done, remote):
            return explain(done, remote)
        listing = self._repository.run("ls-remote", "--refs", "--", url, environment=environment, until=until)
        lines = listing.output.decode(errors="replace").splitlines()
        refs = None if listing.status else [line.partition("\t")[2] for line in lines]
        return explain_missing_ref(remote, refs)


def _answer(stream: IO[bytes]) -> bytes | None:
    """One answer of `cat-file --batch`; None where there is no such object, or where it ends too soon."""
    header = stream.readline().split()
    if len(header) != 3:  # noqa: PLR2004 - id, type and size
        return None
    size = int(header[2])
    content = stream.read(size + 1)
    return content[:-1] if len(content) == size + 1 else None


def _entry(record: bytes) -> Entry:
    facts, _, path = record.partition(b"\t")
    mode, _, id_, size = facts.decode().split()
    return Entry(path.decode(errors="surrogateescape"), mode, id_, 0 if size == "-" else int(size))


def _trusted_ref(name: str) -> str:
    return _TRUSTED + quote(name, safe="").replace(".", "%2E").replace("~", "%7E")
