"""`agentsync status`: whether this machine has what the repository says, without asking the network."""

from __future__ import annotations

import json
import time

import click

from agentsync.cli.console import show_changes, show_findings, table
from agentsync.cli.cycle import change_record, report_record, run_cycle
from agentsync.cli.options import common, common_options
from agentsync.errors import ExitCode
from agentsync.paths import shorten
from agentsync.plan import Action, Change
from agentsync.report import Report, Scope, is_change
from agentsync.urls import printable

_EPILOG = """\b
Examples:
  agentsync status
  agentsync status --exit-code && echo in sync
"""


@click.command("status", epilog=_EPILOG)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something drifted, is pending or in trouble.")
@common_options
def command(*, exit_code: bool) -> int:
    """Show whether this machine has what the team's repository says.

    Compares with the commit that was applied last; `agentsync plan` asks the repository itself.
    """
    options = common()
    report = run_cycle(options, Scope.LOOK)
    changes = [change for change in report.plan.changes if change.action is not Action.KEEP]
    unknown = [source.name for source in report.sources if not source.commit]
    in_sync = not (changes or unknown or report.suspension or _in_trouble(report))
    options.status = ExitCode.FINDINGS if exit_code and not in_sync else ExitCode.OK
    if options.json:
        record = report_record(report)
        record["targets"] = [_target_record(report, target.name) for target in report.targets]
        click.echo(json.dumps(record))
    else:
        _show_sources(report)
        click.echo()
        _show_targets(report)
        if changes:
            click.echo()
            show_changes(changes)
        show_findings(report, verbosity=options.verbosity)
        if unknown:
            names = ", ".join(unknown)
            click.echo(f"\nnever pulled: {names}; `agentsync pull` fetches what is missing", err=True)
    return options.status


def _in_trouble(report: Report) -> bool:
    """Whether something was refused or held, or a source failed when it was asked last."""
    troubled = any(source.last_error for source in report.sources)
    return troubled or bool(report.plan.held) or report.exit_code is not ExitCode.OK


def _show_sources(report: Report) -> None:
    rows = []
    for source in report.sources:
        subject = printable(source.facts.subject)[:50] if source.facts else ""
        fetched = f"fetched {_ago(source.fetched_at)}" if source.fetched_at else "never fetched"
        trouble = click.style(printable(source.last_error), fg="red") if source.last_error else "-"
        rows.append([source.name, click.style(source.commit[:12] or "-", fg="yellow"), subject, fetched, trouble])
    table(rows, ("SOURCE", "COMMIT", "SUBJECT", "FETCHED", "TROUBLE"))


def _show_targets(report: Report) -> None:
    rows = []
    for target in report.targets:
        counts = _counts(report, target.name)
        known = any(source.commit for source in report.sources)
        state = click.style("in sync", fg="green") if known else "unknown"
        if counts["drifted"] or counts["pending"]:
            parts = [f"{counts[key]} {key}" for key in ("drifted", "pending") if counts[key]]
            state = click.style(", ".join(parts), fg="yellow")
        rows.append([target.name, target.dialect, str(counts["files"]), state, shorten(str(target.directory))])
    table(rows, ("TARGET", "DIALECT", "FILES", "STATE", "DIRECTORY"))


def _target_record(report: Report, name: str) -> dict[str, object]:
    target = next(target for target in report.targets if target.name == name)
    changes = [change for change in report.plan.changes if change.target == name and change.action is not Action.KEEP]
    return {
        "name": target.name,
        "dialect": target.dialect,
        "directory": str(target.directory),
        **_counts(report, name),
        "changes": [change_record(change) for change in changes],
    }


def _counts(report: Report, target: str) -> dict[str, int]:
    """Files as written, files that changed here since, and files that the last commit would change."""
    changes = [change for change in report.plan.changes if change.target == target]
    drifted = [change for change in changes if _is_drifted(change)]
    return {
        "files": sum(change.base is not None for change in changes),
        "drifted": len(drifted),
        "pending": sum(is_change(change) and not _is_drifted(change) for change in changes),
    }


def _is_drifted(change: Change) -> bool:
    """Whether what is on disk is no longer what agentsync wrote, or stands in its way."""
    return change.action is Action.CONFLICT or (change.base is not None and change.actual.digest != change.base.digest)


def _ago(moment: float) -> str:
    seconds = max(0, int(time.time() - moment))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
