"""`agentsync list`: lists agents, dialects or targets."""

from __future__ import annotations

import json

import click

from agentsync.cli.console import table
from agentsync.cli.cycle import read_config, run_cycle
from agentsync.cli.options import common, common_options
from agentsync.cli.wording import not_synced_line
from agentsync.convert.feature_matrix import matrix_row
from agentsync.core.errors import ExitCode
from agentsync.core.paths import is_directory, is_file, shorten
from agentsync.core.urls import printable
from agentsync.dialects import dialects
from agentsync.repository.not_synced import totals
from agentsync.sync.report import Report
from agentsync.sync.request import Scope
from agentsync.targets.installed_tools import directory_of, has_program

_EPILOG = """\b
Examples:
  agentsync list agents
  agentsync list dialects --format json
  agentsync list dialects --matrix
"""


@click.command("list", epilog=_EPILOG)
@click.argument("what", type=click.Choice(["agents", "dialects", "targets"]))
@click.option("--matrix", is_flag=True, help="With `dialects`: which features of an agent each one supports.")
@common_options
def command(*, what: str, matrix: bool) -> int:
    """List the agents of the commit that was applied last, the supported dialects, or the configured targets."""
    if matrix and what != "dialects":
        raise click.UsageError("--matrix is for `list dialects`")
    match what:
        case "agents":
            options = common()
            report = run_cycle(options, Scope.LOOK)
            agents = _agents(report)
            _print(agents)
            failed = [source for source in report.sources if source.error]
            for source in failed:
                click.echo(f"source {source.name}: {source.error}", err=True)
            if not (agents or failed):
                click.echo("no agents yet: run `agentsync pull`", err=True)
            if not options.json and (others := not_synced_line(totals(report.not_synced.values()))):
                click.echo(others, err=True)
            return ExitCode.SOURCE_UNAVAILABLE if failed else ExitCode.OK
        case "dialects":
            _print(_matrix() if matrix else _dialects())
        case _:
            _print(_targets())
    return 0


def _print(records: list[dict[str, object]]) -> None:
    if common().json:
        click.echo(json.dumps(records))
    elif records:
        rows = [[_shown(value) for value in record.values()] for record in records]
        table(rows, [key.upper().replace("_", " ") for key in records[0]])


def _shown(value: object) -> str:
    """Format a value for people: yes and no, names with commas, and the home directory as `~`."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return printable(", ".join(map(str, value))) or "-"
        case _:
            return printable(shorten(str(value)))


def _agents(report: Report) -> list[dict[str, object]]:
    written = report.written
    return [
        {
            "agent": compiled_agent.name,
            "dialect": compiled_agent.dialect,
            "targets": [*written.get((compiled_agent.source, compiled_agent.path), ())],
            "source": compiled_agent.source,
            "path": compiled_agent.path,
        }
        for compiled_agent in report.compiled
        if compiled_agent.name
    ]


def _dialects() -> list[dict[str, object]]:
    return [
        {
            "dialect": dialect.name,
            "tool": dialect.title,
            "installed": has_program(dialect),
            "checked_with": dialect.version,
            "directory": str(directory_of(dialect) or ""),  # last, since it may be long
        }
        for dialect in dialects().values()
    ]


def _matrix() -> list[dict[str, object]]:
    return [{"dialect": dialect.name, **matrix_row(dialect)} for dialect in dialects().values()]


def _targets() -> list[dict[str, object]]:
    return [
        {
            "target": target.name,
            "dialect": target.dialect,
            "exists": is_directory(target.directory) or is_file(target.directory),
            "directory": str(target.directory),
        }
        for target in read_config(common()).resolved_targets()
    ]
