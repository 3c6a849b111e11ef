"""A report's counts, its repeated diagnostics, and the exit code of a command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import AgentsyncError, ExitCode, SourceRefusedError, SourceUnavailableError
from agentsync.state.records import Action
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.reported import identity
from agentsync.sync.request import Scope
from support.reports import COMMIT, change, outcome, report

FAILED = Diagnostic(Code.WRITE_FAILED, "it could not be written: no space", agent="writer")
CONFLICT = Diagnostic(Code.CONFLICT_EDITED, "it was edited", agent="editor")


def test_an_applied_report_counts_the_outcomes() -> None:
    made = report(
        outcomes=[
            outcome(Action.CREATE),
            outcome(Action.UPDATE, "writer", FAILED),
            outcome(Action.CONFLICT, "editor", CONFLICT),
        ],
        changes=[change(Action.KEEP, "reader")],
        held=[change(Action.DELETE, "old")],
        compiled=[CompiledAgent("team", "agents/bad.md", "f", refused=True)],
    )
    assert [done.agent for done in made.changes] == ["tester"]
    assert made.counts == {"create": 1, "keep": 1, "conflict": 1, "held": 1, "failed": 1, "refused": 1, "accepted": 0}


def test_a_planned_report_counts_the_changes() -> None:
    planned = report(scope=Scope.PLAN, changes=[change(Action.UPDATE), change(Action.KEEP), change(Action.CONFLICT)])
    assert [would.action for would in planned.changes] == [Action.UPDATE]
    nothing = dict.fromkeys(("held", "failed", "refused", "accepted"), 0)
    assert planned.counts == {"update": 1, "keep": 1, "conflict": 1, **nothing}


def test_losses_are_reported_again_only_for_agents_that_changed() -> None:
    lost, same = (Diagnostic(Code.FIELD_LOST, "`color` is lost", agent=name) for name in ("tester", "reader"))
    missing = Diagnostic(Code.TARGET_MISSING, "not here")
    reported = report(outcomes=[outcome(Action.CREATE)], diagnostics=[lost, same, CONFLICT, missing])
    assert reported.news == (lost, CONFLICT, missing)


@pytest.mark.parametrize(
    ("error", "diagnostics", "code"),
    [
        (None, [], ExitCode.OK),
        (None, [Diagnostic(Code.FIELD_LOST, "")], ExitCode.OK),
        (None, [CONFLICT], ExitCode.INCOMPLETE),
        (SourceRefusedError("rewritten"), [Diagnostic(Code.SOURCE_REFUSED, "")], ExitCode.INCOMPLETE),
        (SourceUnavailableError("gone"), [CONFLICT], ExitCode.SOURCE_UNAVAILABLE),
    ],
)
def test_the_exit_code_is_that_of_the_worst(
    error: AgentsyncError | None, diagnostics: list[Diagnostic], code: ExitCode
) -> None:
    assert report(error=error, diagnostics=diagnostics).exit_code is code


def test_nothing_has_moved_only_where_nothing_is_new() -> None:
    assert report(previous=COMMIT, changes=[change(Action.KEEP)]).unmoved
    assert not report().unmoved
    assert not report(previous=COMMIT, error=SourceUnavailableError("gone")).unmoved
    assert not report(previous=COMMIT, outcomes=[outcome(Action.RESTORE)]).unmoved


def test_what_was_reported_is_not_new_but_what_somebody_has_to_act_on_here_is() -> None:
    lost, refused = Diagnostic(Code.FIELD_LOST, "`color`", agent="tester"), Diagnostic(Code.EMPTY, "empty", path="a.md")
    failed = Diagnostic(Code.SOURCE_FAILED, "gone")
    known = frozenset(map(identity, (lost, refused, CONFLICT, failed)))
    moved = replace(refused, line=7)
    other = replace(lost, target="codex")
    now = replace(report(diagnostics=[lost, moved, CONFLICT, failed, other]), reported=known)
    assert now.fresh == (CONFLICT, failed, other)
