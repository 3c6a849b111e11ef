"""The mirror of a source: a bare repository that is fetched into and read from, never checked out.

This is the interface of the package; its other modules are the implementation.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from agentsync.core.errors import SourceRefusedError, SourceUnavailableError
from agentsync.git.access import access, hide_secrets
from agentsync.git.bare_repository import BareRepository
from agentsync.git.certificates import find_fault
from agentsync.git.environment import with_settings
from agentsync.git.failures import (
    OtherFormatError,
    TransientError,
    UnexplainedError,
    UntrustedError,
    explain,
    explain_missing_ref,
    explain_untrusted,
    lacks_ref,
    refuses_id,
    too_large,
)
from agentsync.git.objects import (
    FIRST_PARENTS,
    SHA1,
    SUBMODULE,
    CommitFacts,
    CommitRecord,
    is_object_id,
    object_format_of,
    parse_first_parents,
)
from agentsync.git.partial import FETCH_CONTENT, FILTER, fetch_content, missing_content, read_paths, wants_part
from agentsync.git.process import Done, Quota
from agentsync.git.remote import Auth, Remote
from agentsync.git.signatures import Signers, verify
from agentsync.git.strict_check import check_strictly, finds_defect

if TYPE_CHECKING:
    from agentsync.git.objects import Entry

__all__ = ["CANDIDATE", "Auth", "CommitFacts", "Mirror", "Remote", "Signers", "TransientError"]

CANDIDATE = "refs/agentsync/candidate"
_TRUSTED = "refs/agentsync/trusted/"
_HEADS = "refs/agentsync/heads/"

_FETCH = (
    "fetch",
    "--quiet",
    "--no-tags",
    "--update-shallow",  # else git refuses a shallow source's ref, and reports success
    "--no-show-forced-updates",
    "--no-auto-maintenance",
    "--",
)
# Not `show`, which compares the commit's whole tree with that of its parent even when it prints no difference.
_FACTS = ("log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%H%x00%ct%x00%s", "--end-of-options")
_STREAM_SECONDS = 600.0  # the caller works on each blob before it takes the next
_MAX_PACKS = 20
_UNEXPECTED = "git gave an unexpected answer"
_MEMORY_BYTES = 2 << 30  # a server could otherwise fill all memory with refs
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
            if (found := self._format_at(remote, until)) is None:
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

    def tree(self, commit: str, subfolder: str = "") -> list[Entry]:
        """List the files below a directory at a commit, in git's order; none where the directory does not exist.

        Bytes of a path that are not UTF-8 are surrogate escapes; a submodule has the size 0.

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
            entries = [_entry(record) for record in done.output.split(b"\0")[:-1]]
        except ValueError as error:
            raise self._repository.unreadable(_UNEXPECTED) from error
        return self._with_sizes(commit, entries) if self._repository.is_partial else entries

    def _with_sizes(self, commit: str, entries: list[Entry]) -> list[Entry]:
        """Return the entries with the sizes of the content that is here, and 0 for what is not."""
        missing = missing_content(self._repository, commit)
        here = dict.fromkeys(entry.blob for entry in entries if entry.blob not in missing and entry.mode != SUBMODULE)
        command, data = ("cat-file", "--batch-check=%(objectsize)"), "".join(f"{id_}\n" for id_ in here).encode()
        done = self._repository.run(*command, data=data)
        if done.status:
            raise self._repository.unreadable(done.reason)
        sizes = dict(zip(here, map(int, done.output.split()), strict=True))
        return [replace(entry, size=sizes.get(entry.blob, 0)) for entry in entries]

    def identified(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the entries unchanged: git lists each with the id of its content."""
        return entries

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Read the content of each blob, in order, with one process and one blob in memory at a time."""
        remaining = iter(ids)
        with self._repository.start("cat-file", "--batch", seconds=_STREAM_SECONDS) as process:
            while batch := list(islice(remaining, _BATCH)):
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

    def commit_facts(self, commit: str) -> CommitFacts:
        """Read the id, time and subject of a commit."""
        return _facts(self._repository.read(*_FACTS, commit))

    def find(self, commit: str, path: str) -> list[Entry]:
        """Return the file of a path at a commit, as `tree` does; none where there is none.

        Raises:
            SourceUnavailableError: the mirror cannot be read.
        """
        output = self._repository.read("ls-tree", "-l", "-z", "--full-tree", commit, "--", path)
        return [_entry(record) for record in output.split(b"\0")[:-1]]

    def first_parents(self, commit: str, most: int) -> list[CommitRecord]:
        """Return a commit and the first parent of each, the newest first, at most so many.

        Raises:
            SourceUnavailableError: the mirror cannot be read.
        """
        return parse_first_parents(self._repository.read(*FIRST_PARENTS, f"--max-count={most}", commit))

    def bring_content(self, commit: str, remote: Remote) -> None:
        """Fetch the content of the files that are read at a commit of the fetched history, where it is missing.

        Raises:
            SourceUnavailableError: the fetch failed; TransientError where it may work later.
        """
        if self.can_read(commit, remote):
            return
        until = time.monotonic() + remote.deadline
        url, environment = access(remote, self._repository.environment)
        ask = partial(self._repository.run, environment=environment, until=until, quota=_quota(remote))
        if failed := fetch_content(self._repository, commit, remote, partial(ask, *FETCH_CONTENT, "--", url)):
            raise self._explain(failed, remote, url, environment, until)

    def is_cut(self, commit: str) -> bool:
        """Whether the history of a commit ends at the boundary of a shallow source."""
        cuts = self._repository.shallow_commits()
        if not cuts:
            return False
        return not cuts.isdisjoint(self._repository.read("rev-list", "--max-parents=0", commit).decode().split())

    def has(self, commit: str) -> bool:
        """Whether the mirror has this commit."""
        return self._repository.run("cat-file", "-e", f"{commit}^{{commit}}").status == 0

    def can_read(self, commit: str, remote: Remote) -> bool:
        """Whether the content of all files that are read at a commit is here."""
        return not (self._repository.is_partial and missing_content(self._repository, commit, *read_paths(remote)))

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
        url, environment = access(remote, self._repository.environment)
        done, fetched = self._bring(remote, url, environment, until)
        if finds_defect(done) and not self._repository.is_lenient:
            if self._repository.is_partial:  # what breaks a rule is looked for in whole repositories only
                self._repository.start_over_whole(until)
            self._repository.become_lenient()
            done, fetched = self._bring(remote, url, environment, until)
        if done.status:
            raise self._explain(done, remote, url, environment, until)
        facts = self._facts_of(fetched, done, remote, until)
        if self._repository.is_partial:
            ask = partial(self._repository.run, environment=environment, until=until, quota=_quota(remote))
            failed = fetch_content(self._repository, facts.id, remote, partial(ask, *FETCH_CONTENT, "--", url))
            if failed and refuses_id(failed):  # by a server that filters, but sends only what its refs point to
                self._repository.start_over_whole(until)
                return self._fetch(remote, until)
            if failed:
                raise self._explain(failed, remote, url, environment, until)
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

    def _bring(self, remote: Remote, url: str, environment: Mapping[str, str], until: float) -> tuple[Done, str | None]:
        """Run the fetch; the result has the id that the ref points to, None where nothing arrived."""
        settings = [(f"fetch.fsck.{rule}", "ignore") for rule in remote.accept_defects]
        if self._repository.is_lenient:
            settings.append(("fetch.fsckObjects", "false"))
        environment = with_settings(environment, settings)
        self._repository.forget_fetched()
        if wants_part(self._repository, remote):
            self._repository.become_partial()
        command = (*self._fetching, url, f"+{remote.ref}:{CANDIDATE}")
        done = self._repository.run(*command, environment=environment, until=until, quota=_quota(remote))
        if done.status and remote.is_commit and refuses_id(done):
            return self._fetch_all(remote, url, environment, until), remote.ref
        return done, self._repository.fetched()

    def _fetch_all(self, remote: Remote, url: str, environment: Mapping[str, str], until: float) -> Done:
        """Fetch every branch and look for the commit there, for servers that send no commit by its id."""
        every = f"+refs/heads/*:{_HEADS}*"
        fetch = (self._fetching[0], "--prune", *self._fetching[1:])  # a deleted branch `a` would block `a/b`
        done = self._repository.run(*fetch, url, every, environment=environment, until=until, quota=_quota(remote))
        if done.status:
            return done
        return self._repository.run("update-ref", CANDIDATE, f"{remote.ref}^{{commit}}", until=until)

    @property
    def _fetching(self) -> tuple[str, ...]:
        return (_FETCH[0], FILTER, *_FETCH[1:]) if self._repository.is_partial else _FETCH

    def _format_at(self, remote: Remote, until: float) -> str | None:
        """Object format of the remote, by the length of its ids; None where it lists none."""
        url, environment = access(remote, self._repository.environment)
        done = self._repository.run("ls-remote", "--", url, environment=environment, until=until, quota=_quota(remote))
        id_ = done.output.decode(errors="replace").partition("\t")[0]
        return object_format_of(id_) if is_object_id(id_) else None

    def _explain(
        self, done: Done, remote: Remote, url: str, environment: Mapping[str, str], until: float
    ) -> SourceUnavailableError:
        done = hide_secrets(done, remote)
        if not lacks_ref(done, remote):
            error = explain(done, remote)
            fault = find_fault(remote, until) if isinstance(error, UntrustedError) else None
            return explain_untrusted(error, fault) if isinstance(error, UntrustedError) and fault else error
        command = ("ls-remote", "--refs", "--", url)
        listing = self._repository.run(*command, environment=environment, until=until, quota=_quota(remote))
        lines = listing.output.decode(errors="replace").splitlines()
        refs = None if listing.status else [line.partition("\t")[2] for line in lines]
        return explain_missing_ref(remote, refs)


def _quota(remote: Remote) -> Quota:
    """Quota of a fetch."""
    # No limit of memory for programs of the user's own, which may reserve far more address space than they use.
    runs_others = remote.auth.use_credential_helper or remote.auth.use_ssh_config
    return Quota(remote.max_bytes, None if runs_others else max(_MEMORY_BYTES, 2 * remote.max_bytes))


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
