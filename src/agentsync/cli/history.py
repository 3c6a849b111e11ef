"""`agentsync history`: lists what was changed here, when, and from which commit."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click

from agentsync.cli.console import table
from agentsync.cli.options import common, common_options
from agentsync.core.errors import ConfigError
from agentsync.core.paths import app_paths, shorten
from agentsync.core.urls import printable
from agentsync.state.records import FileChange, Sync
from agentsync.state.store import State
from agentsync.targets.change import absolute

_EPILOG = """\b
Examples:
  agentsync history
  agentsync history 3f2a9c01b7de
"""


@click.command("history", epilog=_EPILOG)
@click.argument("sync_id", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="How many syncs to list.")
@common_options
def command(*, sync_id: str | None, limit: int) -> int:
    """List the syncs that changed something, or what SYNC_ID changed, file by file."""
    options = common()
    with State.open(app_paths().database) as state:
        if sync_id is not None:
            if sync_id not in {sync.id for sync in state.syncs(-1)}:  # -1: SQLite's "no limit"
                raise ConfigError(f"there is no sync {sync_id}", hint="`agentsync history` lists them")
            changes = state.changes(sync_id)
            if options.json:
                click.echo(json.dumps([_record(change) for change in changes]))
            else:
                table([_change_row(change) for change in changes])
            return 0
        syncs = state.syncs(limit)
    if options.json:
        click.echo(json.dumps([asdict(sync) for sync in syncs]))
    elif syncs:
        table([_row(sync) for sync in syncs], ("SYNC", "WHEN", "RESULT", "COMMITS", "CHANGES"))
    else:
        click.echo("nothing has been changed here yet")
    return 0


def _record(change: FileChange) -> dict[str, object]:
    return {name: value for name, value in asdict(change).items() if name != "base"}


def _change_row(change: FileChange) -> list[str]:
    place = shorten(absolute(change.directory, change.path))
    return [change.action.value, change.target, printable(change.agent), printable(place)]


def _row(sync: Sync) -> list[str]:
    when = datetime.fromtimestamp(sync.started_at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    commits = ", ".join(f"{source} {commit[:12]}" for source, commit in sync.commits.items())
    changes = ", ".join(f"{count} {what}" for what, count in sync.counts.items() if count and what != "keep")
    return [sync.id, when, sync.result or "unfinished", commits, changes]
