"""`agentsync rollback`: back to what the tools had before."""

from __future__ import annotations

import json

import click

from agentsync.cli.console import show_changes, show_diagnostic
from agentsync.cli.cycle import read_config
from agentsync.cli.logs import start_log
from agentsync.cli.options import common, common_options
from agentsync.cli.waiting import Waiting
from agentsync.cli.words import counted
from agentsync.core.paths import app_paths
from agentsync.report.json_output import change_record
from agentsync.sync.rollback import roll_back

_EPILOG = """\b
Examples:
  agentsync rollback --dry-run
  agentsync rollback
  agentsync history
  agentsync rollback 3f2a9c01b7de
"""


@click.command("rollback", epilog=_EPILOG)
@click.argument("sync_id", required=False)
@click.option("--dry-run", is_flag=True, help="Only show what would be brought back.")
@common_options
def command(*, sync_id: str | None, dry_run: bool) -> int:
    """Bring back what the tools had after SYNC_ID, in all of them at once, and suspend pulling until `resume`.

    Without SYNC_ID, the last sync is undone. What you changed since is kept and told. What `adopt` replaced comes back
    as it was.

    Pulling is suspended at once; a run that is under way is waited for, for a minute and a half at most.
    """
    options = common()
    start_log(options)
    config, waiting = read_config(options), Waiting()
    try:
        result = roll_back(config, app_paths(), sync_id, dry_run=dry_run, progress=waiting)
    finally:
        waiting.clear()
    options.status = result.exit_code
    if options.json:
        record = {
            "sync_id": result.sync_id,
            "to": result.to,
            "changes": [change_record(change) for change in result.changes],
            "diagnostics": [found.as_dict() for found in result.diagnostics],
        }
        click.echo(json.dumps(record))
        return options.status
    show_changes(result.changes)
    for found in result.diagnostics:
        show_diagnostic(found)
    there = f"after {result.to}" if result.to else "before the first sync"
    files = counted(len(result.changes), "file")
    if dry_run:
        click.echo(f"would bring back {files} as {'it was' if len(result.changes) == 1 else 'they were'} {there}")
    else:
        click.echo(f"brought back {files} {there}; pulling is suspended until `agentsync resume`")
    return options.status
