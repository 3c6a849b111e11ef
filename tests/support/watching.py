"""A listener for the reports of a watch."""

from __future__ import annotations

import sys
from pathlib import Path
from queue import Empty, SimpleQueue
from secrets import token_hex

import pytest

from agentsync.service.watch import Watch

SETTLE = 0.05
TIMEOUT = 20.0
linux = pytest.mark.skipif(sys.platform != "linux", reason="this is about inotify")


class Listener:
    """Receives the reports of a watch.

    Attributes:
        watch: the watch that reports.
        bell: a directory that is followed too: a change in it proves that no earlier report is still to come.
    """

    def __init__(self, bell: Path) -> None:
        self.bell = bell
        self.bell.mkdir()
        self._reports: SimpleQueue[frozenset[Path]] = SimpleQueue()
        self.watch = Watch(self._reports.put, settle=SETTLE, most=1.0)

    def follow(self, *directories: Path, files: tuple[Path, ...] = ()) -> tuple[str, ...]:
        return self.watch.follow(files, [*directories, self.bell])

    def receives(self, *paths: Path) -> None:
        """Wait until these are reported, and assert that nothing else is."""
        paths_reported: set[Path] = set()
        while not paths_reported.issuperset(paths):
            paths_reported |= self.next()
        assert paths_reported | self._reported_until_the_bell() == {*paths}

    def receives_nothing(self) -> None:
        """Assert that nothing was reported since the last time, nor will be."""
        assert self._reported_until_the_bell() == set()

    def next(self) -> frozenset[Path]:
        """The next report."""
        return self._reports.get(timeout=TIMEOUT)

    def is_silent(self, seconds: float) -> bool:
        try:
            self._reports.get(timeout=seconds)
        except Empty:
            return True
        return False

    def _reported_until_the_bell(self) -> set[Path]:
        """Ring the bell, and return what is reported until then."""
        (self.bell / token_hex()).symlink_to("nowhere")  # one event, where writing a file makes several
        paths: set[Path] = set()
        while self.bell not in paths:
            paths |= self.next()
        return paths - {self.bell}
