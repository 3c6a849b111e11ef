"""The service's main loop: runs a cycle on schedule, on request, and when something changed on this machine.

Ticks, changes, questions and signals all arrive in one inbox, which the main thread empties: so events are handled one
after the other, and the loop waits for nothing but the inbox. Events that arrive during a cycle are handled by one more
cycle. A signal that ends the service interrupts only a cycle, which may take minutes and is safe to kill.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from types import FrameType
from typing import Final

from agentsync.core.errors import AgentsyncError, ConfigError, ExitCode, LockedError, shortage
from agentsync.core.installation import kept_id, own_fraction
from agentsync.core.log import log
from agentsync.core.paths import AppPaths, text_of
from agentsync.report.service_status import ServiceStatus, Trigger
from agentsync.service.control_socket import Answer, Asked, Control, Question
from agentsync.service.current_status import in_words, known_sources, service_status_of, status_after
from agentsync.service.events import (
    log_clock_changed,
    log_failed,
    log_no_control,
    log_refused,
    log_reloaded,
    log_started,
    log_stopped,
)
from agentsync.service.health import Health
from agentsync.service.inbox import Inbox
from agentsync.service.lookout import Lookout
from agentsync.service.notify import Notifier
from agentsync.service.overdue import PendingFetches
from agentsync.service.polling import FetchPolicy, Polling
from agentsync.service.requests import asks_for, consent_of, want_all
from agentsync.service.restores import Restores
from agentsync.service.schedule import GRACE_SECONDS, Schedule
from agentsync.service.watch import Watch
from agentsync.service.work import SyncTask, Work
from agentsync.state.lock import ServiceLock
from agentsync.state.store import State
from agentsync.sync.fetch import mirror_of
from agentsync.sync.request import Scope, SyncRequest
from agentsync.sync.up_to_date import UpToDate, find_up_to_date
from agentsync.targets.consent import Consent

Show = Callable[[UpToDate, Question], Answer]
"""A function that renders a result with nothing to do as `pull` prints it."""

_WORK_SECONDS: Final = 600.0  # a cycle may take without a sign of progress, in addition to its fetches
_SIGN_SECONDS: Final = 5.0  # between two signs of progress
_ASLEEP_SECONDS: Final = 900.0  # between two looks at the wall clock, which advances while the machine sleeps
_SPLAY_SECONDS: Final = 60.0  # over which machines that start together spread the fetches that they missed
_MOST_SCANNED: Final = 3000
"""Files that the service looks at itself; for more it starts a process, since it keeps some of the memory for good."""

_REGULAR: Final = (Trigger.SCHEDULE, Trigger.RETRY)
"""The reasons for which a cycle asks the sources only: nobody asked, and nothing changed here."""


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

    def __init__(self, path: Path, app_paths: AppPaths, work: Work, show: Show) -> None:
        """Read the configuration.

        Args:
            path: the absolute path of the configuration.
            app_paths: where the state is.
            work: does what takes more memory than a poll that finds nothing new.
            show: renders a result as `pull` prints it.

        Raises:
            ConfigError: the configuration cannot be used.
        """
        self._path = path
        self._app_paths = app_paths
        self._work = work
        self._show = show
        loaded = work.load(path)
        self._settings, self._text = loaded.settings, loaded.text
        self._lock = ServiceLock(app_paths)
        self._control: Control | None = None
        self._inbox: Inbox[_Event] = Inbox()
        self._ending: BaseException | None = None
        self._is_cycling = False
        self._polling = Polling()
        self._notifier = Notifier()
        self._health = Health(app_paths, work)
        self._service_status = ServiceStatus(config=str(path), started_at=time.time())
        self._seen_text = self._text
        self._pending = PendingFetches()
        self._suspicious_at: float | None = None
        self._restores = Restores()
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
            self._health.follow(self._settings)
            watch = stack.enter_context(Watch(lambda paths: self._inbox.put(_Changed(paths))))
            self._lookout = Lookout(self._path, watch)
            fraction = own_fraction(fallback=kept_id(self._app_paths))
            self._schedule = stack.enter_context(Schedule(self._inbox.put, fraction))
            stack.callback(self._stop_listening)
            self._listen()
            log_started(self._path)
            stack.callback(log_stopped, self._path)
            stack.callback(self._notifier.stopping)
            self._follow_schedule()
            self._lookout.follow(self._settings)  # before the first look, so that nothing changes unseen after it
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
            known = known_sources(self._settings.sources, state).values()
        return FetchPolicy.DUE if any(source.error for source in known) else FetchPolicy.NONE

    def _catch_up(self) -> None:
        """Schedule the run that was missed while the machine was off; not at once, since the whole fleet would."""
        known = [source.fetched_at for source in self._service_status.sources if source.fetched_at]
        if known and self._schedule.has_missed(min(known)):
            most = min(self._settings.interval * self._settings.jitter, _SPLAY_SECONDS)
            splay = random.uniform(0, most)  # noqa: S311 - no secret
            self._pending.schedule(FetchPolicy.DUE, splay)
            self._schedule.retry_in(splay)

    # Events

    def _follow_schedule(self) -> None:
        self._schedule.follow(self._settings)
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
            self._cycle(Trigger.REQUEST, FetchPolicy.ALL, mine)
        elif reloads or Trigger.SCHEDULE in triggers:
            self._cycle(Trigger.RELOAD if reloads else Trigger.SCHEDULE, FetchPolicy.DUE)
        elif triggers:
            self._cycle(Trigger.RETRY, max(self._pending.due, FetchPolicy.RETRY))
        elif changed:
            self._cycle(Trigger.CHANGE, FetchPolicy.NONE)

    def _is_mine(self, asked: Asked) -> bool:
        """Whether it asks for the configuration that is in use, which a file with a mistake is not."""
        return not self._service_status.config_error and asks_for(
            asked.question, self._path, self._text, self._settings.variables
        )

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
            loaded = self._work.load(self._path)
            self._health.follow(loaded.settings)
        except ConfigError as error:
            log_refused(self._path, error)
            self._service_status = replace(self._service_status, config_error=str(error))
            changed = False
        except AgentsyncError as error:
            log_failed(error)
            self._seen_text = ""  # it is read again before the next cycle
            changed = False
        else:
            changed = loaded.text != self._text
            self._settings, self._text = loaded.settings, loaded.text
            self._service_status = replace(self._service_status, config_error="")
            self._follow_schedule()
            sources = self._settings.sources
            self._polling.forgive(mirror_of(self._app_paths, source.name, source.url) for source in sources)
            if changed:
                log_reloaded(self._path)
        self._publish(replace(self._service_status, fallbacks=self._lookout.follow(self._settings)))
        self._notifier.ready(in_words(self._service_status))
        return changed

    # Cycles

    def _cycle(self, trigger: Trigger, policy: FetchPolicy, asked: Sequence[Asked] = ()) -> None:
        """Run one cycle, publish its result, and answer those who asked for it."""
        began = time.monotonic()
        last = self._service_status.last
        policy = self._pending.with_failed(policy)
        answers: Sequence[Answer] = [Answer()] * len(asked)  # which makes the clients run themselves
        try:
            self._own_state()
            # The up-to-date check repeats no diagnostic, so it is used only after a whole cycle; after one with errors
            # it finds something only where all of these are on refused agents.
            is_after_whole = last and not last.error and last.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE)
            is_short = bool(self._text and is_after_whole) and not (want_all(asked) or consent_of(asked))
            wait = self._schedule.seconds_until_suspicious()
            is_believed = is_short and trigger in _REGULAR and self._lookout.is_believed(self._settings, wait)
            if not is_believed:
                self._lookout.begin()
            self._is_cycling = True
            self._raise_if_ending()
            status, answers = self._run(trigger, policy, asked, is_short=is_short, is_believed=is_believed)
            self._pending.succeeded(policy)
            if not is_believed:
                self._lookout.end(done=True)
        except Exception as error:
            if isinstance(error, LockedError) and error.place == str(self._app_paths.service_lock):
                raise  # another service works here now
            failure = error if isinstance(error, AgentsyncError) else shortage(error)
            if failure is None:
                raise
            log_failed(failure)
            self._pending.failed(policy)
            self._lookout.end(done=False)
            is_believed = False
            status = status_after(failure, self._service_status, trigger)
        finally:
            self._is_cycling = False
        fallbacks = self._service_status.fallbacks if is_believed else self._lookout.follow(self._settings)
        self._schedule.retry_in(self._pending.next_retry(self._polling.next_wait))
        ended = replace(status.last, seconds=time.monotonic() - began) if status.last else None
        self._publish(replace(status, last=ended, fallbacks=fallbacks, next_run_at=self._schedule.next_run_at))
        for question, answer in zip(asked, answers, strict=True):
            question.answer(answer)

    def _run(
        self, trigger: Trigger, policy: FetchPolicy, asked: Sequence[Asked], *, is_short: bool, is_believed: bool
    ) -> tuple[ServiceStatus, Sequence[Answer]]:
        """Poll, or have a sync run; return the status after it, and the answers to those who asked for it."""
        self._show_life(force=True)
        fetches = self._polling.fetches(policy)
        request = SyncRequest(
            Scope.APPLY,
            consent_of(asked) or Consent(),
            quiet_noop=trigger is Trigger.CHANGE,  # most changes are the service's own writes
            allow_restore=trigger is not Trigger.CHANGE or self._restores.may_restore,
        )
        questions = tuple(one.question for one in asked)
        if is_short and (is_believed or self._files <= _MOST_SCANNED):
            found = find_up_to_date(self._text, self._app_paths, fetches, request, files_watched=is_believed)
            if found:
                if not request.quiet_noop:
                    log(found.event)
                status = status_after(found, self._service_status, trigger)
                return status, [self._show(found, question) for question in questions]
            is_short = False
        task = SyncTask(
            self._settings.config,
            self._app_paths,
            self._text,
            fetches,
            request,
            self._service_status,
            trigger,
            is_short,
            questions,
            self._settings.fetch_seconds + _WORK_SECONDS - GRACE_SECONDS,
        )
        synced = self._work.sync(task, self._show_life)
        self._polling.failures = synced.failures
        if synced.error:
            raise synced.error
        if synced.has_restored:
            self._restores.note()
        return synced.status, synced.answers

    @property
    def _files(self) -> int:
        """The number of files in all targets."""
        return sum(target.files for target in self._service_status.targets)

    def _show_life(self, *, force: bool = False) -> None:
        """Report progress to the service manager, and by when the next report is due."""
        if force or time.monotonic() - self._signed_at > _SIGN_SECONDS:
            self._signed_at = time.monotonic()
            self._notifier.alive(within=self._settings.fetch_seconds + _WORK_SECONDS)

    # Status

    def _publish(self, service_status: ServiceStatus) -> None:
        """Publish the service's status to monitors and to the service manager."""
        try:
            self._service_status = service_status_of(
                service_status, self._settings.sources, self._app_paths, self._polling
            )
        except AgentsyncError:  # the cycle met it too, and logged it
            self._service_status = service_status
        self._health.saw(self._service_status)
        self._notifier.status(in_words(self._service_status))
