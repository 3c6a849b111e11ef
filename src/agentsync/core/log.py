"""Structured events: JSON lines for machines, aligned text for people. docs/events.md lists them.

structlog is imported at the first event: the import takes longer than a run that has nothing to log, or one line.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

from agentsync.core.urls import printable, redact

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger


_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: its name, its level as in `logging`, and its facts, in the order of the log."""

    name: str
    level: int
    facts: Mapping[str, Any]


def logged(events: Generator[Event, None, _Result]) -> _Result:
    """Log each event as it happens, and return the result of what yields them."""
    return _exhausted(events, log)


def unlogged(events: Generator[Event, None, _Result]) -> _Result:
    """Return the result of what yields events, and log none of them."""
    return _exhausted(events, lambda _event: None)


def _exhausted(events: Generator[Event, None, _Result], handle: Callable[[Event], None]) -> _Result:
    with closing(events):  # where the handler is interrupted, so is what yields the events, here and now
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                result: _Result = end.value
                return result
            handle(event)


def log(event: Event) -> None:
    """Log an event."""
    logger().log(event.level, event.name, **event.facts)


def log_line(event: Event) -> None:
    """Write one event to standard error, as `log` does after `configure` for programs.

    It is for a command that has this one to log; then importing structlog would take a third of its time.
    """
    level = logging.getLevelName(event.level).lower()
    now = datetime.now(tz=UTC).isoformat().removesuffix("+00:00")
    record: EventDict = {**event.facts, "event": event.name, "level": level, "timestamp": f"{now}Z"}
    record = _notify_listeners(None, level, _redacted(None, level, record))
    stream = _TolerantStream(sys.stderr)
    stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    stream.flush()


def configure(level: int, *, readable: bool, stream: TextIO | None = None, colors: bool | None = None) -> None:
    """Send events to standard error.

    Args:
        level: the lowest `logging` level that is shown.
        readable: text for people rather than JSON.
        stream: used instead of standard error.
        colors: whether that text has colours; by default, whether the stream is a terminal.
    """
    import structlog  # noqa: PLC0415 - see the module's docstring

    output = stream or sys.stderr
    renderer: Processor
    texts: Processor = _redacted
    if readable:
        texts = _printable
        renderer = structlog.dev.ConsoleRenderer(colors=output.isatty() if colors is None else colors, pad_event_to=0)
    else:
        renderer = structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            texts,
            _notify_listeners,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _TolerantStream(output))),
        cache_logger_on_first_use=False,
    )


def logger() -> FilteringBoundLogger:
    import structlog  # noqa: PLC0415 - see the module's docstring

    bound_logger: FilteringBoundLogger = structlog.get_logger()
    return bound_logger


@contextmanager
def also_handled_by(listener: Callable[[Mapping[str, Any]], None]) -> Iterator[None]:
    """Call the listener with each event that is shown, as it is shown, in the thread that logs it."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def has_listeners() -> bool:
    """Whether anything handles events beside the log."""
    return bool(_listeners)


def relay(event: Mapping[str, Any]) -> None:
    """Call each listener with an event that another process of this program has logged."""
    for listener in tuple(_listeners):
        listener(event)


_listeners: list[Callable[[Mapping[str, Any]], None]] = []


def level_of(verbosity: int, *, for_people: bool) -> int:
    """Log level for -q (-1), no option (0), -v (1), -vv (2).

    People see events only when debugging, since commands report results and errors in plain text.
    """
    if for_people and verbosity <= 1:
        return logging.CRITICAL
    return {-1: logging.WARNING, 0: logging.INFO, 1: logging.INFO}.get(verbosity, logging.DEBUG)


def _redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}


def _printable(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Redact and escape for a terminal, which must not obey control characters from a repository."""
    redacted = _redacted(logger, method, event)
    return {key: printable(value) if isinstance(value, str) else value for key, value in redacted.items()}


def _notify_listeners(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for listener in tuple(_listeners):  # a copy, since another thread may add or remove one
        listener(dict(event))
    return event


class _TolerantStream:
    """A stream that ignores write errors: a full disk under the log must not stop a sync."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            return 0

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            return
