"""How often the service runs a cycle, whatever goes wrong: its real loop and real cycles, by a clock of the test's.

The clock stands still while a cycle runs, and moves on to whatever the service waits for.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apscheduler.triggers.base import BaseTrigger

from agentsync.core.paths import AppPaths
from agentsync.report.service_status import Trigger
from agentsync.service.control_socket import Answer
from agentsync.service.daemon import Daemon
from agentsync.service.local_work import LocalWork
from agentsync.service.lookout import Lookout
from agentsync.service.overdue import PendingFetches
from agentsync.service.polling import FetchPolicy, Polling
from agentsync.service.schedule import Schedule
from agentsync.service.watch import Watch
from agentsync.state.lock import locked
from support.clock import Clock
from support.gitserver import GitServer
from support.repository import Repository
from support.thorough import part

_HOUR = 3600.0
_INTERVAL = 900.0
_MOST_CYCLES = 40
"""In an hour: four by the schedule, a retry of each failure with its backoff, and one for each new configuration."""


class _Schedule(Schedule):
    """The schedule by the test's clock, without its thread."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(lambda _trigger: None, 0.5)
        self._clock = clock
        self.due: dict[Trigger, float] = {}

    def retry_in(self, seconds: float | None) -> None:
        self.due.pop(Trigger.RETRY, None)
        if seconds is not None:
            super().retry_in(seconds)

    @property
    def next_run_at(self) -> float | None:
        return self.due.get(Trigger.SCHEDULE)

    def take(self) -> Trigger:
        """Move the clock to the next run, and return its reason."""
        trigger = min(self.due, key=lambda each: self.due[each])
        self._clock.now = max(self._clock.now, self.due.pop(trigger))
        if trigger is Trigger.SCHEDULE:
            self._set(trigger, self._trigger)
        return trigger

    def _set(self, trigger: Trigger, when: BaseTrigger) -> None:
        fire_time = when.get_next_fire_time(None, datetime.fromtimestamp(self._clock.now, UTC))
        self.due[trigger] = fire_time.timestamp()


class _Service(Daemon):
    """The service, which counts its cycles."""

    def __init__(self, path: Path, app_paths: AppPaths, clock: Clock, stack: ExitStack) -> None:
        super().__init__(path, app_paths, LocalWork(lambda *_: Answer()), lambda *_: Answer())
        self._clock = clock
        self._polling = Polling(clock=clock, chance=lambda: 0.5)
        self._pending = PendingFetches(clock=clock, chance=lambda least, most: (least + most) / 2)
        self._schedule: _Schedule = _Schedule(clock)
        stack.enter_context(self._lock)
        stack.enter_context(self._inbox)
        stack.callback(self._stop_listening)
        self._lookout = Lookout(path, stack.enter_context(Watch(lambda _paths: None)))
        self.cycles = 0
        self._follow_schedule()
        self._cycle(Trigger.START, FetchPolicy.DUE)

    def run_for(self, seconds: float) -> None:
        """Handle all that comes in so many seconds of the test's clock."""
        end = self._clock.now + seconds
        while min(self._schedule.due.values()) < end:
            self._handle([self._schedule.take()])
            self.cycles += 1
            assert self.cycles <= _MOST_CYCLES
        self._clock.now = end

    def change_configuration(self, text: str) -> None:
        self._path.write_text(text, encoding="utf-8")
        self._handle([])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    gc.collect()
    gc.freeze()  # each cycle collects garbage, which takes long among all that tests leave in a process
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def _configuration(server: GitServer, name: str, *, watch: bool) -> str:
    return f"""version = 1
[sources.team]
url = "{server.url(name)}"
allow_http = true
[targets.claude]
create = true
[daemon]
interval = {_INTERVAL}
jitter = 0
watch = {str(watch).lower()}
"""


@contextmanager
def _full_disk(app_paths: AppPaths) -> Iterator[None]:
    """A state that cannot be opened, as on a full disk: a directory is in the place of its file."""
    kept = app_paths.database.with_name("kept")
    app_paths.database.rename(kept)
    app_paths.database.mkdir()
    try:
        yield
    finally:
        app_paths.database.rmdir()
        kept.rename(app_paths.database)


_COMBINATIONS = list(
    itertools.product(("barred, then another URL", "barred", "as it is"), ("", "lock held", "disk full"), (True, False))
)


@pytest.mark.parametrize(("source", "blocked", "watch"), part(_COMBINATIONS, of=3, first=0))
def test_whatever_goes_wrong_there_are_few_cycles_in_an_hour(
    tmp_path: Path, clock: Clock, server: GitServer, repository: Repository, *, source: str, blocked: str, watch: bool
) -> None:
    (repository.path.parent / "moved.git").symlink_to(repository.path)
    path, app_paths = tmp_path / "config.toml", AppPaths(tmp_path / "state", tmp_path / "cache", tmp_path / "policy")
    path.write_text(_configuration(server, "source.git", watch=watch))
    with ExitStack() as stack:
        service = _Service(path, app_paths, clock, stack)
        if source != "as it is":
            server.mode, server.status, server.headers = "error", 429, {"Retry-After": "300"}
            service._cycle(Trigger.REQUEST, FetchPolicy.ALL)  # as a `pull` has it do
            server.mode = "serve"
        if source == "barred, then another URL":
            service.change_configuration(_configuration(server, "moved.git", watch=watch))
        with ExitStack() as faults:
            if blocked == "lock held":
                faults.enter_context(locked(app_paths))
            if blocked == "disk full":
                faults.enter_context(_full_disk(app_paths))
            service.run_for(_HOUR)
        service.cycles = 0
        repository.write({"agents/later.md": "---\nname: later\ndescription: Later.\n---\nLater.\n"})
        repository.commit()
        service.run_for(_INTERVAL + 1)
        assert (tmp_path / "home/.claude/agents/later.md").exists()  # nothing is left of it once the cause is gone


@pytest.mark.parametrize(("watch", "most"), [(True, _HOUR), (False, _INTERVAL)])
def test_a_change_that_no_watch_reports_is_seen_within_the_full_scan(
    tmp_path: Path,
    clock: Clock,
    server: GitServer,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    *,
    watch: bool,
    most: float,
) -> None:
    repository.write({"agents/reviewer.md": "---\nname: reviewer\ndescription: Reviews.\n---\nReview.\n"})
    repository.commit()
    path, app_paths = tmp_path / "config.toml", AppPaths(tmp_path / "state", tmp_path / "cache", tmp_path / "policy")
    path.write_text(_configuration(server, "source.git", watch=watch))
    looks: list[float] = []
    begin = Lookout.begin

    def note(lookout: Lookout) -> None:
        looks.append(clock.now)
        begin(lookout)

    monkeypatch.setattr(Lookout, "begin", note)
    with ExitStack() as stack:
        service = _Service(path, app_paths, clock, stack)
        service.run_for(4 * _INTERVAL)
        file = next((tmp_path / "home/.claude/agents").iterdir())
        (tmp_path / "elsewhere").hardlink_to(file)  # whose directory nobody watches
        written = file.read_bytes()
        for number in range(1 + watch):
            service.run_for(number * _INTERVAL)
            changed_at = clock.now
            (tmp_path / "elsewhere").write_bytes(b"mine")
            while not _drifted(service):
                service.run_for(_INTERVAL)
            assert clock.now - changed_at <= most
            (tmp_path / "elsewhere").write_bytes(written)
            service.run_for(_HOUR)
            assert not _drifted(service)
        service.cycles = 0
        looks.clear()
        service.run_for(4 * _HOUR)
        assert (len(looks) < service.cycles / 2) == watch  # it looks at files only where it has to


def _drifted(service: _Service) -> int:
    return sum(target.drifted for target in service._service_status.targets)
