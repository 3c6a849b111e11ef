"""`agentsync pull`: the main job, once.

Most often there is nothing to do, and what finds that out is all that is imported then.
"""

from __future__ import annotations

import json
from typing import Any

import click

from agentsync.cli.logs import start_log, tells_all
from agentsync.cli.options import Common, common, common_options, place_options, text_of
from agentsync.cli.waiting import Waiting
from agentsync.cli.words import up_to_date
from agentsync.errors import ExitCode
from agentsync.fetch import Fetches
from agentsync.paths import first_config, places
from agentsync.unchanged import Unchanged, find_unchanged

_EPILOG = """\b
Examples:
  agentsync pull
  agentsync pull --dry-run
  agentsync pull --source https://github.com/acme/agents.git --to claude --to opencode
  agentsync pull --source ./agents --to claude=/tmp/try --format json
"""


@click.command("pull", epilog=_EPILOG)
@place_options
@click.option("--dry-run", is_flag=True, help="Fetch and plan, and change nothing.")
@click.option("--allow-deletions", is_flag=True, help="Delete also what a source drops all at once.")
@common_options
def command(
    *,
    source: tuple[str, ...],
    to: tuple[str, ...],
    branch: str | None,
    subfolder: str,
    dry_run: bool,
    allow_deletions: bool,
) -> int:
    """Fetch the team's agents and write them to every tool.

    What you wrote yourself is never touched: a file that is in the way, or that was edited here, is kept and told.
    """
    options, fetches = common(), Fetches()
    asks_more = source or to or branch or subfolder or dry_run or allow_deletions
    if not asks_more and (unchanged := _find_unchanged(options, fetches)):
        _tell_unchanged(unchanged, options)
        return ExitCode.OK
    return _run(
        options,
        fetches,
        dry_run=dry_run,
        source=source,
        to=to,
        branch=branch,
        subfolder=subfolder,
        allow_deletions=allow_deletions,
    )


def _find_unchanged(options: Common, fetches: Fetches) -> Unchanged | None:
    """What there is to tell where nothing is to be done; None where only a whole run knows what was asked for."""
    config = options.config or first_config()
    text = text_of(config) if config else ""
    if not text or options.json or options.verbosity > 0:
        return None
    waiting = Waiting()
    waiting("fetching", 0, 0)
    try:
        return find_unchanged(text, places(), fetches)
    finally:
        waiting.clear()


def _tell_unchanged(unchanged: Unchanged, options: Common) -> None:
    if tells_all(options):
        from agentsync.events import tell_unchanged  # noqa: PLC0415 - see the module's docstring

        start_log(options)
        tell_unchanged(unchanged)
    if options.verbosity >= 0:
        click.echo(up_to_date(unchanged.files, unchanged.targets, unchanged.seconds))


def _run(options: Common, fetches: Fetches, *, dry_run: bool, **asked: Any) -> ExitCode:
    from agentsync.cli.console import show_changes, show_findings, show_sources, summary  # noqa: PLC0415 - the same
    from agentsync.cli.cycle import report_record, run_cycle  # noqa: PLC0415
    from agentsync.report import Scope  # noqa: PLC0415

    report = run_cycle(options, Scope.PLAN if dry_run else Scope.APPLY, fetches=fetches, **asked)
    options.status = report.exit_code
    if options.json:
        click.echo(json.dumps(report_record(report)))
    elif options.verbosity >= 0 and not report.unmoved:
        show_sources(report)
        show_changes(report.changes)
    if not options.json:
        show_findings(report, verbosity=options.verbosity)
        if options.verbosity >= 0:
            click.echo(summary(report))
    return options.status
