"""The service's main loop: runs a cycle on schedule, on request, and when something changed on this machine.

Ticks, changes, questions and signals all arrive in one inbox, which the main thread empties: so events are handled one
after the other, and the loop waits for nothing but the inbox. Events that arrive during a cycle are handled by one more
cycle. A signal that ends the service interrupts only a cycle, which may take minutes and is safe to kill.
"""

from __future__ import annotations

import gc
import random
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from types import FrameType
from typing import Final

from agentsync.config import Config, check_complete, load_with_text
from agentsync.core.errors import AgentsyncError, ConfigError, ExitCode, LockedError, shortage
from agentsync.core.installation import kept_id, own_fraction
from agentsync.core.log import log, logged
from agentsync.core.paths import AppPaths, text_of
from agentsync.report.service_status import ServiceStatus, Trigger
from agentsync.service.control_socket import Answer, Asked, Control, Question
from agentsync.service.current_status import (
    Result,
    in_words,
    known_sources,
    outcome,
    rollouts_after,
    service_status_of,
    targets_after,
)
from agentsync.service.events import (
    log_clock_changed,
    log_failed,
    log_fallback,
    log_no_control,
    log_refused,
    log_reloaded,
    log_started,
    log_stopped,
)
from agentsync.service.health import Health
from agentsync.service.inbox import Inbox
from agentsync.service.notify import Notifier
from agentsync.service.overdue import PendingFetches
from agentsync.service.polling import FetchPolicy, Polling
from agentsync.service.requests import asks_for, consent_of, want_all
from agentsync.service.schedule import GRACE_SECONDS, Schedule
from agentsync.service.watch import Watch
from agentsync.state.lock import ServiceLock
from agentsync.state.records import Action
from agentsync.state.store import State
from agentsync.sync.cycle import cycle
from agentsync.sync.fetch import mirror_of
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Scope, SyncRequest
from agentsync.sync.up_to_date import UpToDate, find_up_to_date
from agentsync.targets.consent import Consent

Show = Callable[[Result, Question], Answer]
"""A function that renders a result as `pull` prints it."""

_WORK_SECONDS: Final = 600.0  # a cycle may take without a sign of progress, in addition to its fetches
_SIGN_SECONDS: Final = 5.0  # between two signs of progress
_ASLEEP_SECONDS: Final = 900.0  # between two looks at the wall clock, which advances while the machine sleeps
_SPLAY_SECONDS: Final = 60.0  # over which machines that start together spread the fetches that they missed
_RESTORES: Final = 3  # cycles that may restore locally edited files within _RESTORE_SECONDS
_RESTORE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Reload:
    """A request to read the configuration again."""


@dataclass(frozen=True, slots=True)
class _Changed:
    """A change at these paths."""

    paths: frozenset[Path]


@dataclass(frozen=True, slots=True)
class _End:
    """A request to end the service."""


_Event = Trigger | _Reload | _Changed | Asked | _End


class Daemon:
    """The service of one installation, in the main thread of its process."""

    def __init__(self, path: Path, app_paths: AppPaths, show: Show) -> None:
        """Read the configuration.

        Args:
            path: the absolute path of the configuration.
            app_paths: where the state is.
            show: renders a result as `pull` prints it.

        Raises:
            ConfigError: the configuration cannot be used.
        """
        self._path = path
        self._app_paths = app_paths
        self._show = show
        self._config, self._text = self._load()
        self._lock = ServiceLock(app_paths)
        self._control: Control | None = None
        self._inbox: Inbox[_Event] = Inbox()
        self._ending: BaseException | None = None
        self._is_cycling = False
        self._polling = Polling()
        self._notifier = Notifier()
        self._health = Health(app_paths)
        self._service_status = ServiceStatus(config=str(path), started_at=time.time())
        self._seen_text = self._text
        self._pending = PendingFetches()
        self._suspicious_at: float | None = None
        self._restored: deque[float] = deque(maxlen=_RESTORES)
        self._signed_at = 0.0

    def run(self) -> None:
        """Run until a signal ends the process.

        Raises:
            SystemExit, KeyboardInterrupt: SIGTERM or ^C was received.
            LockedError: another service runs already.
            StateError: the state directory cannot be used.
            ConfigError: something that the configuration requires is not available.
        """
        with ExitStack() as stack:
            stack.enter_context(self._lock)
            stack.enter_context(self._inbox)
            self._handle_signals(stack)
            stack.callback(self._health.close)
            self._health.follow(self._config)
            self._watch = stack.enter_context(Watch(lambda paths: self._inbox.put(_Changed(paths))))
            fraction = own_fraction(fallback=kept_id(self._app_paths))
            self._schedule = stack.enter_context(Schedule(self._inbox.put, fraction))
            stack.callback(self._stop_listening)
            self._listen()
            log_started(self._path)
            stack.callback(log_stopped, self._path)
            stack.callback(self._notifier.stopping)
            self._follow_schedule()
            self._follow_changes()  # before the first look, so that nothing changes unseen after it
            self._reload_changed()
            self._cycle(Trigger.START, self._policy_at_start())
            self._catch_up()
            self._notifier.ready(in_words(self._service_status))
            while True:
                self._handle(self._next())

    def _handle_signals(self, stack: ExitStack) -> None:
        handlers = {signal.SIGTERM: self._end, signal.SIGINT: self._end}
        if hasattr(signal, "SIGHUP"):
            handlers[signal.SIGHUP] = lambda *_: self._inbox.put(_Reload())
        for number, handler in handlers.items():
            stack.callback(signal.signal, number, signal.signal(number, handler))

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self._ending = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(int(ExitCode.TERMINATED))
        self._inbox.put(_End())  # also during a cycle, where a library may swallow the exception
        if self._is_cycling:
            raise self._ending

    def _raise_if_ending(self) -> None:
        if self._ending:
            raise self._ending

    def _listen(self) -> None:
        self._stop_listening()
        try:
            self._control = Control(self._app_paths, self._inbox.put).__enter__()
        except (OSError, RuntimeError) as error:  # the latter where no thread can be started
            log_no_control(error)

    def _stop_listening(self) -> None:
        if self._control:
            self._control.__exit__()
            self._control = None

    def _own_state(self) -> None:
        """Take the service's lock and its socket again if they were deleted, as with the whole state.

        Raises:
            LockedError: another service was started meanwhile.
            StateError: the state directory cannot be used.
        """
        if self._lock.renew():
            self._listen()

    def _policy_at_start(self) -> FetchPolicy:
        """Fetch nothing, so that a fleet that starts together overloads no server, unless a source failed before."""
        with State.open(self._app_paths.database) as state:
            known = known_sources(self._config, state).values()
        return FetchPolicy.DUE if any(source.error for source in known) else FetchPolicy.NONE

    def _catch_up(self) -> None:
        """Schedule the run that was missed while the machine was off; not at once, since the whole fleet would."""
        known = [source.fetched_at for source in self._service_status.sources if source.fetched_at]
        if known and self._schedule.has_missed(min(known)):
            table = self._config.daemon
            splay = random.uniform(0, min(table.interval * table.jitter, _SPLAY_SECONDS))  # noqa: S311 - no secret
            self._pending.schedule(FetchPolicy.DUE, splay)
            self._schedule.retry_in(splay)

    # Events

    def _follow_schedule(self) -> None:
        self._schedule.follow(self._config.daemon)
        self._expect_run()

    def _expect_run(self) -> None:
        seconds = self._schedule.seconds_until_suspicious()
        self._suspicious_at = None if seconds is None else time.monotonic() + seconds

    def _next(self) -> list[_Event]:
        """Wait for events and return all that arrived.

        A tick that is late by more than its grace means that the clock was set back, and is replaced by one now.
        """
        while True:
            remaining = inf if self._suspicious_at is None else self._suspicious_at - time.monotonic()
            seconds = max(0.0, min(remaining, _ASLEEP_SECONDS))
            self._notifier.alive(within=seconds + GRACE_SECONDS)
            if events := self._inbox.get(seconds):
                return events
            if remaining <= seconds:
                log_clock_changed()
                self._follow_schedule()
                return [Trigger.SCHEDULE]
            self._schedule.look_at_clock()

    def _handle(self, events: Sequence[_Event]) -> None:
        self._raise_if_ending()
        changed = frozenset().union(*(event.paths for event in events if isinstance(event, _Changed))) - {self._path}
        questions = [event for event in events if isinstance(event, Asked)]
        triggers = [event for event in events if isinstance(event, Trigger)]
        if Trigger.SCHEDULE in triggers:
            self._expect_run()
        asked_to_reload = any(isinstance(event, _Reload) for event in events)
        reloads = self._reload() if asked_to_reload else self._reload_changed()
        mine = [asked for asked in questions if self._is_mine(asked)]
        for asked in questions:
            if asked not in mine:
                asked.answer(Answer())
        if mine:
            result = self._cycle(Trigger.REQUEST, FetchPolicy.ALL, consent=consent_of(mine), whole=want_all(mine))
            for asked in mine:
                asked.answer(self._show(result, asked.question))
        elif reloads or Trigger.SCHEDULE in triggers:
            self._cycle(Trigger.RELOAD if reloads else Trigger.SCHEDULE, FetchPolicy.DUE)
        elif triggers:
            self._cycle(Trigger.RETRY, max(self._pending.due, FetchPolicy.RETRY))
        elif changed:
            self._cycle(Trigger.CHANGE, FetchPolicy.NONE)

    def _is_mine(self, asked: Asked) -> bool:
        """Whether it asks for the configuration that is in use, which a file with a mistake is not."""
        return not self._service_status.config_error and asks_for(asked.question, self._path, self._text)

    def _reload_changed(self) -> bool:
        """Reload if the text changed since it was last read; this works without a watch too."""
        return text_of(self._path) != self._seen_text and self._reload()

    def _reload(self) -> bool:
        """Read the configuration again, and use it unless it has a mistake, which is logged.

        Returns:
            Whether a new configuration is in use.
        """
        self._notifier.reloading()
        self._seen_text = text_of(self._path)
        try:
            config, text = self._load()
            self._health.follow(config)
        except ConfigError as error:
            log_refused(self._path, error)
            self._service_status = replace(self._service_status, config_error=str(error))
            changed = False
        else:
            changed = text != self._text
            self._config, self._text = config, text
            self._service_status = replace(self._service_status, config_error="")
            self._follow_schedule()
            tables = config.sources.items()
            self._polling.forgive(mirror_of(self._app_paths, name, table.url) for name, table in tables)
            if changed:
                log_reloaded(self._path)
        self._publish(replace(self._service_status, fallbacks=self._follow_changes()))
        self._notifier.ready(in_words(self._service_status))
        return changed

    def _load(self) -> tuple[Config, str]:
        config, text = load_with_text(self._path)
        check_complete(config, self._path)
        return config, text

    # Cycles

    def _cycle(
        self, trigger: Trigger, policy: FetchPolicy, *, consent: Consent | None = None, whole: bool = False
    ) -> Result:
        """Run one cycle and publish its result; a `whole` one skips the up-to-date check."""
        began = time.monotonic()
        last = self._service_status.last
        policy = self._pending.with_failed(policy)
        result: Result
        try:
            self._own_state()
            # The up-to-date check repeats no diagnostic, so it is used only after a whole cycle; after one with errors
            # it finds something only where all of these are on refused agents.
            is_after_whole = last is not None and last.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE)
            short = bool(self._text) and is_after_whole and not (whole or consent)
            self._is_cycling = True
            self._raise_if_ending()
            result = self._run(trigger, policy, consent, short=short)
            self._pending.succeeded(policy)
        except Exception as error:
            if isinstance(error, LockedError) and error.place == str(self._app_paths.service_lock):
                raise  # another service works here now
            failure = error if isinstance(error, AgentsyncError) else shortage(error)
            if failure is None:
                raise
            log_failed(failure)
            self._pending.failed(policy)
            result = failure
        finally:
            self._is_cycling = False
        fallbacks = self._follow_changes()
        self._schedule.retry_in(self._pending.next_retry(self._polling.next_wait))
        self._publish(
            replace(
                self._service_status,
                last=outcome(result, trigger, time.monotonic() - began, before=last),
                cycles=self._service_status.cycles + 1,
                fallbacks=fallbacks,
                next_run_at=self._schedule.next_run_at,
                targets=targets_after(result, self._service_status.targets),
                rollouts=rollouts_after(result, self._service_status.rollouts),
            ),
        )
        if not isinstance(result, UpToDate):
            gc.collect()  # else the garbage of a whole cycle would be held until the next one, minutes later
        return result

    def _run(self, trigger: Trigger, policy: FetchPolicy, consent: Consent | None, *, short: bool) -> Report | UpToDate:
        self._show_life(force=True)
        fetches = self._polling.fetches(policy)
        request = SyncRequest(
            Scope.APPLY,
            consent or Consent(),
            quiet_noop=trigger is Trigger.CHANGE,  # most changes are the service's own writes
            allow_restore=trigger is not Trigger.CHANGE or self._may_restore(),
        )
        if short and (up_to_date := find_up_to_date(self._text, self._app_paths, fetches, request)):
            if not request.quiet_noop:
                log(up_to_date.event)
            return up_to_date
        environment = Environment(
            self._config, self._app_paths, self._text, fetches, progress=lambda *_: self._show_life()
        )
        report = logged(cycle(environment, request))
        if any(outcome.ok and outcome.change.action is Action.REPLACE for outcome in report.outcomes):
            self._restored.append(time.monotonic())
        return report

    def _may_restore(self) -> bool:
        """Whether drift may be overwritten at once; limited, so as not to fight a program that writes it each time."""
        return len(self._restored) < _RESTORES or time.monotonic() - self._restored[0] > _RESTORE_SECONDS

    def _show_life(self, *, force: bool = False) -> None:
        """Report progress to the service manager, and by when the next report is due."""
        if force or time.monotonic() - self._signed_at > _SIGN_SECONDS:
            self._signed_at = time.monotonic()
            # A source is fetched in two steps: its commits, and the content that is read.
            fetching = sum(2 * source.timeout for source in self._config.sources.values())
            self._notifier.alive(within=fetching + _WORK_SECONDS)

    def _follow_changes(self) -> tuple[str, ...]:
        """Watch the paths that matter now.

        Returns:
            What cannot be watched, each with its reason.
        """
        if not self._config.daemon.watch:
            return self._watch.follow([], [])
        targets = self._config.resolved_targets()
        files = [target.directory for target in targets if target.written.shared]
        directories = [
            target.directory.resolve() if target.follow_symlinks else target.directory
            for target in targets
            if not target.written.shared
        ]
        overlays = [self._config.overlays] if self._config.overlays else []
        fallbacks = self._watch.follow([self._path, *files], [*directories, *overlays])
        for fallback in sorted(set(fallbacks) - set(self._service_status.fallbacks)):
            log_fallback(fallback)
        return fallbacks

    # Status

    def _publish(self, service_status: ServiceStatus) -> None:
        """Publish the service's status to monitors and to the service manager."""
        try:
            self._service_status = service_status_of(service_status, self._config, self._app_paths, self._polling)
        except AgentsyncError:  # the cycle met it too, and logged it
            self._service_status = service_status
        self._health.saw(self._service_status)
        self._notifier.status(in_words(self._service_status))
