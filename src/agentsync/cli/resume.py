"""`agentsync resume`: lets pulls apply changes again."""

from __future__ import annotations

import json

import click

from agentsync.cli.options import common, common_options
from agentsync.core.paths import app_paths
from agentsync.state.store import State

_EPILOG = """\b
Examples:
  agentsync resume
  agentsync resume && agentsync pull
"""


@click.command("resume", epilog=_EPILOG)
@common_options
def command() -> int:
    """Let pulls apply changes again, after a `rollback` or a `suspend`; the next pull brings everything up to date."""
    where = app_paths()
    with State.open(where.database) as state:
        suspended = state.suspension
        state.resume()
    message = "pulls apply changes again" if suspended else "pulling was not suspended"
    click.echo(json.dumps({"suspended": None}) if common().json else message)
    return 0
