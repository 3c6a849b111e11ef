"""Reports of a cycle that never ran: one source, one target, any changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentsync.agents.narrowing import WriteOptions
from agentsync.config import Target
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import AgentsyncError
from agentsync.state.records import Action
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.contents import ContentStore
from agentsync.sync.report import Report
from agentsync.sync.request import Scope
from agentsync.sync.sources import ResolvedSource
from agentsync.targets.batch import Outcome
from agentsync.targets.change import Actual, Change, Wanted
from agentsync.targets.plan import Plan

COMMIT, PREVIOUS = "c" * 40, "b" * 40
TARGET = Target(
    name="claude",
    dialect="claude",
    directory=Path("/home/ada/.claude/agents"),
    create=False,
    follow_symlinks=False,
    options=WriteOptions(),
)


def change(action: Action, agent: str = "tester", diagnostic: Diagnostic | None = None) -> Change:
    wanted = Wanted("d" * 64, agent, "claude", "team", f"agents/{agent}.md", COMMIT, "e" * 40)
    directory = str(TARGET.directory)
    return Change("claude", directory, f"{agent}.md", action, None, Actual(None), wanted, diagnostic)


def outcome(action: Action, agent: str = "tester", diagnostic: Diagnostic | None = None) -> Outcome:
    """A change that was tried; it failed if there is a diagnostic."""
    return Outcome(change(action, agent), ok=diagnostic is None, diagnostic=diagnostic)


def report(
    *,
    scope: Scope = Scope.APPLY,
    outcomes: Sequence[Outcome] = (),
    changes: Sequence[Change] = (),
    held: Sequence[Change] = (),
    diagnostics: Sequence[Diagnostic] = (),
    compiled: Sequence[CompiledAgent] = (),
    error: AgentsyncError | None = None,
    previous: str = PREVIOUS,
    recovered: bool = False,
) -> Report:
    """A report of these outcomes, or of these changes where nothing was applied."""
    changes = (*changes, *(tried.change for tried in outcomes))
    source = ResolvedSource("team", "https://example.org/a.git", "HEAD", COMMIT, previous, error=error)
    return Report(
        sync_id="0123456789ab",
        scope=scope,
        seconds=0.5,
        sources=(source,),
        targets=(TARGET,),
        compiled=tuple(compiled),
        states=(),
        plan=Plan(tuple(changes), tuple(held), ()),
        outcomes=tuple(outcomes),
        diagnostics=tuple(diagnostics),
        inventory={},
        contents=ContentStore((), ()),
        recovered=recovered,
    )
