"""Target directories and those above them, swapped at full speed while apply runs.

A swapped directory is renamed away, a link to somebody's own directory takes its place for an instant, then it comes
back; or it is deleted and made again. Behind the links are the very files that apply is about to update and delete, so
that nothing but the way there keeps it from them. What is there must be as it was, down to the times of its
directories, which even a file that was made and taken away again would move.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count, cycle
from pathlib import Path

import pytest

from agentsync.dialects import dialects
from agentsync.dialects.roo.modes_file import canonical, entries
from agentsync.targets import directory_handle as dirfd
from agentsync.targets.directory_handle import DirectoryHandle
from support.targets import Machine, codes
from support.thorough import THOROUGH

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names can be exchanged atomically there")

SECONDS = 60 if THOROUGH else 4
LOCK_TIMEOUT = 60
"""Seconds within which a planted bug has to be noticed."""

HERE, EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE, of renameat2(2)."""

SHARED = dialects()["roo"].shared

TARGET, MODES = "tool/agents", "project/.roomodes"
FIRST = {"a.md": b"1", "b.md": b"1", "sub/c.md": b"1", "sub/d.md": b"1"}
SECOND = {"a.md": b"2", "sub/c.md": b"2", "e.md": b"2", "new/f.md": b"2"}


def mode(slug: str, role: str) -> bytes:
    return canonical({"slug": slug, "name": slug, "roleDefinition": role, "groups": ["read"]})


FIRST_MODES = {"one": mode("one", "1"), "two": mode("two", "1")}
SECOND_MODES = {"one": mode("one", "2"), "three": mode("three", "2")}
WANTED = ({TARGET: FIRST, MODES: FIRST_MODES}, {TARGET: SECOND, MODES: SECOND_MODES})


def exchange(one: Path, other: Path) -> None:
    """Exchange two names atomically."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(HERE, bytes(one), HERE, bytes(other), EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def destroy(directory: Path) -> None:
    """Delete a directory that others may be writing to."""
    while directory.exists():
        with suppress(OSError):
            shutil.rmtree(directory)


class Ground:
    """A user's tools, and directories of somebody's own that look just the same."""

    def __init__(self, root: Path) -> None:
        self.user = root / "user"
        self.machine = Machine(root / "state")
        self.machine.home.mkdir()
        self.machine.home = self.user
        for name, shared in ((TARGET, None), (MODES, SHARED)):
            self.machine.add(name, shared=shared).parent.mkdir(parents=True)
        (self.user / "tool/settings").write_bytes(b"mine")
        self.agents, self.tool, self.project = (self.user / name for name in (TARGET, "tool", "project"))
        self.agents.mkdir()
        self.machine.sync(**WANTED[0])
        self.victims = root / "victims"
        for directory in (self.tool, self.project):
            shutil.copytree(directory, self.victims / directory.name)

    def victim(self, directory: Path) -> Path:
        return self.victims / directory.relative_to(self.user)

    def theirs(self) -> dict[str, tuple[object, ...]]:
        """Everything that stat and a read show of somebody's own files."""
        return {str(path): self._observed(path) for path in (self.victims, *self.victims.rglob("*"))}

    @staticmethod
    def _observed(path: Path) -> tuple[object, ...]:
        seen = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(seen.st_mode) else b""
        return data, seen.st_mode, seen.st_ino, seen.st_nlink, seen.st_mtime_ns, seen.st_ctime_ns

    def exchange(self, directory: Path) -> None:
        """Put a link in the directory's place atomically, and then the directory again."""
        link = directory.with_name(f"{directory.name}.link")
        link.symlink_to(self.victim(directory))
        exchange(link, directory)
        os.sched_yield()
        exchange(link, directory)
        link.unlink()
        os.sched_yield()

    def move(self, directory: Path) -> None:
        """Move the directory away, with a link in its place for a while; a new directory in its place stays."""
        away = directory.with_name(f"{directory.name}.away")
        directory.rename(away)
        try:
            directory.symlink_to(self.victim(directory))
            directory.unlink()
            away.rename(directory)
        except OSError:
            destroy(away)

    def remake(self, directory: Path) -> None:
        """Delete the directory with all that is in it, then make an empty one."""
        destroy(directory)
        with suppress(FileExistsError):
            directory.mkdir()

    def swaps(self) -> Iterator[Callable[[], None]]:
        """Swaps, one after the other, for ever; a directory with a file of the user's is only exchanged."""
        for number in count():
            for directory in (self.agents, self.tool, self.project):
                yield partial(self.exchange, directory)
            if number % 20 == 0:
                yield partial(self.move, self.agents)
            if number % 100 == 0:
                yield partial(self.remake, self.agents)

    @contextmanager
    def swapping(self) -> Iterator[list[int]]:
        """Swap as fast as possible, in a thread; return a counter of the swaps."""
        stop, done = threading.Event(), [0]
        swaps = self.swaps()

        def swap() -> None:
            while not stop.is_set():
                next(swaps)()
                done[0] += 1

        thread = threading.Thread(target=swap)
        thread.start()
        try:
            yield done
        finally:
            stop.set()
            thread.join()


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)  # which takes the most time, and none of it matters here
    return Ground(tmp_path)


@contextmanager
def switching_often() -> Iterator[None]:
    """Let threads take turns after a few calls and not after five milliseconds."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def race(ground: Ground, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
    """Let apply go back and forth between two wanted states while everything is swapped."""
    end, before = time.monotonic() + seconds, ground.machine.runs
    with ground.swapping() as swaps, switching_often():
        for wanted in cycle(reversed(WANTED)):
            ground.machine.sync(**wanted)
            if time.monotonic() > end or until():
                break
    assert swaps[0] > ground.machine.runs - before, "there was no race"


def test_43_no_race_leads_a_write_outside_and_one_run_after_it_converges(ground: Ground) -> None:
    before = ground.theirs()
    race(ground, SECONDS)
    assert ground.theirs() == before
    assert (ground.tool / "settings").read_bytes() == b"mine"
    for wanted in WANTED:
        assert codes(ground.machine.sync(**wanted)) == {}
        files = {str(path.relative_to(ground.agents)): path for path in ground.agents.rglob("*") if path.is_file()}
        assert {name: path.read_bytes() for name, path in files.items()} == wanted[TARGET]
        assert entries((ground.user / MODES).read_bytes()) == wanted[MODES]
        assert [path.name for path in ground.project.iterdir()] == [".roomodes"]
    assert ground.theirs() == before


def links_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dirfd, "NOFOLLOW", 0)


def paths_are_checked_then_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dirfd, "_DESCRIPTORS", False)


def files_are_changed_by_their_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DirectoryHandle, "at", lambda directory, name: os.path.join(directory.path, name))  # noqa: PTH118 - as there


def links_above_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dirfd, "top_of", lambda path: path.parent)


@pytest.mark.parametrize(
    "bug",
    [links_are_followed, links_above_are_followed, paths_are_checked_then_used, files_are_changed_by_their_paths],
    ids=lambda bug: bug.__name__,
)
def test_43_a_planted_bug_is_noticed(
    ground: Ground, bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ground.theirs()
    with monkeypatch.context() as planted:
        bug(planted)
        race(ground, LOCK_TIMEOUT, until=lambda: ground.theirs() != before)
    assert ground.theirs() != before
