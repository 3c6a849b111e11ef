"""`agentsync target`: adds a tool to the configuration, or removes one, and keeps its comments."""

from __future__ import annotations

import json
from pathlib import Path

import click

from agentsync.cli.config_edits import append, edit, needed_settings, read
from agentsync.cli.options import common, common_options
from agentsync.config.editor import removed, table
from agentsync.core.errors import ConfigError
from agentsync.core.paths import shorten
from agentsync.dialects import dialects, no_dialect

_EPILOG = """\b
Examples:
  agentsync target add codex
  agentsync target add claude --project ~/work/app --name app
  agentsync target remove codex
"""


@click.command("target", epilog=_EPILOG)
@click.argument("what", type=click.Choice(["add", "remove"]))
@click.argument("target")
@click.option("--name", help="With `add`: the target's name; the tool's otherwise.")
@click.option("--path", type=click.Path(path_type=Path), help="With `add`: the directory; the tool's own otherwise.")
@click.option("--project", type=click.Path(path_type=Path), help="With `add`: a project whose directory is used.")
@click.option("--only", multiple=True, metavar="PATTERN", help="With `add`: only these agents, by name or `tag:NAME`.")
@common_options
def command(
    *, what: str, target: str, name: str | None, path: Path | None, project: Path | None, only: tuple[str, ...]
) -> int:
    """Add the tool TARGET to the configuration, or remove the target of the name TARGET.

    Nothing is written to the tool before the next pull; the files of a target that is removed stay.
    """
    if what == "remove" and (name or path or project or only):
        raise click.UsageError("the options are for `add`")
    place, before, config = read()
    if what == "remove":
        directory = next((one.directory for one in config.resolved_targets() if one.name == target), None)
        edit(place, before, removed(before, "targets", target, str(place)))
        _print(target, f"removed target {target}; its files stay in {shorten(str(directory))}")
        return 0
    if target not in dialects():
        raise ConfigError(no_dialect(target), place=target)
    name = name or target
    if name in config.targets:
        raise ConfigError(f"there is a target `{name}` already", place=str(place), hint="choose another --name")
    settings: dict[str, object] = {"dialect": target} if name != target else {}
    if path or project:
        settings["path" if path else "project"] = str((path or project or Path()).expanduser().absolute())
    if path:
        settings["create"] = True
    if not (path or project):
        settings |= needed_settings(dialects()[target])
    if only:
        settings["only"] = list(only)
    append(place, before, table(["targets", name], settings))
    _print(name, f"added target {name}; `agentsync plan` shows what it gets")
    return 0


def _print(name: str, text: str) -> None:
    click.echo(json.dumps({"target": name}) if common().json else text)
