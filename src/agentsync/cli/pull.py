"""`agentsync pull`: the main job, once."""

from __future__ import annotations

import json

import click

from agentsync.cli.console import show_changes, show_findings, show_sources, summary
from agentsync.cli.cycle import place_options, report_record, run_cycle
from agentsync.cli.options import common, common_options
from agentsync.report import Scope

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
    options = common()
    report = run_cycle(
        options,
        Scope.PLAN if dry_run else Scope.APPLY,
        source=source,
        to=to,
        branch=branch,
        subfolder=subfolder,
        allow_deletions=allow_deletions,
    )
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
