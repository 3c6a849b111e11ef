"""The mirror of a source: a bare repository that is fetched into and read from, never checked out.

This is the interface of the package; its other modules are the implementation.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from agentsync.core.errors import ConfigError, SourceRefusedError, SourceUnavailableError
from agentsync.git.ancestors import ancestors
from agentsync.git.bare_repository import BareRepository
from agentsync.git.connection import FETCH, Connection
from agentsync.git.failures import (
    OtherFormatError,
    TransientError,
    UnexplainedError,
    explain,
    refuses_id,
    too_large,
)
from agentsync.git.identity import copy_in_history
from agentsync.git.merged_reverts import merged_reverts
from agentsync.git.object_ids import SHA1, object_format_of
from agentsync.git.objects import FIRST_PARENTS, CommitFacts, CommitRecord, parse_first_parents
from agentsync.git.partial import CONTENT_BATCH, FETCH_CONTENT, FILTER, ignores_filter, missing_content, wants_part
from agentsync.git.process import Done, Process
from agentsync.git.remote import Auth, Remote
from agentsync.git.signatures import NEWEST_TAG, Signers, local_tags, verify
from agentsync.git.strict_check import check_strictly, finds_defect
from agentsync.git.submodules import FILE_NAME, read_urls

if TYPE_CHECKING:
    from agentsync.git.objects import Entry

__all__ = ["CANDIDATE", "Auth", "CommitFacts", "Mirror", "Remote", "Signers", "TransientError"]

CANDIDATE = "refs/agentsync/candidate"
_TRUSTED = "refs/agentsync/trusted/"
_HEADS = "refs/agentsync/heads/"
_SUBMODULES = "refs/agentsync/submodules/"
_SUBMODULE_HEADS = "refs/agentsync/submodule-heads/"

# Not `show`, which compares the commit's whole tree with that of its parent even when it prints no difference.
_FACTS = ("log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%H%x00%ct%x00%s", "--end-of-options")
_STREAM_SECONDS = 600.0  # the caller works on each blob before it takes the next
_MAX_PACKS = 20
_URLS = r"^submodule\..*\.(path|url)$"
_UNEXPECTED = "git gave an unexpected answer"
_BATCH = 50  # ids in one write: less than the 4,096 bytes that every pipe can buffer, so the write never blocks


class Mirror:
    """A bare repository in the cache, written only while the caller holds the lock of the run."""

    def __init__(self, directory: Path, home: Path) -> None:
        """Set the paths; nothing is read or created before the first fetch.

        Args:
            directory: the repository; its parent is created where missing.
            home: an empty directory that git gets as HOME, created with mode 0700 where missing.
        """
        self._repository = BareRepository(directory, home)

    @property
    def directory(self) -> Path:
        """Absolute path of the repository."""
        return self._repository.directory

    def fetch(self, remote: Remote, *, may_start_over: bool = False) -> CommitFacts:
        """Fetch one ref with its whole history into the candidate ref; a damaged mirror is replaced first.

        Returns:
            The commit of the ref; an annotated tag is resolved to its commit.

        Args:
            remote: what to fetch.
            may_start_over: whether a mirror may be replaced whose source now has another object format.

        Raises:
            ConfigError: the ref or URL has a form that cannot be fetched.
            SourceRefusedError: the source has another object format than the mirror.
            SourceUnavailableError: git is missing, or the fetch failed; TransientError where it may work later.
        """
        remote.check()
        object_format = object_format_of(remote.ref) if remote.is_commit else SHA1
        self._repository.prepare(time.monotonic() + remote.deadline, object_format)
        self._make_room(remote)
        until = time.monotonic() + remote.deadline
        try:
            return self._fetch(remote, until)
        except OtherFormatError as error:
            if (found := Connection.open(self._repository, remote, until).object_format()) is None:
                raise
            object_format = found
            if not (may_start_over or self._repository.is_empty()):
                raise _format_changed(remote, object_format) from error
        except UnexplainedError:
            if not self._repository.is_damaged():
                raise
        self._repository.set_aside()
        self._repository.prepare(until, object_format)
        return self._fetch(remote, until)

    def explain(self, failed: Done, remote: Remote) -> SourceUnavailableError:
        """Build the error for a poll that failed: a TransientError where it may work later."""
        return Connection.open(self._repository, remote).explain(failed)

    def tree(self, commit: str, subfolder: str = "") -> list[Entry]:
        """List the files below a directory at a commit, in git's order; none where the directory does not exist.

        Bytes of a path that are not UTF-8 are surrogate escapes. A submodule has the size 0, and so has every file
        where content may be missing, until it is `identified`.

        Raises:
            SourceRefusedError: there are so many files that their names would fill the memory.
            SourceUnavailableError: the mirror cannot be read.
        """
        directory = subfolder.strip("/")
        pathspec = ("--", f"{directory}/") if directory else ()
        sizes = () if self._repository.is_partial else ("-l",)  # of content that may be missing
        done = self._repository.run("ls-tree", "-r", *sizes, "-z", "--full-tree", commit, *pathspec)
        if done.overflowed:
            raise SourceRefusedError("it has far too many files", place=commit[:12])
        if done.status:
            raise self._repository.unreadable(done.reason)
        try:
            return [_entry(record) for record in done.output.split(b"\0")[:-1]]
        except ValueError as error:
            raise self._repository.unreadable(_UNEXPECTED) from error

    def identified(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries with the size of their content, for which all of it has to be here.

        Raises:
            SourceUnavailableError: some of it was not fetched, since it was not read before.
        """
        ids = dict.fromkeys(entry.blob for entry in entries)
        if not self.is_partial or not ids:
            return [*entries]
        if self.missing(ids):
            message, hint = "files that are read now were not fetched yet", "run `agentsync pull`, which fetches them"
            raise SourceUnavailableError(message, place=str(self.directory), hint=hint)
        with self._repository.start("cat-file", "--batch-check=%(objectsize)", seconds=_STREAM_SECONDS) as process:
            sizes = {id_: size for batch in _batches(ids) for id_, size in _sizes(process, batch).items()}
        if len(sizes) != len(ids):
            raise self._repository.unreadable(_UNEXPECTED)
        return [replace(entry, size=sizes[entry.blob]) for entry in entries]

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Read the content of each blob, in order, with one process and one blob in memory at a time."""
        with self._repository.start("cat-file", "--batch", seconds=_STREAM_SECONDS) as process:
            for batch in _batches(ids):
                process.write("".join(f"{id_}\n" for id_ in batch).encode())
                for id_ in batch:
                    content = _read_blob(process.stdout)
                    if content is None:
                        raise self._repository.unreadable(f"the mirror cannot give object {id_}")
                    yield id_, content

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether a commit is reachable from another one, or is the same."""
        done = self._repository.run("merge-base", "--is-ancestor", older, newer)
        if done.status not in {0, 1}:
            raise self._repository.unreadable(done.reason)
        return done.status == 0

    def id_in_history(self, commit: str, newer: str) -> str:
        """Return the id of a commit in the history of a newer one: its own, or that of a copy with another signature.

        Raises:
            SourceUnavailableError: the mirror cannot be read.
        """
        if not self.has(commit) or self.is_ancestor(commit, newer):
            return commit
        return copy_in_history(self._repository, commit, newer) or commit

    def commit_facts(self, commit: str) -> CommitFacts:
        """Read the id, time and subject of a commit."""
        return _facts(self._repository.read(*_FACTS, commit))

    def find(self, commit: str, path: str) -> list[Entry]:
        """Return the file of a path at a commit, as `tree` does; none where there is none.

        Raises:
            SourceUnavailableError: the mirror cannot be read.
        """
        sizes = () if self._repository.is_partial else ("-l",)  # of content that may be missing
        output = self._repository.read("ls-tree", *sizes, "-z", "--full-tree", commit, "--", path)
        return [_entry(record) for record in output.split(b"\0")[:-1]]

    def first_parents(self, commit: str, most: int) -> list[CommitRecord]:
        """Return a commit and the first parent of each, the newest first, at most so many.

        Raises:
            SourceUnavailableError: the mirror cannot be read.
        """
        return parse_first_parents(self._repository.read(*FIRST_PARENTS, f"--max-count={most}", commit))

    def merged_reverts(self, line: Sequence[CommitRecord]) -> Mapping[str, frozenset[str]]:
        """Return for the merges of a first-parent line which earlier commits of it they take back, by their ids.

        Raises:
            SourceUnavailableError: the mirror cannot be read.
        """
        return merged_reverts(self._repository.read, line)

    def ancestors(self, abbreviated: str, tip: str) -> list[str]:
        """Return the ids that begin with these digits, of a commit and of all in its history."""
        return ancestors(self._repository.run, abbreviated, tip)

    def is_cut(self, commit: str) -> bool:
        """Whether the history of a commit ends at the boundary of a shallow source."""
        cuts = self._repository.shallow_commits()
        if not cuts:
            return False
        return not cuts.isdisjoint(self._repository.read("rev-list", "--max-parents=0", commit).decode().split())

    def has(self, commit: str) -> bool:
        """Whether the mirror has this commit."""
        return self._repository.run("cat-file", "-e", f"{commit}^{{commit}}").status == 0

    @property
    def is_partial(self) -> bool:
        """Whether content of files may be missing, which is fetched before it is read."""
        return self._repository.is_partial

    def missing(self, ids: Iterable[str]) -> frozenset[str]:
        """Return those of the ids of content that are missing."""
        return missing_content(self._repository, ids) if self.is_partial else frozenset()

    def fetch_content(self, ids: Iterable[str], remote: Remote) -> None:
        """Fetch content that is missing, by its ids and in few requests.

        A server that filters, but sends only what its refs point to, is asked for the whole repository instead.

        Raises:
            SourceUnavailableError: the fetch failed; TransientError where it may work later.
        """
        connection = Connection.open(self._repository, remote)
        for batch in _batches(ids, CONTENT_BATCH):
            data = "".join(f"{id_}\n" for id_ in batch).encode()
            done = connection.run(*FETCH_CONTENT, "--", connection.url, data=data)
            if done.status and refuses_id(done):
                self._repository.start_over_whole(connection.until)
                self._fetch(remote, connection.until)
                return
            if done.status:
                raise connection.explain(done)

    def fetch_submodule(self, remote: Remote) -> None:
        """Fetch the commit that a submodule is pinned to, and keep it with its history beside the source's own.

        All of it is checked by git's rules, whatever is accepted in the history of the source.

        Raises:
            SourceRefusedError: the URL has a form that cannot be fetched.
            SourceUnavailableError: the URL is not allowed, or the fetch failed; TransientError where it may work later.
        """
        try:
            remote.check()
        except ConfigError as error:
            raise SourceRefusedError(error.message, place=error.place, hint=error.hint) from error
        self._make_room(remote)
        connection = Connection.open(self._repository, remote)
        kept = f"{_SUBMODULES}{remote.ref}"
        done = connection.run(*FETCH, "--", connection.url, f"+{remote.ref}:{kept}")
        if done.status and refuses_id(done):
            done = connection.fetch_branches(_SUBMODULE_HEADS, kept)
        if done.status:
            raise connection.explain(done)

    def submodule_urls(self, settings: str) -> dict[str, str]:
        """Return the URLs of submodules by their paths, as a blob of `.gitmodules` states them.

        Raises:
            SourceRefusedError: it cannot be parsed.
        """
        done = self._repository.run("config", f"--blob={settings}", "-z", "--get-regexp", _URLS)
        if done.status not in {0, 1}:  # 1 where there are none
            raise SourceRefusedError(f"it cannot be read: {done.reason}", place=FILE_NAME)
        return read_urls(done.output)

    def verify(self, commit: str, remote: Remote, signers: Signers) -> None:
        """Check that a commit just fetched, or the tag that was followed to it, is signed by one of the signers.

        Raises:
            UnverifiedError: the signature is missing or not allowed, or it cannot be checked.
            SourceUnavailableError: the mirror cannot be read.
        """
        verify(self._repository, CANDIDATE, commit, remote, signers)

    def trust(self, name: str, commit: str) -> None:
        """Record a commit as the last trusted one under a name."""
        self._repository.read("update-ref", _trusted_ref(name), commit)

    def maintain(self) -> None:
        """Repack and delete unreachable objects, once fetches have left many packs."""
        if self._repository.packs > _MAX_PACKS:
            self._repository.repack()

    def _make_room(self, remote: Remote) -> None:
        """Enforce the size limit before each fetch: refused fetches leave packs, too, which must not add up."""
        repository = self._repository
        if repository.size > remote.max_bytes and repository.packs > 1:
            repository.repack()
        if repository.size > remote.max_bytes:
            raise too_large(remote)
        self.maintain()

    def _fetch(self, remote: Remote, until: float) -> CommitFacts:
        connection = Connection.open(self._repository, remote, until)
        done, fetched = self._bring(connection)
        if finds_defect(done) and not self._repository.is_lenient:
            if self._repository.is_partial:  # what breaks a rule is looked for in whole repositories only
                self._repository.start_over_whole(until)
            self._repository.become_lenient()
            done, fetched = self._bring(connection)
        if done.status:
            raise connection.explain(done)
        facts = self._facts_of(fetched, done, remote, until)
        if self._repository.is_lenient:
            check_strictly(self._repository, fetched or facts.id, facts.id, _TRUSTED, remote)
        return facts

    def _facts_of(self, fetched: str | None, done: Done, remote: Remote, until: float) -> CommitFacts:
        """Read the commit that a fetch led to; `done` is its result."""
        if fetched is None:
            # The candidate is left from an earlier fetch, so it is no answer.
            raise UnexplainedError(f"git reported success and fetched nothing: {done.reason}", place=remote.place)
        shown = self._repository.run(*_FACTS, f"{fetched}^{{commit}}", until=until)
        if shown.timed_out:
            raise explain(shown, remote)
        if shown.status:
            raise UnexplainedError(f"{remote.title} does not lead to a commit", place=remote.place)
        return _facts(shown.output)

    def _bring(self, connection: Connection) -> tuple[Done, str | None]:
        """Run the fetch; the result has the id that the ref points to, None where nothing arrived."""
        repository, remote = self._repository, connection.remote
        settings = [("fetch.fsckObjects", "false")] if repository.is_lenient else []
        repository.forget_fetched()
        was_partial = repository.is_partial
        if wants_part(repository, remote):
            repository.become_partial()
        options = (FILTER,) if repository.is_partial else ()
        if remote.is_pattern:
            options = (*options, "--prune")
        refspec = f"+{remote.ref}:{local_tags(remote) if remote.is_pattern else CANDIDATE}"
        done = connection.run(*FETCH, *options, "--", connection.url, refspec, settings=settings)
        if ignores_filter(done) and not was_partial:
            repository.become_whole(connection.url)
        if done.status and remote.is_commit and refuses_id(done):
            return connection.fetch_branches(_HEADS, CANDIDATE, *options, settings=settings), remote.ref
        if not done.status and remote.is_pattern:
            return done, self._newest_tag(remote)
        return done, repository.fetched()

    def _newest_tag(self, remote: Remote) -> str:
        """Make the newest of the fetched tags the candidate, in the order of versions, and return its id."""
        newest = self._repository.read(*NEWEST_TAG, "--format=%(objectname)", local_tags(remote)).decode().strip()
        if not newest:
            hint = "check `tag` in the configuration, and the tags of the repository"
            raise SourceUnavailableError(f"no {remote.title} exists", place=remote.place, hint=hint)
        self._repository.read("update-ref", CANDIDATE, newest)
        return newest


def _batches(ids: Iterable[str], size: int = _BATCH) -> Iterator[list[str]]:
    remaining = iter(ids)
    while batch := list(islice(remaining, size)):
        yield batch


def _sizes(process: Process, ids: Sequence[str]) -> dict[str, int]:
    """Ask `cat-file --batch-check` for sizes; an answer that is none is left out."""
    process.write("".join(f"{id_}\n" for id_ in ids).encode())
    answers = ((id_, process.stdout.readline().strip()) for id_ in ids)
    return {id_: int(answer) for id_, answer in answers if answer.isdigit()}


def _read_blob(stream: IO[bytes]) -> bytes | None:
    """Read one answer of `cat-file --batch`; None where the object is missing or the answer is cut short."""
    header = stream.readline().split()
    if len(header) != 3 or not header[2].isdigit():  # noqa: PLR2004 - id, type and size
        return None
    size = int(header[2])
    content = stream.read(size + 1)
    return content[:-1] if len(content) == size + 1 else None


def _facts(shown: bytes) -> CommitFacts:
    try:
        id_, seconds, subject = shown.decode(errors="replace").removesuffix("\n").split("\0")
        return CommitFacts(id_, int(seconds), subject)
    except ValueError as error:
        raise UnexplainedError(_UNEXPECTED) from error


def _entry(record: bytes) -> Entry:
    # Imported here, since most runs find nothing new, list no tree, and need not wait for the import.
    from agentsync.git.objects import Entry  # noqa: PLC0415

    facts, _, path = record.partition(b"\t")
    mode, _, id_, *sizes = facts.decode().split()
    size = sum(int(size) for size in sizes if size != "-")  # one, or none where sizes were not asked for
    return Entry(path.decode(errors="surrogateescape"), mode, id_, size)


def _format_changed(remote: Remote, object_format: str) -> SourceRefusedError:
    message = f"the repository now has the object format {object_format}, so its commits are other ones"
    hint = "if that was intended, set allow_rewrite = true for the source"
    return SourceRefusedError(message, place=remote.place, hint=hint)


def _trusted_ref(name: str) -> str:
    return _TRUSTED + quote(name, safe="").replace(".", "%2E").replace("~", "%7E")
