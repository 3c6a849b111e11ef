"""`agentsync suspend`: pulls change nothing for a while."""

from __future__ import annotations

import time

import click

from agentsync.cli.options import common_options
from agentsync.lock import locked
from agentsync.paths import places
from agentsync.state import State, Suspension

_EPILOG = """\b
Examples:
  agentsync suspend
  agentsync suspend --reason "demo until noon"
"""


@click.command("suspend", epilog=_EPILOG)
@click.option("--reason", default="by hand", help="What `status` says while it lasts.")
@common_options
def command(*, reason: str) -> int:
    """Let pulls fetch and plan, and change nothing, until `agentsync resume`."""
    where = places()
    with locked(where), State.open(where.database) as state:
        state.suspend(Suspension(time.time(), reason))
    click.echo("pulling is suspended until `agentsync resume`")
    return 0
