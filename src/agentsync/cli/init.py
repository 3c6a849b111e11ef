"""`agentsync init`: finds the tools that are installed here, writes a configuration, shows the first plan."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import click
import tomli_w

from agentsync.cli.console import show_changes, show_diagnostics, show_sources, summary
from agentsync.cli.convert import DIALECT
from agentsync.cli.cycle import absolute_url, run_config, source_name
from agentsync.cli.options import common, common_options
from agentsync.config import Config
from agentsync.core.errors import ConfigError
from agentsync.core.paths import shorten, user_config
from agentsync.core.urls import local_path, scheme
from agentsync.dialects import Dialect, default_dialect, dialects
from agentsync.formats.validated_toml import validate
from agentsync.sync.request import Scope, SyncRequest
from agentsync.targets.installed_tools import also_read, directory_of, has_home, installed
from agentsync.targets.target_directory import find_link

_MOST_LINES: Final = 20  # of problems, without -v

_EPILOG = """\b
Examples:
  agentsync init https://github.com/acme/agents.git
  agentsync init git@github.com:acme/tools.git --branch main --subfolder ai
  agentsync init ./agents --to claude
"""


@click.command("init", epilog=_EPILOG)
@click.argument("url", required=False)
@click.option("--to", "targets", type=DIALECT, multiple=True, help="A target, whether its tool is found or not.")
@click.option("--branch", help="The branch; the repository's default branch otherwise.")
@click.option("--subfolder", help="The part of the repository that holds agents.")
@common_options
def command(*, url: str | None, targets: tuple[str, ...], branch: str | None, subfolder: str | None) -> int:
    """Write a configuration for the repository at URL and the tools found here, and show the first plan.

    Without URL, only lists the tools found here. If the repository cannot be reached, nothing is written.
    """
    options = common()
    path = options.config or user_config()
    _check_free(path)
    chosen = [dialects()[name] for name in targets] or [*installed()]
    if not chosen:
        titles = ", ".join(dialect.title for dialect in dialects().values() if directory_of(dialect))
        hint = f"name a target with --to, such as --to {default_dialect().name}"
        raise ConfigError(f"none of {titles} was found here", hint=hint)
    names = [dialect.name for dialect in chosen]
    if url is None:
        return _propose(chosen)
    document = _document(url, chosen, branch, subfolder)
    report = run_config(options, validate(document, Config, "the options"), SyncRequest(Scope.PLAN))
    for source in report.sources:
        if source.error:
            raise source.error
    _write(path, document)
    if options.json:
        click.echo(json.dumps({"config": str(path), "targets": names, "counts": report.counts}))
        return report.exit_code
    _show_tools(chosen)
    click.echo(f"wrote {shorten(str(path))}\n")
    show_sources(report)
    show_changes(report.changes, verbosity=options.verbosity)
    show_diagnostics(report, verbosity=options.verbosity, most=_MOST_LINES)
    click.echo(summary(report))
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
        click.echo(json.dumps({"config": None, "targets": [dialect.name for dialect in chosen], "counts": {}}))
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


def _document(url: str, chosen: list[Dialect], branch: str | None, subfolder: str | None) -> dict[str, object]:
    source: dict[str, object] = {"url": absolute_url(url)}
    if branch:
        source["branch"] = branch
    if subfolder:
        source["subfolder"] = subfolder
    if local_path(url) is not None:
        source["allow_local"] = True
    if scheme(url) == "http":
        source["allow_http"] = True
    targets = {dialect.name: _target(dialect) for dialect in chosen}
    return {"version": 1, "sources": {source_name(url): source}, "targets": targets}


def _target(dialect: Dialect) -> dict[str, object]:
    """The settings that a tool needs as it is installed today, where they are not the defaults."""
    directory = directory_of(dialect)
    settings: dict[str, object] = {}
    if not has_home(dialect):  # installed, but never started
        settings["create"] = True
    if directory and find_link(directory):  # made by a dotfile manager
        settings["follow_symlinks"] = True
    return settings


def _write(path: Path, document: dict[str, object]) -> None:
    text = (
        f"# Written by `agentsync init`; `agentsync docs configuration` explains every key.\n{tomli_w.dumps(document)}"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A URL may hold a password, so only the user may read the file; O_EXCL never replaces a file made meanwhile.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"the configuration cannot be written: {error.strerror}", place=str(path)) from error
