"""`agentsync init`: finds the tools that are installed here, writes a configuration, shows the first plan."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from agentsync.cli.console import show_changes, show_diagnostics, show_sources, summary
from agentsync.cli.convert import DIALECT
from agentsync.cli.cycle import run_config, source_name
from agentsync.cli.options import common, common_options
from agentsync.cli.proposals import (
    Proposal,
    ask,
    ask_about_needs,
    can_ask,
    proposals_record,
    show_proposals,
    unmapped_models,
)
from agentsync.cli.source_access import Access, find_access
from agentsync.cli.wording import counted
from agentsync.config import Config
from agentsync.config.editor import create
from agentsync.core.codes import Code
from agentsync.core.errors import ConfigError
from agentsync.core.paths import shorten, user_config
from agentsync.dialects import Dialect, default_dialect, dialects
from agentsync.formats.validated_toml import load
from agentsync.git.failures import AuthenticationError
from agentsync.sync.fetch import Fetches
from agentsync.sync.report import Report
from agentsync.sync.request import Scope, SyncRequest
from agentsync.targets.installed_tools import also_read, directory_of, installed

_MOST_LINES: Final = 20  # of problems, without -v

_EPILOG = """\b
Examples:
  agentsync init https://github.com/acme/agents.git
  agentsync init git@github.com:acme/tools.git --branch main --subfolder ai
  agentsync init ./agents --to claude --only 'review-*'
"""


@click.command("init", epilog=_EPILOG)
@click.argument("url", required=False)
@click.option("--to", "targets", type=DIALECT, multiple=True, help="A target, whether its tool is found or not.")
@click.option("--branch", help="The branch; the repository's default branch otherwise.")
@click.option("--subfolder", help="The part of the repository that holds agents.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Only these agents, by name or `tag:NAME`.")
@common_options
def command(
    *, url: str | None, targets: tuple[str, ...], branch: str | None, subfolder: str | None, only: tuple[str, ...]
) -> int:
    """Write a configuration for the repository at URL and the tools found here, and show the first plan.

    A private repository is reached as `git clone URL` reaches it: by your credential helpers or your ssh agent and
    configuration, with git's proxy and certificates. What is used is shown and written down.

    At a terminal it asks which tools and agents you want, for the names of models that no table has, and whether agents
    may bring hooks, servers and programs; otherwise it lists what is left to decide.

    Without URL, only lists the tools found here. If the repository cannot be reached, nothing is written; if it lets
    nobody in, the configuration is written all the same, with the line to fix.
    """
    options = common()
    path = options.config or user_config()
    _check_free(path)
    access = find_access(url, path) if url is not None else None
    chosen = [dialects()[name] for name in targets] or [*installed()]
    if not chosen:
        titles = ", ".join(dialect.title for dialect in dialects().values() if directory_of(dialect))
        hint = f"name a target with --to, such as --to {default_dialect().name}"
        raise ConfigError(f"none of {titles} was found here", hint=hint)
    if access is None:
        return _propose(chosen)
    settings: dict[str, object] = {"branch": branch, "subfolder": subfolder, "only": list(only)}
    given = {key: value for key, value in settings.items() if value}
    proposal = Proposal(source_name(access.url), access, given, tuple(chosen))
    fetches = Fetches()
    report = _plan(proposal, path, fetches)
    if can_ask():
        proposal = ask(proposal, report, tools=not targets, agents=not only)
        report = _plan(proposal, path, fetches)
        proposal = ask_about_needs(proposal, report)
        report = _plan(proposal, path, fetches)
    else:
        proposal = replace(proposal, unmapped=unmapped_models(report))
    create(path, proposal.text())
    chosen, names = [*proposal.tools], [tool.name for tool in proposal.tools]
    if options.json:
        record = {"config": str(path), "targets": names, "counts": report.counts}
        click.echo(json.dumps({**record, "proposals": proposals_record(report, proposal)}))
        return report.exit_code
    _show_tools(chosen)
    access.show()
    show_proposals(report, proposal)
    click.echo(f"wrote {shorten(str(path))}\n")
    show_sources(report)
    show_changes(report.changes, verbosity=options.verbosity)
    show_diagnostics(report, verbosity=options.verbosity, most=_MOST_LINES)
    click.echo(summary(report))
    if same := sum(one.code is Code.SAME_AGENT for one in report.diagnostics):
        click.echo(f"{counted(same, 'file')} of yours define the team's agents in other words, and stay as they are")
        click.echo("    `agentsync adopt` lists them, and lets later changes of the team's arrive")
    click.echo("\nnext: `agentsync pull` applies this plan")
    return report.exit_code


def _check_free(path: Path) -> None:
    """Check that there is no configuration yet, before anything is fetched for one.

    Raises:
        ConfigError: there is one, or its directory cannot be read.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        message = f"no configuration can be written here: {error.strerror}"
        raise ConfigError(message, place=str(path), hint="name another place with --config FILE") from error
    raise ConfigError(
        "there is a configuration already, and it stays as it is",
        place=str(path),
        hint="edit it, or write another one with --config FILE",
    )


def _propose(chosen: list[Dialect]) -> int:
    if common().json:
        names = [dialect.name for dialect in chosen]
        click.echo(json.dumps({"config": None, "targets": names, "counts": {}, "proposals": None}))
        return 0
    _show_tools(chosen)
    click.echo("\nnext: `agentsync init URL` with the address of your team's repository writes a configuration")
    return 0


def _show_tools(chosen: list[Dialect]) -> None:
    for dialect in chosen:
        click.echo(f"{dialect.title}: {shorten(str(directory_of(dialect)))}")
        if dialect.notice:
            click.echo(f"note: {dialect.title}: {dialect.notice}")
    for reader, other in also_read(dialect.name for dialect in chosen):
        click.echo(f"note: {reader.title} also reads the agents of {other.title}, and may ignore their restrictions")


def _plan(proposal: Proposal, path: Path, fetches: Fetches) -> Report:
    """Plan by a proposal; where the server lets nobody in, the configuration is written before the error is raised."""
    config = load(proposal.text(), Config, "the options")
    report = run_config(common(), config, SyncRequest(Scope.PLAN), fetches=fetches)
    for source in report.sources:
        if isinstance(source.error, AuthenticationError):
            create(path, proposal.text(refused=True))
            raise _with_line_to_fix(source.error, path, proposal.access)
        if source.error:
            raise source.error
    return report


def _with_line_to_fix(error: AuthenticationError, path: Path, access: Access) -> AuthenticationError:
    """Return the error with the place of the line that lets agentsync in."""
    lines = path.read_text(encoding="utf-8").splitlines()
    place = f"{shorten(str(path))}:{lines.index(access.line_to_fix) + 1}"
    key = access.line_to_fix[1:].partition(" ")[0]
    if any(used.value is True for used in access.settings.used):
        hint = f"{error.hint}; the configuration is written, and `{key}` in {place} is another way in"
    else:
        hint = f"the configuration is written: set `{key}` in {place}, then run `agentsync plan`"
    return AuthenticationError(error.message, place=error.place, hint=hint)
