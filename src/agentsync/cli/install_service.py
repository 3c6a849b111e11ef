"""`agentsync install-service`: has systemd keep agentsync running, or start it on a timer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agentsync.cli.options import Common, common, common_options
from agentsync.config import Config, find_config, load_config
from agentsync.core.errors import ConfigError, ExitCode
from agentsync.core.paths import AppPaths, app_paths, is_directory, make_private, shorten
from agentsync.service.systemd.footprint import Footprint, footprint, make_directories
from agentsync.service.systemd.installation import Outcome, ServiceError, check, commands, install, uninstall
from agentsync.service.systemd.units import Service, system_service, user_service, user_timer, user_units

if TYPE_CHECKING:
    from pwd import struct_passwd

_EPILOG = """\b
Examples:
  agentsync install-service
  agentsync install-service --timer
  agentsync install-service --dry-run
  sudo agentsync install-service --system alice
"""
_SECONDS: Final = 60  # that agentsync may take to print what a user's configuration needs
_HIDDEN: Final = ("/home", "/root", "/run/user")
"""Directories that are hidden from the machine's service (systemd.exec(5), ProtectHome=)."""


@click.command("install-service", epilog=_EPILOG)
@click.option("--timer", is_flag=True, help="Pull every quarter of an hour instead, and run nothing in between.")
@click.option("--system", "user", metavar="USER", help="For USER, in the machine's systemd; only root can.")
@click.option("--dry-run", is_flag=True, help="Print the files and the commands, and change nothing.")
@common_options
def command(*, timer: bool, user: str | None, dry_run: bool) -> int:
    """Have systemd run `agentsync daemon` from now on, for you or for USER.

    The service may write where the configuration's targets are, and nowhere else. Run it again after you changed them,
    or installed agentsync elsewhere. A unit that agentsync did not write, or that was edited, stays.
    """
    if user is not None and timer:
        raise click.UsageError("--timer is for your own systemd")
    if sys.platform != "linux":
        hint = "let launchd or cron run `agentsync pull`, or keep `agentsync daemon` running by other means"
        raise ServiceError("this needs systemd, which only Linux has", hint=hint)
    if user is not None:
        needs = _needs_of(user)
        _report_missing(needs, user)
        return _install(system_service(user, program(), needs), needs, dry_run=dry_run)
    options = common()
    path = find_config(options.config).absolute()
    config = load_config(path)
    needs = _needs(options, config, path)
    both = [make(user_units(), program(), app_paths(), needs) for make in (user_service, user_timer)]
    chosen, other = reversed(both) if timer else both
    if dry_run:
        return _install(chosen, needs, dry_run=True)
    check(chosen)
    if (outcome := uninstall(other)) and not options.json:
        show_outcome(outcome, "deleted")
    created = _make_ready(config, app_paths())
    return _install(chosen, needs, dry_run=False, restart=created)


def program() -> list[str]:
    """The command that runs this program."""
    started = Path(sys.argv[0]).absolute()
    return [sys.executable, "-m", "agentsync"] if started.name == "__main__.py" else [str(started)]


def _needs(options: Common, config: Config, path: Path) -> Footprint:
    needs = footprint(config, path)
    given = {"AGENTSYNC_CONFIG": str(path)} if options.config else {}
    return replace(needs, variables=needs.variables | given)


def _make_ready(config: Config, where: AppPaths) -> bool:
    """Create the directories that must exist before the service starts.

    Returns:
        Whether any was created; a running service has to be restarted to see it.
    """
    try:
        make_private(where.state)
        make_private(where.cache)
        created = [*make_directories(config)]
    except OSError as error:
        raise ServiceError(f"this directory cannot be created: {error.strerror}", place=str(error.filename)) from error
    for directory in created:
        click.echo(f"created {shorten(str(directory))}", err=True)
    return bool(created)


def _install(service: Service, needs: Footprint, *, dry_run: bool, restart: bool = False) -> int:
    outcome = Outcome((), commands(service, restart=True)) if dry_run else install(service, restart=restart)
    options = common()
    options.status = ExitCode.INCOMPLETE if outcome.trouble else ExitCode.OK
    if options.json:
        reached = {"writes": [*map(str, needs.written)], "reads": [*map(str, needs.read)]}
        click.echo(json.dumps({**outcome_record(service, outcome), **reached}))
        return options.status
    if dry_run:
        for name, text in service.files.items():
            click.echo(f"# {service.directory / name}\n{text}")
        show_commands(outcome)
        return options.status
    show_outcome(outcome, "wrote")
    if outcome.trouble:
        click.echo("without systemd, keep `agentsync daemon` running by other means, or let cron run `agentsync pull`")
    else:
        click.echo(f"{service.unit} is enabled; `{' '.join(service.manager)} status {service.unit}` shows its status")
    if "--user" in service.manager:
        click.echo("it runs while you are logged in; `loginctl enable-linger` lets it run always")
    return options.status


def outcome_record(service: Service, outcome: Outcome) -> dict[str, object]:
    """The documented JSON form of an outcome (docs/json.md)."""
    return {
        "unit": service.unit,
        "files": {str(service.directory / name): text for name, text in service.files.items()},
        "changed": [*map(str, outcome.changed)],
        "undone": [" ".join(words) for words in outcome.undone],
        "trouble": outcome.trouble or None,
    }


def show_outcome(outcome: Outcome, verb: str) -> None:
    """Print one line for each changed file, and the commands left to run."""
    for path in outcome.changed:
        click.echo(f"{verb} {shorten(str(path))}")
    if outcome.trouble:
        click.echo(f"{click.style('warning:', fg='yellow')} {outcome.trouble}; the commands left to run are", err=True)
        show_commands(outcome)


def show_commands(outcome: Outcome) -> None:
    for words in outcome.undone:
        click.echo(f"  {' '.join(words)}")


# For another user


def _needs_of(user: str) -> Footprint:
    """The footprint of a user's configuration, as printed by agentsync when that user runs it."""
    account = _account(user)
    _check_seen(program())
    environment = {
        "HOME": account.pw_dir,
        "USER": user,
        "PATH": os.defpath,
        "CONFIGURATION_DIRECTORY": f"/etc/agentsync/{user}",
    }
    words = [*program(), "--format", "json", "install-service", "--dry-run"]
    try:
        done = subprocess.run(
            words,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=os.getgrouplist(user, account.pw_gid),
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        printed = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        hint = "install agentsync where every user can run it, such as in /opt/agentsync"
        raise ServiceError(f"{user} cannot run this agentsync: {error}", place=words[0], hint=hint) from error
    if "error" in printed:
        trouble = printed["error"]
        hint = f"put the configuration at /etc/agentsync/{user}/config.toml, where {user} can read it"
        raise ConfigError(
            trouble["message"], place=trouble["place"], hint=trouble["hint"] if trouble["place"] else hint
        )
    return Footprint(tuple(map(Path, printed["writes"])), tuple(map(Path, printed["reads"])), {})


def _report_missing(needs: Footprint, user: str) -> None:
    """Report missing directories: root must not create them in a home, where names may be links to anywhere."""
    for directory in needs.written:
        if not is_directory(directory):
            todo = f"create it as {user}, then `systemctl restart agentsync@{user}`"
            warning = f"{directory} does not exist, so nothing is written to it: {todo}"
            click.echo(f"{click.style('warning:', fg='yellow')} {warning}", err=True)


def _account(user: str) -> struct_passwd:
    import pwd  # noqa: PLC0415 - there is none on Windows

    if os.geteuid() != 0:
        raise ServiceError("only root can do this", hint=f"run `sudo agentsync install-service --system {user}`")
    try:
        account = pwd.getpwnam(user)
    except KeyError as error:
        raise ConfigError(f"there is no user {user}", place="--system") from error
    if account.pw_uid == 0:
        raise ConfigError("the service never runs as root: it writes into a home", place="--system")
    return account


def _check_seen(words: Sequence[str]) -> None:
    """Check that the program and its Python are where the service can see them.

    Raises:
        ServiceError: they are in a home directory.
    """
    for path in dict.fromkeys(map(os.path.realpath, (words[0], sys.executable, sys.prefix))):
        if Path(path).is_relative_to("/root") or any(Path(path).is_relative_to(hidden) for hidden in _HIDDEN):
            hint = "install agentsync for all users, such as in /opt/agentsync, with a Python that is elsewhere too"
            raise ServiceError("a service for all users cannot see home directories", place=path, hint=hint)
