"""A bare repository on this machine: made whole or not at all, cleaned up, set aside once it is damaged."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from agentsync.core.errors import SourceUnavailableError
from agentsync.git.environment import repository_environment
from agentsync.git.process import READ_SECONDS, Done, Process, Quota, executable, run

# What a git that was killed leaves behind: locks, which stop the next one, and parts of packs and refs.
_LEFTOVERS = (
    "*.lock",
    "gc.pid",
    "packed-refs.new",
    "refs/**/*.lock",
    "objects/*.lock",
    "objects/info/**/*.lock",
    "objects/pack/*.lock",
    "objects/pack/tmp_*",
    "objects/pack/.tmp-*",
)
_REPACK_SECONDS = 120.0


class BareRepository:
    """A directory that git works in; nothing is read or made before it is prepared."""

    def __init__(self, directory: Path, home: Path) -> None:
        """Both paths become absolute.

        Args:
            directory: the repository; its parent is made where missing.
            home: an empty directory that git gets as HOME, made with mode 0700 where missing.
        """
        self.directory = directory.absolute()
        self._home = home.absolute()
        self._mark = self.directory / "agentsync-damaged"

    @property
    def environment(self) -> dict[str, str]:
        """What git is told when it works here."""
        return repository_environment(self.directory, self._home)

    def run(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        until: float | None = None,
        quota: Quota | None = None,
    ) -> Done:
        """Run a git command to its end, or to a moment of the monotonic clock."""
        end = time.monotonic() + READ_SECONDS if until is None else until
        return run([executable(), *arguments], self._home, environment or self.environment, end, quota=quota)

    def read(self, *arguments: str, seconds: float = READ_SECONDS) -> bytes:
        """What a git command puts out; that it fails means that the repository cannot be read."""
        done = self.run(*arguments, until=time.monotonic() + seconds)
        if done.status:
            raise self.unreadable(done.reason)
        return done.output

    def start(self, *arguments: str, seconds: float) -> Process:
        """Start a git command that is written to and read from meanwhile."""
        until = time.monotonic() + seconds
        return Process([executable(), *arguments], self._home, self.environment, until, stdin=True)

    def prepare(self, until: float) -> None:
        """Make what is missing, until a moment of the monotonic clock, and remove what a killed git left behind.

        The caller holds the lock of the run: what looks left behind may otherwise be at work.

        Raises:
            SourceUnavailableError: git is missing, or the directory cannot be written.
        """
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._mark.exists():
                self.set_aside()
            if not self.directory.exists():
                self._create(until)
            for pattern in _LEFTOVERS:
                for leftover in self.directory.glob(pattern):
                    leftover.unlink(missing_ok=True)
        except OSError as error:
            raise self._blocked(error) from error

    @property
    def packs(self) -> int:
        """How many packs there are."""
        return len(list(self.directory.glob("objects/pack/*.pack")))

    @property
    def size(self) -> int:
        """How many bytes the objects take."""
        return sum(path.stat().st_size for path in self.directory.glob("objects/**/*") if path.is_file())

    def repack(self) -> None:
        """Make one pack of all, and drop what nothing refers to; what fails is left for the next time.

        In the foreground, so that nothing of git's is at work when the run has given up its lock.
        """
        until = time.monotonic() + _REPACK_SECONDS
        done = self.run("gc", "--quiet", "--force", "--prune=now", until=until)
        if done.status and not done.timed_out:
            self.unreadable(done.reason)

    def is_damaged(self) -> bool:
        """Whether git finds fault with what is there."""
        done = self.run("fsck", "--full", "--no-dangling", "--no-progress")
        return done.status != 0 and not done.timed_out

    def set_aside(self) -> None:
        """Keep one damaged repository for whoever wants to find out why."""
        number = 0
        try:
            for old in self.directory.parent.glob(f"{self.directory.name}.corrupt-*"):
                number = max(number, int(old.name.rpartition("-")[2]))
                shutil.rmtree(old)
            self.directory.rename(self.directory.with_name(f"{self.directory.name}.corrupt-{number + 1}"))
        except OSError as error:
            raise self._blocked(error) from error

    def unreadable(self, reason: str) -> SourceUnavailableError:
        """The error for what could not be read.

        A damaged repository is marked, and set aside by the next fetch: one that finds nothing new would not notice
        the damage, and whoever only reads holds no lock.
        """
        try:
            there = self.directory.exists()
        except OSError as error:  # what may not be looked at is no damage
            return self._blocked(error)
        if there and not self.is_damaged():
            return SourceUnavailableError(reason, place=str(self.directory))
        with suppress(OSError):
            self._mark.touch()
        hint = "run again: the source is fetched anew"
        return SourceUnavailableError(f"the mirror is damaged: {reason}", place=str(self.directory), hint=hint)

    def _create(self, until: float) -> None:
        """Built beside its place and renamed, so that a mirror is there wholly or not at all."""
        building = self.directory.with_name(f"{self.directory.name}.new")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700, parents=True)
        environment = self.environment | {"GIT_DIR": str(building)}
        done = self.run("init", "--quiet", "--bare", environment=environment, until=until)
        if done.status:
            raise SourceUnavailableError(f"the mirror cannot be made: {done.reason}", place=str(self.directory))
        building.rename(self.directory)

    def _blocked(self, error: OSError) -> SourceUnavailableError:
        message = f"the mirror cannot be used: {error.strerror}"
        return SourceUnavailableError(
            message, place=str(error.filename or self.directory), hint="check its owner and the space"
        )
