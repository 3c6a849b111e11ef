"""`agentsync completion`: a shell's script for completing agentsync's commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from agentsync.cli.options import common_options

_EPILOG = """\b
Examples:
  agentsync completion bash > ~/.local/share/bash-completion/completions/agentsync
  agentsync completion zsh > ~/.zfunc/_agentsync
  agentsync completion fish > ~/.config/fish/completions/agentsync.fish
"""


@click.command("completion", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL."""
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"there is no completion for {shell}")
    group = context.find_root().command
    click.echo(completion(group, {}, "agentsync", "_AGENTSYNC_COMPLETE").source())
