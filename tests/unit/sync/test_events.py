"""A cycle as events: which, at which level, with which facts."""

from __future__ import annotations

from collections.abc import Generator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import SourceRefusedError, SourceUnavailableError, UnverifiedError
from agentsync.core.log import Event, logged
from agentsync.state.records import Action
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.events import RunEvents
from agentsync.sync.report import Report
from support.reports import COMMIT, PREVIOUS, change, outcome, report


def happens(made: Report) -> Generator[Event, None, None]:
    """The events of a cycle with this report."""
    events = RunEvents(made.sync_id)
    if made.recovered:
        yield events.recovered()
    for source in made.sources:
        yield from events.source(source)
    yield from map(events.outcome, made.outcomes)
    yield from events.report(made)


def reported(made: Report) -> list[MutableMapping[str, Any]]:
    with capture_logs() as events:
        logged(happens(made))
    assert {event["sync_id"] for event in events} == {made.sync_id}
    assert events[-1]["event"] == "sync.finished"
    return events[:-1]


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (Action.CREATE, "agent.created"),
        (Action.UPDATE, "agent.updated"),
        (Action.DELETE, "agent.pruned"),
        (Action.RESTORE, "agent.restored"),
        (Action.TAKE, "agent.taken"),
        (Action.FORGET, "agent.forgotten"),
    ],
)
def test_a_change_is_one_event_with_all_its_facts(action: Action, name: str) -> None:
    _, event = reported(report(outcomes=[outcome(action)]))
    assert event == {
        "event": name,
        "log_level": "info",
        "sync_id": "0123456789ab",
        "source": "team",
        "commit": COMMIT,
        "agent": "tester",
        "dialect": "claude",
        "target": "claude",
        "path": "/home/ada/.claude/agents/tester.md",
        "digest": "d" * 64,
    }


def test_a_change_that_was_not_made_is_a_warning_once() -> None:
    conflict = Diagnostic(Code.CONFLICT_EDITED, "it was edited", agent="tester")
    failed = Diagnostic(Code.WRITE_FAILED, "no space", agent="writer")
    outcomes = [outcome(Action.CONFLICT, "tester", conflict), outcome(Action.UPDATE, "writer", failed)]
    _, *events = reported(report(outcomes=outcomes, diagnostics=[conflict, failed]))
    assert [(event["event"], event["code"]) for event in events] == [
        ("agent.conflict", "AS402"),
        ("agent.failed", "AS405"),
    ]
    assert {event["log_level"] for event in events} == {"warning"}
    assert events[0]["path"] == "/home/ada/.claude/agents/tester.md"


def test_a_refused_file_is_logged_with_its_source_and_commit() -> None:
    bad = Diagnostic(Code.DUPLICATE_KEY, "twice", path="agents/bad.md", line=3)
    compiled = [CompiledAgent("team", "agents/bad.md", "f", refused=True, diagnostics=(bad,))]
    _, event = reported(report(diagnostics=[bad], compiled=compiled))
    assert (event["event"], event["log_level"]) == ("agent.refused", "warning")
    assert (event["source"], event["commit"], event["path"], event["line"]) == ("team", COMMIT, "agents/bad.md", 3)


def test_a_path_that_two_sources_have_names_neither() -> None:
    bad = Diagnostic(Code.NAME_TWICE, "twice", path="a.md")
    compiled = [CompiledAgent("team", "a.md", "e"), CompiledAgent("team", "a.md", "f")]
    _, event = reported(report(diagnostics=[bad], compiled=compiled))
    assert "source" not in event


def test_a_source_that_moved_failed_or_is_held_is_logged() -> None:
    (moved,) = reported(report())
    assert (moved["event"], moved["commit"], moved["previous"]) == ("source.moved", COMMIT, PREVIOUS)
    assert reported(report(previous=COMMIT)) == []
    error = SourceUnavailableError("gone", place="https://example.org/a.git", hint="look there")
    diagnostic = Diagnostic(Code.SOURCE_FAILED, "source `team`: gone")
    (failed,) = reported(report(error=error, diagnostics=[diagnostic]))
    assert (failed["event"], failed["log_level"], failed["hint"]) == ("source.failed", "error", "look there")
    assert failed["error"] == "https://example.org/a.git: gone"
    assert failed["code"] == "AS412"
    refusals = {
        Code.SOURCE_REFUSED: SourceRefusedError("rewritten"),
        Code.SOURCE_UNVERIFIED: UnverifiedError("unsigned"),
    }
    for code, refusal in refusals.items():
        (refused,) = reported(report(error=refusal, diagnostics=[Diagnostic(code, "source `team`")]))
        assert refused["code"] == code.id
    empty = Diagnostic(Code.HELD_EMPTY, "nothing left")
    _, held, source = reported(report(held=[change(Action.DELETE)], diagnostics=[empty]))
    assert (held["event"], held["action"], source["event"]) == ("agent.held", "delete", "source.held")


def test_a_loss_is_information_and_a_lost_state_a_warning() -> None:
    lost = Diagnostic(Code.ABILITY_LOST, "cannot edit files", agent="tester", target="claude")
    recovered, _, _, loss = reported(report(outcomes=[outcome(Action.CREATE)], diagnostics=[lost], recovered=True))
    assert (recovered["event"], recovered["log_level"]) == ("state.recovered", "warning")
    assert (loss["event"], loss["log_level"], loss["code"]) == ("agent.diagnostic", "info", "AS318")


def test_the_end_sums_up() -> None:
    with capture_logs() as events:
        logged(happens(report(outcomes=[outcome(Action.CREATE), outcome(Action.CREATE, "writer")])))
    last = events[-1]
    assert (last["seconds"], last["exit_code"], last["create"], last["failed"]) == (0.5, 0, 2, 0)
    assert last["commits"] == {"team": COMMIT}
