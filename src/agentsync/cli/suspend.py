"""`agentsync suspend`: keeps pulls from changing anything."""

from __future__ import annotations

import json
import time
from typing import Final

import click

from agentsync.cli.options import common, common_options
from agentsync.cli.waiting import Waiting
from agentsync.core.errors import LockedError
from agentsync.core.paths import AppPaths, app_paths
from agentsync.state.lock import LOCK_TIMEOUT, locked
from agentsync.state.records import Suspension
from agentsync.state.store import State

_REASON: Final = "by hand"

_EPILOG = """\b
Examples:
  agentsync suspend
  agentsync suspend --reason "demo until noon"
"""


@click.command("suspend", epilog=_EPILOG)
@click.option("--reason", default=_REASON, help="The reason that `status` shows meanwhile.")
@common_options
def command(*, reason: str) -> int:
    """Let pulls fetch and plan, and change nothing, until `agentsync resume`.

    It takes effect at once, also for a run that still fetches. A run that has begun to write finishes, which is waited
    for, for a minute and a half at most.
    """
    where, reason = app_paths(), reason.strip() or _REASON  # an empty reason would mean "not suspended"
    with State.open(where.database) as state:
        state.suspend(Suspension(time.time(), reason))
        writing = state.has_open_sync()
    message = "pulling is suspended until `agentsync resume`"
    click.echo(json.dumps({"suspended": reason}) if common().json else message)
    if writing:
        _wait(where)
    return 0


def _wait(where: AppPaths) -> None:
    """Wait for the run that writes; one that was killed holds no lock, and a new one writes nothing."""
    waiting = Waiting()
    waiting("waiting for the run in progress", 0, 0)
    try:
        with locked(where, lock_timeout=LOCK_TIMEOUT):
            return
    except LockedError:
        click.echo("a run in progress may still finish its writes", err=True)
    finally:
        waiting.clear()
