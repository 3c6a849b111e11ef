"""`agentsync history`: lists what was changed here, when, and from which commit."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Final

import click

from agentsync.cli.console import table
from agentsync.cli.options import common, common_options
from agentsync.cli.terminal import columns
from agentsync.core.errors import ConfigError
from agentsync.core.paths import app_paths, shorten
from agentsync.core.urls import printable
from agentsync.state.records import FileChange, Sync
from agentsync.state.store import State
from agentsync.targets.change import absolute

_LEAST: Final = 12  # columns, which a short commit takes

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
        rows = [_row(sync) for sync in syncs]
        table(wrapped_rows(rows, columns()), ("SYNC", "WHEN", "RESULT", "COMMITS", "CHANGES"))
    else:
        click.echo("nothing has been changed here yet")
    return 0


def _record(change: FileChange) -> dict[str, object]:
    return {name: value for name, value in asdict(change).items() if name != "base"}


def _change_row(change: FileChange) -> list[str]:
    place = shorten(absolute(change.directory, change.path))
    return [change.action.value, change.target, printable(change.agent), printable(place)]


def wrapped_rows(rows: Sequence[Sequence[str]], width: int | None) -> list[Sequence[str]]:
    """Wrap the last two columns, so that the others, and above all the times, need not be cut."""
    if width is None:
        return [*rows]
    room = width - sum(max(len(row[column]) for row in rows) for column in range(3)) - 2 * 4
    commits = max(_LEAST, min(room - _LEAST, max(len(row[3]) for row in rows)))
    lines: list[Sequence[str]] = []
    for row in rows:
        cells = [textwrap.wrap(row[3], commits) or [""], textwrap.wrap(row[4], max(_LEAST, room - commits)) or [""]]
        for number, (commit, change) in enumerate(zip_longest(*cells, fillvalue="")):
            lines.append([*(row[:3] if number == 0 else ["", "", ""]), commit, change])
    return lines


def _row(sync: Sync) -> list[str]:
    when = datetime.fromtimestamp(sync.started_at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    commits = ", ".join(f"{source} {commit[:12]}" for source, commit in sync.commits.items())
    changes = ", ".join(f"{count} {what}" for what, count in sync.counts.items() if count and what != "keep")
    return [sync.id, when, sync.result or "unfinished", commits, changes]
