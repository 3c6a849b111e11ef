"""`agentsync rollback`: restores what the tools had before."""

from __future__ import annotations

import json

import click

from agentsync.cli.console import show_changes, show_diagnostic
from agentsync.cli.cycle import read_config
from agentsync.cli.logs import start_log
from agentsync.cli.options import common, common_options
from agentsync.cli.waiting import Waiting
from agentsync.cli.wording import counted
from agentsync.core.log import logged
from agentsync.core.paths import app_paths
from agentsync.report.json_output import change_record
from agentsync.sync.rollback import roll_back

_EPILOG = """\b
Examples:
  agentsync rollback --dry-run
  agentsync rollback
  agentsync history
  agentsync rollback 3f2a9c01b7de
  agentsync rollback 3f2a9c01b7de~
"""


@click.command("rollback", epilog=_EPILOG)
@click.argument("sync_id", required=False)
@click.option("--dry-run", is_flag=True, help="Only show what would be restored.")
@common_options
def command(*, sync_id: str | None, dry_run: bool) -> int:
    """Restore what the tools had after SYNC_ID, in all of them at once, and suspend pulling until `resume`.

    `SYNC_ID~` is what they had before that sync. Without SYNC_ID, the last sync is undone. Files that you changed since
    are kept and reported. Files that `adopt` replaced are restored from their backups. Where all files are already as
    they were then, nothing is changed, pulling is not suspended, and the exit status is 0; where nothing was ever
    changed here, it is 2.

    Pulling is suspended at once; a run in progress is waited for, for a minute and a half at most.
    """
    options = common()
    start_log(options)
    config, waiting = read_config(options), Waiting()
    try:
        result = logged(roll_back(config, app_paths(), sync_id, dry_run=dry_run, progress=waiting))
    finally:
        waiting.clear()
    options.status = result.exit_code
    if options.json:
        record = {
            "sync_id": result.sync_id,
            "to": result.to,
            "changes": [change_record(change) for change in result.changes],
            "diagnostics": [diagnostic.as_dict() for diagnostic in result.diagnostics],
            "suspends": not (dry_run or result.is_noop),
        }
        click.echo(json.dumps(record))
        return options.status
    show_changes(result.changes, verbosity=options.verbosity)
    for diagnostic in result.diagnostics if dry_run or not options.logs_json else ():
        show_diagnostic(diagnostic)
    when = f"after {result.to}" if result.to else "before the first sync"
    past = "it was" if len(result.changes) == 1 else "they were"
    restored = f"{counted(len(result.changes), 'file')} as {past} {when}"
    if result.is_noop:
        click.echo(f"nothing to restore: every file is as it was {when}")
    elif dry_run:
        click.echo(f"would restore {restored}")
    else:
        click.echo(f"restored {restored}; pulling is suspended until `agentsync resume`")
    return options.status
