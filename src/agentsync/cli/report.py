"""`agentsync report`: what each tool gets of each agent, and what the agent can no longer do there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

import click

from agentsync.cli.check import snapshot_at
from agentsync.cli.check_targets import unwritten_target
from agentsync.cli.console import show_diagnostic
from agentsync.cli.conversion_tables import markdown, text
from agentsync.cli.convert import DIALECT
from agentsync.cli.cycle import parse_target, run_cycle
from agentsync.cli.options import Common, common, common_options_with, place_options
from agentsync.convert.policy import DEFAULT
from agentsync.core.codes import Severity
from agentsync.core.errors import ExitCode
from agentsync.dialects import dialects
from agentsync.report.conversions import Conversions, conversions_of
from agentsync.sync.build import build
from agentsync.sync.request import Scope
from agentsync.targets.installed_tools import directory_of, installed

_EPILOG = """\b
Examples:
  agentsync report
  agentsync report -v --format markdown > agents.md
  agentsync report . --to codex --to cursor
  agentsync report --source https://github.com/acme/agents.git --to codex
"""


_NARROWEST: Final = 40


@click.command("report", epilog=_EPILOG)
@click.argument("path", type=click.Path(exists=True, path_type=Path), required=False)
@click.option("--from", "dialect", type=DIALECT, help="The dialect of every file in PATH; otherwise detected.")
@place_options
@common_options_with(formats=("text", "markdown", "json"))
def command(
    *,
    path: Path | None,
    dialect: str | None,
    source: tuple[str, ...],
    to: tuple[str, ...],
    branch: str | None,
    subfolder: str,
) -> int:
    """Show for each agent and tool whether the agent is written in full, narrowed or refused, and nothing else.

    That is for the sources and targets of the configuration, for those of --source and --to, or for a directory or a
    file and the tools of --to (otherwise the installed ones), without a configuration. Nothing is written. A narrowed
    agent can do less than in its own tool; what that is follows below the tables. Without -v only agents are listed
    that some tool gets less of.
    """
    options = common()
    if path is not None:
        if source or branch or subfolder:
            raise click.UsageError("PATH and --source exclude each other")
        report = _of_path(path, dialect, to)
    elif dialect:
        raise click.UsageError("--from is for PATH")
    else:
        report = _of_cycle(options, source, tuple(map(_placed, to)) if source else to, branch, subfolder)
    _show(report, options)
    return options.status


def _of_path(path: Path, dialect: str | None, to: tuple[str, ...]) -> Conversions:
    """Convert the agents of a directory or a file, with the default policy, as `check` does."""
    names = [parse_target(text, "--to")[0] for text in to] or [tool.name for tool in installed()]
    if not names:
        raise click.UsageError("no tool is installed here: name one with --to")
    targets = [unwritten_target(name) for name in dict.fromkeys(names)]
    built = build([snapshot_at(path.absolute(), dialect)], targets, None, DEFAULT)
    return conversions_of(built.compiled, targets, built.diagnostics)


def _of_cycle(
    options: Common, source: tuple[str, ...], to: tuple[str, ...], branch: str | None, subfolder: str
) -> Conversions:
    """Run a cycle that plans, and report what is wrong with sources and targets as a whole."""
    report = run_cycle(options, Scope.PLAN, source=source, to=to, branch=branch, subfolder=subfolder)
    files = {file.path for file in report.compiled}
    for diagnostic in report.diagnostics:
        if diagnostic.severity is not Severity.INFO and not diagnostic.agent and diagnostic.path not in files:
            show_diagnostic(diagnostic)
    if report.exit_code is ExitCode.SOURCE_UNAVAILABLE:
        options.status = report.exit_code
    return conversions_of(report.compiled, report.targets, report.diagnostics)


def _placed(text: str) -> str:
    """Name the directory of a target, so that its tool need not be on this machine."""
    dialect, directory = parse_target(text, "--to")
    place = directory or directory_of(dialects()[dialect])
    return f"{dialect}={place}" if place else text


def _show(report: Conversions, options: Common) -> None:
    is_verbose = options.verbosity > 0
    if options.json:
        click.echo(json.dumps(report.record))
    elif options.format == "markdown":
        click.echo("\n".join(markdown(report, verbose=is_verbose)))
    else:
        width = shutil.get_terminal_size().columns
        click.echo("\n".join(text(report, width=max(width, _NARROWEST), verbose=is_verbose)))
