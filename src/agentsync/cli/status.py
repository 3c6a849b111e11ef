"""`agentsync status`: shows whether this machine matches the repository, without network access."""

from __future__ import annotations

import json
import sys
import time
from math import inf
from typing import Final

import click

from agentsync.cli.console import policy_lines, rollout_lines, show_changes, show_diagnostic, show_diagnostics, table
from agentsync.cli.cycle import run_cycle
from agentsync.cli.error_boundary import show_error
from agentsync.cli.options import Common, common, common_options
from agentsync.cli.wording import counted
from agentsync.config import Target
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.durations import ago
from agentsync.core.errors import AgentsyncError, ExitCode
from agentsync.core.paths import shorten
from agentsync.core.urls import printable
from agentsync.report.json_output import status_record
from agentsync.sync.report import Report
from agentsync.sync.request import Scope

_MOST_LINES: Final = 20  # of problems, without -v
_MOST_REFUSED: Final = 8  # agents, without -v
_WATCH_SECONDS: Final = 2.0  # between two looks

_EPILOG = """\b
Examples:
  agentsync status
  agentsync status --watch
  agentsync status --exit-code && echo in sync
"""


@click.command("status", epilog=_EPILOG)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something drifted, is pending or in trouble.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until ctrl-C.")
@common_options
def command(*, exit_code: bool, watch: bool) -> int:
    """Show whether this machine matches the team's repository.

    Compares with the commit that was applied last; `agentsync plan` fetches from the repository. With --watch, a
    terminal is redrawn each time; elsewhere, the output is appended when it changed.
    """
    options = common()
    if watch:
        _watch(options, exit_code=exit_code)
    else:
        _show(_look(options, exit_code=exit_code), options)
    return options.status


def _look(options: Common, *, exit_code: bool) -> Report:
    report = run_cycle(options, Scope.LOOK)
    options.status = ExitCode.FINDINGS if exit_code and not report.in_sync else ExitCode.OK
    return report


def _watch(options: Common, *, exit_code: bool) -> None:
    """Show the status until ctrl-C, which is not a failure here.

    An error in the first check ends the command; a later one is shown until it is corrected.
    """
    redraws = sys.stdout.isatty() and not options.json
    shown: dict[str, object] = {}
    try:
        while True:
            report = _look_or_error(options, exit_code=exit_code, first=not shown)
            now = _comparable(report)
            if redraws:
                click.clear()
            if redraws or now != shown:
                _show_report_or_error(report, options)
            if not (redraws or now == shown or options.json):
                click.echo()
            sys.stdout.flush()
            shown = now
            time.sleep(_WATCH_SECONDS)
    except KeyboardInterrupt:
        return


def _look_or_error(options: Common, *, exit_code: bool, first: bool) -> Report | AgentsyncError:
    try:
        return _look(options, exit_code=exit_code)
    except AgentsyncError as error:
        if first:
            raise
        return error


def _show_report_or_error(report: Report | AgentsyncError, options: Common) -> None:
    if isinstance(report, AgentsyncError):
        show_error(report, options)
    else:
        _show(report, options)


def _comparable(report: Report | AgentsyncError) -> dict[str, object]:
    """The part of a report that is shown again when it changes: all but the run itself and the times of fetches."""
    if isinstance(report, AgentsyncError):
        return {"error": str(report)}
    record = status_record(report)
    sources = [(source.name, source.ref, source.commit, source.last_error) for source in report.sources]
    return {key: value for key, value in record.items() if key not in ("sync_id", "seconds")} | {"sources": sources}


def _show(report: Report, options: Common) -> None:
    if options.json:
        click.echo(json.dumps(status_record(report)))
        return
    _show_sources(report)
    click.echo()
    _show_targets(report)
    _show_refused(report, options)
    if report.differing:
        click.echo()
        show_changes(report.differing, verbosity=options.verbosity)
        if any(report.counts_of(target.name).pending for target in report.targets):
            click.echo("`agentsync pull` writes what is pending, or shows why it cannot")
    _show_accepted(report, options)
    _show_failures(report)
    show_diagnostics(report, verbosity=options.verbosity, most=_MOST_LINES)
    if unknown := [source.name for source in report.sources if not (source.commit or source.rollout)]:
        names = ", ".join(unknown)
        click.echo(f"\nnever pulled: {names}; `agentsync pull` fetches what is missing", err=True)


def _show_sources(report: Report) -> None:
    rows = []
    for source in report.sources:
        subject = printable(source.facts.subject)[:50] if source.facts else ""
        fetched = f"fetched {ago(source.fetched_at, time.time())}" if source.fetched_at else "never fetched"
        refused = sum(one.source == source.name for one in report.refused)
        problems = [
            *([f"{'rejected' if source.rejected else 'failed'}, see below"] if source.last_error else []),
            *(["stale, see below"] if source.is_stale(time.time()) else []),
            *([f"{counted(refused, 'agent')} refused"] if refused else []),
        ]
        trouble = click.style(printable("; ".join(problems)), fg="red") if problems else "-"
        rows.append([source.name, click.style(source.commit[:12] or "-", fg="yellow"), subject, fetched, trouble])
    table(rows, ("SOURCE", "COMMIT", "SUBJECT", "FETCHED", "TROUBLE"))
    for line in (*rollout_lines(report), *policy_lines(report)):
        click.echo(line)


def _show_targets(report: Report) -> None:
    rows = []
    for target in report.targets:
        counts = report.counts_of(target.name)
        known = any(source.commit for source in report.sources)
        state = click.style("in sync", fg="green") if known else "unknown"
        numbers = {
            "drifted": counts.drifted,
            "pending": counts.pending,
            "held": counts.held,
            "refused": counts.refused,
        }
        if parts := [f"{number} {key}" for key, number in numbers.items() if number]:
            state = click.style(", ".join(parts), fg="yellow")
        rows.append([target.name, target.dialect, str(counts.files), state, shorten(str(target.directory))])
    rows += [
        [target.name, target.dialect, "0", _missing(target, report), shorten(str(target.directory))]
        for target in report.missing
    ]
    table(rows, ("TARGET", "DIALECT", "FILES", "STATE", "DIRECTORY"))


def _show_refused(report: Report, options: Common) -> None:
    """List which agents are refused where and since when, the longest first; with -v all of them."""
    refused = sorted(report.refused, key=lambda one: one.since or inf)
    shown = refused if options.verbosity > 0 else refused[:_MOST_REFUSED]
    if not shown:
        return
    now = time.time()
    rows = [
        [
            printable(one.agent or one.path),
            ago(one.since, now) if one.since is not None else "no pull yet",
            ", ".join(one.targets) or "-",
        ]
        for one in shown
    ]
    click.echo()
    table(rows, ("REFUSED", "SINCE", "TARGETS"))
    if more := len(refused) - len(shown):
        click.echo(f"and {counted(more, 'more refused agent')}; -v shows them")


def _missing(target: Target, report: Report) -> str:
    """The state of a target whose tool is not on this machine."""
    return click.style("missing", fg="yellow") if target in report.lacking else "missing, accepted"


def _show_accepted(report: Report, options: Common) -> None:
    """Count what is accepted; with -v list it with its reasons."""
    if not report.accepted:
        return
    if options.verbosity <= 0:
        click.echo(f"\n{len(report.accepted)} accepted; -v shows the reasons")
        return
    click.echo()
    for one in report.accepted:
        found = one.diagnostic
        whom = ", ".join(filter(None, (found.agent or shorten(found.path), found.target)))
        click.echo(printable(f"accepted {found.code.id}: {whom}: {one.reason}"))


def _show_failures(report: Report) -> None:
    """Print the whole error of each source that failed, in an earlier run too; those of this run are diagnostics."""
    for source in report.sources:
        if source.last_error and source.error is None:
            message = f"source `{source.name}`: {source.last_error}"
            # The state has the text only, and what to do depends on what failed or refused it.
            command = "pull" if source.rejected else "doctor"
            hint = f"`agentsync {command}` tries again, and shows what to do"
            code = Code.SOURCE_REFUSED if source.rejected else Code.SOURCE_FAILED
            show_diagnostic(Diagnostic(code, message, hint=hint))
