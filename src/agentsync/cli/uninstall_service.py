"""`agentsync uninstall-service`: has systemd forget what `install-service` told it."""

from __future__ import annotations

import json

import click

from agentsync.cli.install_service import outcome_record, show_outcome
from agentsync.cli.options import common, common_options
from agentsync.core.errors import ExitCode
from agentsync.core.paths import app_paths
from agentsync.service.systemd.footprint import Footprint
from agentsync.service.systemd.installation import uninstall
from agentsync.service.systemd.units import Service, of_one_user, system_service, user_service, user_timer, user_units

_EPILOG = """\b
Examples:
  agentsync uninstall-service
  sudo agentsync uninstall-service --system alice
"""


@click.command("uninstall-service", epilog=_EPILOG)
@click.option("--system", "user", metavar="USER", help="The service for USER, in the machine's systemd.")
@common_options
def command(*, user: str | None) -> int:
    """End the service or the timer that `install-service` installed, and delete its files.

    What agentsync wrote for your tools stays, and so does its state: `install-service` goes on from there.
    """
    options = common()
    outcomes = [(service, outcome) for service in _services(user) if (outcome := uninstall(service))]
    options.status = ExitCode.INCOMPLETE if any(outcome.trouble for _, outcome in outcomes) else ExitCode.OK
    if options.json:
        click.echo(json.dumps([outcome_record(service, outcome) for service, outcome in outcomes]))
        return options.status
    for _, outcome in outcomes:
        show_outcome(outcome, "deleted")
    if not outcomes:
        click.echo("no service of agentsync's is installed")
    return options.status


def _services(user: str | None) -> tuple[Service, ...]:
    """What may be installed; only the names of its files count here."""
    nothing = Footprint((), (), {})
    if user is not None:
        return (of_one_user(system_service(user, (), nothing)),)
    return tuple(make(user_units(), (), app_paths(), nothing) for make in (user_service, user_timer))
