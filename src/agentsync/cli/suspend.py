"""`agentsync suspend`: pulls change nothing for a while."""

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
from agentsync.state.store import State, Suspension

_REASON: Final = "by hand"

_EPILOG = """\b
Examples:
  agentsync suspend
  agentsync suspend --reason "demo until noon"
"""


@click.command("suspend", epilog=_EPILOG)
@click.option("--reason", default=_REASON, help="What `status` says while it lasts.")
@common_options
def command(*, reason: str) -> int:
    """Let pulls fetch and plan, and change nothing, until `agentsync resume`.

    It counts at once, also for a run that still fetches. One that has begun to write comes to its end, which is waited
    for, for a minute and a half at most.
    """
    where, reason = app_paths(), reason.strip() or _REASON  # without one it would count as none
    with State.open(where.database) as state:
        state.suspend(Suspension(time.time(), reason))
        writing = state.has_open_sync()
    declared = "pulling is suspended until `agentsync resume`"
    click.echo(json.dumps({"suspended": reason}) if common().json else declared)
    if writing:
        _wait(where)
    return 0


def _wait(where: AppPaths) -> None:
    """Waits for the run that writes; where it was killed, for nothing, or for one that will write no more."""
    waiting = Waiting()
    waiting("waiting for the run that is under way", 0, 0)
    try:
        with locked(where, lock_timeout=LOCK_TIMEOUT):
            return
    except LockedError:
        click.echo("a run that is under way may still write what it has begun", err=True)
    finally:
        waiting.clear()
