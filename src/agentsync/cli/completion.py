"""`agentsync completion`: a shell's script for completing agentsync's commands."""

from __future__ import annotations

from importlib.resources import files

import click

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
def command(*, shell: str) -> int:
    """Print the completion script for SHELL."""
    click.echo(files("agentsync.completion").joinpath(f"script.{shell}").read_text(encoding="utf-8"), nl=False)
    return 0
