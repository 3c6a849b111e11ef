"""`agentsync doctor`: checks this installation for problems, and proposes remedies."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Final

import click

from agentsync.cli.cycle import read_config
from agentsync.cli.logs import start_log
from agentsync.cli.options import Common, common, common_options
from agentsync.cli.waiting import Waiting
from agentsync.config import Config
from agentsync.core.errors import ConfigError, ExitCode
from agentsync.core.paths import app_paths
from agentsync.core.urls import printable
from agentsync.doctor import run_checks
from agentsync.doctor.result import Health

_EPILOG = """\b
Examples:
  agentsync doctor
  agentsync doctor --format json
"""
_STYLES: Final = {Health.GOOD: ("ok", "green"), Health.WARNING: ("look", "yellow"), Health.BAD: ("bad", "red")}


@click.command("doctor", epilog=_EPILOG)
@common_options
def command() -> int:
    """Check git, disk, clock, service, each source, target and tool, and propose remedies; changes no target."""
    options = common()
    start_log(options)
    with Waiting() as waiting:
        waiting("checking", 0, 0)
        results = list(run_checks(_config(options), app_paths(), waiting))
    if options.json:
        click.echo(json.dumps([asdict(check_result) for check_result in results]))
    else:
        for check_result in results:
            word, color = _STYLES[check_result.health]
            click.echo(
                f"{click.style(f'{word:4}', fg=color)}  {check_result.subject}: {printable(check_result.message)}"
            )
            if check_result.hint:
                click.echo(f"      {click.style('hint:', fg='cyan')} {printable(check_result.hint)}")
    bad = any(check_result.health is Health.BAD for check_result in results)
    return ExitCode.FINDINGS if bad else ExitCode.OK


def _config(options: Common) -> Config | ConfigError:
    """Read the configuration, or return its error: the other checks are made anyway."""
    try:
        return read_config(options)
    except ConfigError as error:
        return error
