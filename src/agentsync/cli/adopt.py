"""`agentsync adopt`: replaces files that are in the way by the team's agents."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace

import click

from agentsync.cli.console import show_changes, show_diagnostics, summary
from agentsync.cli.cycle import run_cycle
from agentsync.cli.options import common, common_options
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ConfigError
from agentsync.report.json_output import change_record, report_record
from agentsync.state.records import Action
from agentsync.sync.fetch import Fetches
from agentsync.sync.report import Report
from agentsync.sync.request import Scope
from agentsync.sync.sources import findings
from agentsync.targets.change import Change, absolute
from agentsync.targets.consent import Consent

_EPILOG = """\b
Examples:
  agentsync adopt
  agentsync adopt reviewer
  agentsync adopt ~/.claude/agents/reviewer.md
  agentsync adopt --all
"""


@click.command("adopt", epilog=_EPILOG)
@click.argument("what", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every file that is in the way.")
@click.option("--dry-run", is_flag=True, help="Only show what would be replaced.")
@common_options
def command(*, what: tuple[str, ...], everything: bool, dry_run: bool) -> int:
    """Pull, and let the team's agents replace your own files of the same name.

    WHAT is an agent's name or a file; output and exit status are about these files only. Without it, the files in the
    way are listed. A replaced file is backed up first, byte for byte; the command that restores it is printed. Other
    programs have a `--force` for this.
    """
    options = common()
    if what and everything:
        raise click.UsageError("name files, or use --all")
    chosen = _Chosen(what, everything=everything)
    listing = not what and not everything
    fetches = Fetches()
    consent = Consent(replaces=chosen.__contains__)
    report = run_cycle(options, Scope.PLAN, consent=consent, fetches=fetches)
    if missing := chosen.missing(report):
        hint = "`agentsync adopt` lists the files that are in the way"
        raise ConfigError(f"nothing of this name is in the way: {', '.join(missing)}", hint=hint)
    if not (dry_run or listing):
        report = run_cycle(options, Scope.APPLY, consent=consent, fetches=fetches)
    whole = report
    if what:
        report = _about(report, chosen.changes(report))
    options.status = report.exit_code
    replaced = [change for change in report.changes if change.action is Action.REPLACE]
    waiting = [change for change in report.plan.changes if change.action is Action.CONFLICT or _is_same(change)]
    shown = waiting if listing else replaced
    if options.json:
        click.echo(json.dumps({**report_record(report), "shown": [*map(change_record, shown)]}))
        return options.status
    show_changes(shown, verbosity=1)
    show_diagnostics(report, verbosity=options.verbosity, logged=options.logs_json)
    if listing:
        click.echo("name one, or use --all" if shown else "nothing is in the way")
    else:
        click.echo(summary(report))
        _show_rest(whole, report)
    if replaced and report.scope is Scope.APPLY:  # it is not while pulling is suspended
        restored = f"`agentsync rollback {report.sync_id}~` restores them"
        click.echo(f"replaced files are backed up: {restored}, and suspends pulling until `agentsync resume`")
    return options.status


def _about(report: Report, changes: Sequence[Change]) -> Report:
    """Return the part of a report that is about the files of these changes."""
    keys = {change.key for change in changes}
    places = {absolute(*key) for key in keys}
    agents = {(change.agent, target) for change in changes for target in (change.target, "")}
    sources = tuple(source for source in report.sources if source.name in {change.source for change in changes})
    plan = report.plan
    held = tuple(change for change in plan.held if change.key in keys)
    of_sources = {one for source in sources for one in findings(source, time.time())}

    def concerns(diagnostic: Diagnostic) -> bool:
        """Whether it is about one of the files, or keeps one from being replaced."""
        if diagnostic.agent or diagnostic.path:
            return diagnostic.path in places or (diagnostic.agent, diagnostic.target) in agents
        blocks = held and diagnostic.severity is Severity.ERROR
        return diagnostic in of_sources or diagnostic.code is Code.SUSPENDED or bool(blocks)

    return replace(
        report,
        sources=sources,
        compiled=(),
        plan=replace(plan, changes=tuple(change for change in plan.changes if change.key in keys), held=held),
        outcomes=tuple(outcome for outcome in report.outcomes if outcome.change.key in keys),
        diagnostics=tuple(filter(concerns, report.diagnostics)),
    )


def _show_rest(whole: Report, shown: Report) -> None:
    """Print in one line what the same pull did to other files, or could not do."""
    rest = {what: count - shown.counts.get(what, 0) for what, count in whole.counts.items() if what != "keep"}
    if listed := ", ".join(f"{count} {what}" for what, count in rest.items() if count):
        click.echo(f"elsewhere: {listed}; `agentsync status` shows what is left")


class _Chosen:
    """The files that the user named, by their paths or by the agents that replace them."""

    def __init__(self, what: Sequence[str], *, everything: bool) -> None:
        self._what = what
        self._everything = everything

    def __contains__(self, change: Change) -> bool:
        return self._everything or any(_matches(word, change) for word in self._what)

    def missing(self, report: Report) -> list[str]:
        """The words that match no file which is, or was, in the way."""
        there = _in_the_way(report)
        return [word for word in self._what if not any(_matches(word, change) for change in there)]

    def changes(self, report: Report) -> list[Change]:
        """The changes of the files that are, or were, in the way, and that the user named."""
        return [change for change in _in_the_way(report) if change in self]


def _in_the_way(report: Report) -> list[Change]:
    changes = (*report.plan.changes, *report.plan.held)
    return [change for change in changes if change.action in (Action.CONFLICT, Action.REPLACE) or _is_same(change)]


def _is_same(change: Change) -> bool:
    """Whether a file that agentsync did not write is kept, since it defines the team's agent."""
    return change.diagnostic is not None and change.diagnostic.code is Code.SAME_AGENT


def _matches(word: str, change: Change) -> bool:
    if word in (change.agent, change.slug):
        return True
    # pathlib keeps `..`, and raises where there is no such user.
    return os.path.abspath(os.path.expanduser(word)) == absolute(*change.key)  # noqa: PTH100, PTH111
