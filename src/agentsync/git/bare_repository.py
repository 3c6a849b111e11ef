"""A bare repository on this machine: created atomically, cleaned up, and set aside when damaged."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from agentsync.core.errors import SourceUnavailableError, why
from agentsync.core.paths import make_private
from agentsync.git.environment import repository_environment
from agentsync.git.object_ids import is_object_id
from agentsync.git.own_mirror import tampering
from agentsync.git.process import READ_SECONDS, Done, Process, Quota, executable, run

# Files that a killed git leaves behind, beside locks: a mark of a running `gc`, and parts of packs, objects and refs.
_UNFINISHED = ("gc.pid", "packed-refs.new")
_UNFINISHED_OBJECTS = ("tmp_", ".tmp-")
_REPACK_SECONDS = 120.0
_COLLECT_GARBAGE = ("gc", "--quiet", "--force", "--prune=now")


class BareRepository:
    """A bare repository in a directory; nothing is read or created before `prepare`."""

    def __init__(self, directory: Path, home: Path) -> None:
        """Make both paths absolute.

        Args:
            directory: the repository; its parent is created where missing.
            home: an empty directory that git gets as HOME, created with mode 0700 where missing.
        """
        self.directory = directory.absolute()
        self._home = home.absolute()
        self._mark = self.directory / "agentsync-damaged"
        self._lenient = self.directory / "agentsync-lenient"
        self._whole = self.directory / "agentsync-whole"
        self._partial = self.directory / "agentsync-partial"
        self._fetched = self.directory / "FETCH_HEAD"
        self._is_own = False  # checked once, since nobody else can change it afterwards

    @property
    def environment(self) -> dict[str, str]:
        """Environment of every git command in this repository.

        Raises:
            SourceUnavailableError: something in the repository is not agentsync's, and git would honour it.
        """
        if not self._is_own:
            try:
                found = tampering(self.directory)
            except OSError as error:
                raise self._blocked(error) from error
            if found:
                hint = "run `agentsync pull`, which sets it aside and fetches the source again"
                raise SourceUnavailableError(f"the mirror was changed: {found}", place=str(self.directory), hint=hint)
            self._is_own = True
        return repository_environment(self.directory, self._home)

    def run(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        until: float | None = None,
        quota: Quota | None = None,
        data: bytes | None = None,
    ) -> Done:
        """Run a git command until it finishes, or until a time of the monotonic clock; it reads `data`."""
        end = time.monotonic() + READ_SECONDS if until is None else until
        return run([executable(), *arguments], self._home, environment or self.environment, end, quota=quota, data=data)

    def read(self, *arguments: str, seconds: float = READ_SECONDS) -> bytes:
        """Run a git command and return its output; a failure means that the repository cannot be read."""
        done = self.run(*arguments, until=time.monotonic() + seconds)
        if done.status:
            raise self.unreadable(done.reason)
        return done.output

    def start(self, *arguments: str, seconds: float) -> Process:
        """Start a git command that is written to and read from while it runs."""
        until = time.monotonic() + seconds
        return Process([executable(), *arguments], self._home, self.environment, until, stdin=True)

    def prepare(self, until: float, object_format: str) -> None:
        """Create the repository where missing, and remove leftovers of a killed git.

        The caller holds the lock of the run: otherwise, apparent leftovers may belong to a running git.

        Args:
            until: the deadline, as a time of the monotonic clock.
            object_format: of a repository that is created, `sha1` or `sha256`.

        Raises:
            SourceUnavailableError: git is missing, or the directory cannot be written.
        """
        try:
            make_private(self._home)
            make_private(self.directory.parent)
            if tampering(self.directory) or self._mark.exists():
                self.set_aside()
            if not self.directory.exists():
                self._create(until, object_format)
            for leftover in self._leftovers():
                leftover.unlink(missing_ok=True)
        except OSError as error:
            raise self._blocked(error) from error

    def _leftovers(self) -> Iterator[Path]:
        """Files that a killed git left: its locks, whatever ref backend they belong to, and parts of files."""
        objects = self.directory / "objects"
        for directory, _, names in os.walk(self.directory):
            above = Path(directory)
            unfinished = _UNFINISHED_OBJECTS if objects in (above, *above.parents) else _UNFINISHED
            yield from (above / name for name in names if name.endswith(".lock") or name.startswith(unfinished))

    @property
    def is_partial(self) -> bool:
        """Whether the content of files may be missing."""
        return self._partial.exists()

    def become_partial(self) -> None:
        """Record, before commits are fetched without the content of their files, that it may be missing."""
        self._mark_as(self._partial)

    def become_whole(self, url: str) -> None:
        """Record that nothing is missing, since the server of this URL sends everything."""
        self.run("config", "--remove-section", f"remote.{url}")
        for mark in self.directory.glob("objects/pack/*.promisor"):
            mark.unlink()
        self._mark_as(self._whole)
        self._partial.unlink()

    @property
    def is_whole(self) -> bool:
        """Whether it must never be partial."""
        return self._whole.exists()

    def start_over_whole(self, until: float) -> None:
        """Set the repository aside for an empty one that never becomes partial; the deadline is that of `prepare`."""
        object_format = self.read("rev-parse", "--show-object-format").decode().strip()
        self.set_aside()
        self.prepare(until, object_format)
        self._mark_as(self._whole)

    @property
    def is_lenient(self) -> bool:
        """Whether objects may be here that break one of git's rules, so that what is read has to be checked."""
        return self._lenient.exists()

    def become_lenient(self) -> None:
        """Record, before anything is fetched unchecked, that it may be here."""
        self._mark_as(self._lenient)

    def is_empty(self) -> bool:
        """Whether nothing was ever fetched."""
        return not self.read("for-each-ref", "--count=1")

    def forget_fetched(self) -> None:
        """Delete the record of the last fetch, so that what `fetched` returns can only be of the next one."""
        try:
            self._fetched.unlink(missing_ok=True)
        except NotADirectoryError:
            return  # git reports what is in the repository's place
        except OSError as error:
            raise self._blocked(error) from error

    def fetched(self) -> str | None:
        """Id of the object that a fetch of one ref brought since `forget_fetched`; None where it brought nothing."""
        try:
            id_ = self._fetched.read_text(encoding="utf-8", errors="replace").partition("\t")[0]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._blocked(error) from error
        return id_ if is_object_id(id_) else None

    def shallow_commits(self) -> frozenset[str]:
        """The commits whose parents are missing, since a source was shallow."""
        try:
            return frozenset((self.directory / "shallow").read_text(encoding="utf-8").split())
        except FileNotFoundError:
            return frozenset()
        except (OSError, UnicodeDecodeError) as error:
            raise self.unreadable(why(error)) from error

    @property
    def packs(self) -> int:
        """Number of packs."""
        return len(list(self.directory.glob("objects/pack/*.pack")))

    @property
    def size(self) -> int:
        """Bytes that the objects take."""
        return sum(path.stat().st_size for path in self.directory.glob("objects/**/*") if path.is_file())

    def repack(self) -> None:
        """Combine all packs into one, and delete unreachable objects; after a failure the next run tries again.

        This runs in the foreground, so that no git process is left when the run releases its lock.
        """
        until = time.monotonic() + _REPACK_SECONDS
        done = self._repack_part(until) if self.is_partial else self.run(*_COLLECT_GARBAGE, until=until)
        if done.status and not done.timed_out:
            self.unreadable(done.reason)  # marks a damaged repository, which the next fetch replaces

    def _repack_part(self, until: float) -> Done:
        """Combine the packs of a partial repository: git itself would keep what is unreachable there for ever."""
        packs = self.directory / "objects/pack"
        command = ("pack-objects", "--quiet", "--all", "--missing=allow-any", str(packs / "pack"))
        done = self.run(*command, until=until, data=b"")
        if not done.status:
            combined = f"pack-{done.output.decode().strip()}"
            (packs / f"{combined}.promisor").touch()  # by which git knows that content may be missing
            # Without its index, what is left of a pack counts for nothing.
            for other in sorted(packs.glob("pack-*"), key=lambda path: path.suffix != ".idx"):
                if other.stem != combined:
                    other.unlink()
        return done

    def is_damaged(self) -> bool:
        """Whether an object is missing or does not have its content, or a ref leads nowhere.

        Git's rules for the content of objects are not checked: old history may break them without being damaged.
        """
        done = self.run("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
        packs = [str(path) for path in self.directory.glob("objects/pack/*.idx")]
        if packs and not done.status:
            done = self.run("verify-pack", "--", *packs)
        return done.status != 0 and not done.timed_out

    def set_aside(self) -> None:
        """Set the damaged repository aside for a later investigation; only the last one is kept."""
        number = 0
        try:
            for old in self.directory.parent.glob(f"{self.directory.name}.corrupt-*"):
                number = max(number, int(old.name.rpartition("-")[2]))
                shutil.rmtree(old)
            self.directory.rename(self.directory.with_name(f"{self.directory.name}.corrupt-{number + 1}"))
        except OSError as error:
            raise self._blocked(error) from error

    def unreadable(self, reason: str) -> SourceUnavailableError:
        """Build the error for a failed read.

        A damaged repository is marked, and set aside by the next fetch. A fetch that finds nothing new would not
        notice the damage itself, and a reader has no lock, so it must not move the repository.
        """
        try:
            exists = self.directory.exists()
        except OSError as error:  # missing permission is not damage
            return self._blocked(error)
        if exists and not self.is_damaged():
            return SourceUnavailableError(reason, place=str(self.directory))
        with suppress(OSError):
            self._mark.touch()
        hint = "run again: the source is then fetched again"
        return SourceUnavailableError(f"the mirror is damaged: {reason}", place=str(self.directory), hint=hint)

    def _create(self, until: float, object_format: str) -> None:
        """Build the repository beside its final path and rename it, so that it never exists in part.

        The formats are chosen here, whatever the defaults of this git are: another git may read the mirror later.
        """
        building = self.directory.with_name(f"{self.directory.name}.new")
        shutil.rmtree(building, ignore_errors=True)
        make_private(building)
        own = repository_environment(self.directory, self._home)
        environment = own | {"GIT_DIR": str(building), "GIT_DEFAULT_REF_FORMAT": "files"}
        command = ("init", "--quiet", "--bare", f"--object-format={object_format}")
        done = self.run(*command, environment=environment, until=until)
        if done.status:
            raise SourceUnavailableError(f"the mirror cannot be made: {done.reason}", place=str(self.directory))
        building.rename(self.directory)

    def _mark_as(self, mark: Path) -> None:
        try:
            mark.touch()
        except NotADirectoryError:
            return  # git reports what is in the repository's place
        except OSError as error:
            raise self._blocked(error) from error

    def _blocked(self, error: OSError) -> SourceUnavailableError:
        message = f"the mirror cannot be used: {error.strerror}"
        return SourceUnavailableError(
            message, place=str(error.filename or self.directory), hint="check its owner and the space"
        )
