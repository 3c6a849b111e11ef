"""`agentsync uninstall-service`: removes what `install-service` installed."""

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
    """Stop the service or the timer that `install-service` installed, and delete its files.

    The files that agentsync wrote for your tools stay, and so does its state: `install-service` continues from there.
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
        click.echo("no agentsync service is installed")
    return options.status


def _services(user: str | None) -> tuple[Service, ...]:
    """The services that may be installed; only the names of their files matter here."""
    nothing = Footprint((), (), {})
    if user is not None:
        return (of_one_user(system_service(user, (), nothing)),)
    return tuple(make(user_units(), (), app_paths(), nothing) for make in (user_service, user_timer))
