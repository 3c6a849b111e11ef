"""`agentsync source`: adds a source to the configuration, or removes one, and keeps its comments."""

from __future__ import annotations

import json

import click

from agentsync.cli.config_edits import append, edit, read
from agentsync.cli.cycle import source_name
from agentsync.cli.options import common, common_options
from agentsync.cli.source_access import find_access
from agentsync.config.editor import removed
from agentsync.core.errors import ConfigError

_EPILOG = """\b
Examples:
  agentsync source add https://github.com/acme/web-agents.git --name web --only 'review-*'
  agentsync source remove web
"""


@click.command("source", epilog=_EPILOG)
@click.argument("what", type=click.Choice(["add", "remove"]))
@click.argument("source")
@click.option("--name", help="With `add`: the source's name; the last part of its URL otherwise.")
@click.option("--branch", help="With `add`: the branch; the repository's default branch otherwise.")
@click.option("--subfolder", help="With `add`: the part of the repository that holds agents.")
@click.option("--only", multiple=True, metavar="PATTERN", help="With `add`: only these agents, by name or `tag:NAME`.")
@common_options
def command(
    *, what: str, source: str, name: str | None, branch: str | None, subfolder: str | None, only: tuple[str, ...]
) -> int:
    """Add the repository at the URL SOURCE to the configuration, or remove the source of the name SOURCE.

    What `git clone` would use to reach the repository is shown and written down, as with `init`. Nothing is fetched and
    no agent changes before the next pull; the files of a source that is removed stay.
    """
    if what == "remove" and (name or branch or subfolder or only):
        raise click.UsageError("the options are for `add`")
    path, before, config = read()
    if what == "remove":
        edit(path, before, removed(before, "sources", source, str(path)))
        _print(source, f"removed source {source}; `agentsync pull --allow-deletions` deletes its files")
        return 0
    access = find_access(source, path)
    name = name or source_name(access.url)
    if name in config.sources:
        raise ConfigError(f"there is a source `{name}` already", place=str(path), hint="choose another --name")
    given: dict[str, object] = {"branch": branch, "subfolder": subfolder, "only": list(only)}
    append(path, before, access.table(name, {key: value for key, value in given.items() if value}))
    if not common().json:
        access.show()
    _print(name, f"added source {name}; `agentsync plan` shows what it changes")
    return 0


def _print(name: str, text: str) -> None:
    click.echo(json.dumps({"source": name}) if common().json else text)
