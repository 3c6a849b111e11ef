"""`agentsync new`: creates a team's repository, with agents, a manifest and a README."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from agentsync.cli.options import common, common_options
from agentsync.core.errors import ConfigError
from agentsync.core.paths import shorten
from agentsync.core.urls import printable
from agentsync.repository.manifest import FILE_NAME

_EPILOG = """\b
Examples:
  agentsync new ~/src/agents
  agentsync new .
"""

_MANIFEST: Final = """# This repository's settings for agentsync.
version = 1

[agents]
include = ["agents/*.md"]

[agents.dialects]
"agents/**" = "neutral"
"""
_README: Final = """# The team's agents

Each file in `agents` is an agent. agentsync converts it for every tool that a colleague has, and keeps it up to date.

## Get them

```sh
agentsync init URL-OF-THIS-REPOSITORY
agentsync pull
```

## Change one

Edit its file, then look at what each tool gets:

```sh
agentsync check . --strict
agentsync report .
```

Commit and push: everybody gets it with their next pull.

## Add one

Copy a file in `agents`. A name, a description, the tools that it may use and its instructions are enough.
`agentsync import .` brings the agents that you have in your tools already.
"""
_AGENTS: Final = ("reviewer.md", "explainer.md")


@click.command("new", epilog=_EPILOG)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@common_options
def command(*, directory: Path) -> int:
    """Create a team's repository in DIRECTORY: two agents, a manifest and a README, which pass `check --strict`.

    No file that is there is changed, and a README that is there is kept. `agentsync import DIRECTORY` adds the agents
    that your tools have.
    """
    examples = files("agentsync").joinpath("templates")
    contents = {FILE_NAME: _MANIFEST}
    if not (directory / "README.md").exists():  # git hosts make one
        contents["README.md"] = _README
    contents |= {f"agents/{name}": examples.joinpath(name).read_text(encoding="utf-8") for name in _AGENTS}
    if there := [name for name in contents if (directory / name).exists()]:
        hint = "choose another directory, or `agentsync import` to add your agents to this one"
        raise ConfigError(
            f"{', '.join(there)} is there already, and nothing was written", place=str(directory), hint=hint
        )
    for name, text in contents.items():
        _write(directory / name, text)
    if common().json:
        click.echo(json.dumps({"directory": str(directory), "files": [*contents]}))
        return 0
    shown = printable(shorten(str(directory)))
    for name in contents:
        click.echo(f"written  {shown}/{name}")
    click.echo(f"\nnext: `git -C {shown} init && git -C {shown} add .`, then commit and push it to your git host")
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"this file cannot be written: {error.strerror}", place=str(path)) from error
