"""`agentsync resume`: pulls apply changes again."""

from __future__ import annotations

import click

from agentsync.cli.options import common_options
from agentsync.paths import places
from agentsync.state import State

_EPILOG = """\b
Examples:
  agentsync resume
  agentsync resume && agentsync pull
"""


@click.command("resume", epilog=_EPILOG)
@common_options
def command() -> int:
    """Let pulls apply changes again, after a `rollback` or a `suspend`; the next pull brings everything up to date."""
    where = places()
    with State.open(where.database) as state:
        suspended = state.suspension
        state.resume()
    click.echo("pulls apply changes again" if suspended else "pulling was not suspended")
    return 0
