"""Events for machines and for people, without secrets, and never a reason to stop."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from agentsync.core.log import configure, level_of, logger


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_machine_gets_one_json_object_a_line() -> None:
    stream = io.StringIO()
    configure(logging.INFO, stream=stream, readable=False)
    logger().bind(sync_id="a").info("agent.created", path="/é", count=2)
    logger().warning("agent.conflict")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["level"], first["sync_id"], first["path"]) == ("agent.created", "info", "a", "/é")
    assert first["count"] == 2
    assert first["timestamp"].endswith("Z")
    assert second["level"] == "warning"


def test_a_person_gets_text_with_colours_only_where_they_are_wanted() -> None:
    for colors in (True, False):
        stream = io.StringIO()
        configure(logging.INFO, stream=stream, readable=True, colors=colors)
        logger().info("agent.created", agent="tester")
        assert "agent.created" in stream.getvalue()
        assert not stream.getvalue().startswith("{")
        assert ("\x1b[" in stream.getvalue()) is colors


def test_an_event_does_not_command_the_terminal() -> None:
    stream = io.StringIO()
    configure(logging.INFO, stream=stream, readable=True, colors=False)
    logger().info("agent.diagnostic", path="agents/\x1b[2J.md")
    assert "agents/\\x1b[2J.md" in stream.getvalue()


def test_lower_levels_are_left_out() -> None:
    stream = io.StringIO()
    configure(logging.WARNING, stream=stream, readable=False)
    logger().info("agent.created")
    logger().warning("agent.conflict")
    assert "agent.created" not in stream.getvalue()
    assert "agent.conflict" in stream.getvalue()


@pytest.mark.parametrize("readable", [True, False])
def test_credentials_in_urls_are_left_out(*, readable: bool) -> None:
    stream = io.StringIO()
    configure(logging.INFO, stream=stream, readable=readable)
    logger().info("source.failed", url="https://ada:s3cret@host/x", error="cannot reach https://t0ken@host/x?k=v4lue")
    for secret in ("s3cret", "t0ken", "v4lue"):
        assert secret not in stream.getvalue()
    assert "host/x" in stream.getvalue()


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    configure(logging.INFO, stream=Full(), readable=False)
    logger().info("agent.created")


def test_people_see_events_only_when_they_ask() -> None:
    people = [level_of(verbosity, for_people=True) for verbosity in (-1, 0, 1, 2)]
    machines = [level_of(verbosity, for_people=False) for verbosity in (-1, 0, 1, 2)]
    assert people == [logging.CRITICAL, logging.CRITICAL, logging.CRITICAL, logging.DEBUG]
    assert machines == [logging.WARNING, logging.INFO, logging.INFO, logging.DEBUG]
