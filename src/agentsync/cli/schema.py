"""`agentsync schema`: prints JSON Schemas for editors."""

from __future__ import annotations

import json

import click

from agentsync.cli.options import common_options
from agentsync.config import Config
from agentsync.convert.agent_schema import agent_schema
from agentsync.repository.manifest import Manifest

_EPILOG = """\b
Examples:
  agentsync schema agent > .vscode/agent.schema.json
  agentsync schema config
"""


@click.command("schema", epilog=_EPILOG)
@click.argument("what", type=click.Choice(["agent", "config", "manifest"]))
@common_options
def command(*, what: str) -> int:
    """Print the JSON Schema of an agent in agentsync's own format, of the configuration, or of a manifest."""
    match what:
        case "agent":
            schema: object = agent_schema()
        case "config":
            schema = Config.model_json_schema()
        case _:
            schema = Manifest.model_json_schema()
    click.echo(json.dumps(schema, indent=2))
    return 0
