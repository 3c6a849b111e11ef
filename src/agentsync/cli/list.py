"""`agentsync list`: agents, dialects and targets."""

from __future__ import annotations

import json
import shutil

import click

from agentsync.cli.console import table
from agentsync.cli.cycle import read_config, run_cycle
from agentsync.cli.options import common, common_options
from agentsync.config import user_directory
from agentsync.dialects import dialects
from agentsync.paths import shorten
from agentsync.report import Report, Scope

_EPILOG = """\b
Examples:
  agentsync list agents
  agentsync list dialects --format json
"""


@click.command("list", epilog=_EPILOG)
@click.argument("what", type=click.Choice(["agents", "dialects", "targets"]))
@common_options
def command(*, what: str) -> int:
    """List the agents of the last fetched commit, the dialects that there are, or the configured targets."""
    match what:
        case "agents":
            _print(_agents(run_cycle(common(), Scope.LOOK)))
        case "dialects":
            _print(_dialects())
        case _:
            _print(_targets())
    return 0


def _print(records: list[dict[str, str]]) -> None:
    if common().json:
        click.echo(json.dumps(records))
    elif records:
        table([list(record.values()) for record in records], [key.upper() for key in records[0]])


def _agents(report: Report) -> list[dict[str, str]]:
    return [
        {
            "agent": product.name,
            "dialect": product.dialect,
            "targets": ", ".join(name for name, output in product.outputs.items() if output.digest) or "-",
            "source": product.source,
            "path": product.path,
        }
        for product in report.products
        if product.name
    ]


def _dialects() -> list[dict[str, str]]:
    return [
        {
            "dialect": dialect.name,
            "tool": dialect.title,
            "installed": "yes" if any(shutil.which(binary) for binary in dialect.binaries) else "no",
            "directory": shorten(str(user_directory(dialect))),
            "checked with": dialect.version,
        }
        for dialect in dialects().values()
    ]


def _targets() -> list[dict[str, str]]:
    return [
        {
            "target": target.name,
            "dialect": target.dialect,
            "directory": shorten(str(target.directory)),
            "there": "yes" if target.directory.is_dir() else "no",
        }
        for target in read_config(common()).resolved_targets()
    ]
