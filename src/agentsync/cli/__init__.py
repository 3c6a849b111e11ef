"""The command line: each command is a module of its own name, imported only when it is run."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from keyword import iskeyword
from typing import Final

import click

from agentsync import __version__
from agentsync.cli.error_boundary import run
from agentsync.cli.options import common_options

# In the order in which a new user meets them.
COMMANDS: Final = {
    "init": "Find the tools installed here and write a configuration.",
    "new": "Create a team's repository: agents, a manifest and a README.",
    "source": "Add a repository to the configuration, or remove one.",
    "target": "Add a tool to the configuration, or remove one.",
    "pull": "Fetch the team's agents and write them to every tool.",
    "plan": "Show what pull would change, with differences.",
    "report": "Show what each tool gets of each agent, and what that can no longer do.",
    "status": "Show whether this machine matches the team's repository.",
    "check": "Validate the agents in a directory: for CI, editors and pre-commit.",
    "watch": "Check and convert a repository's agents each time one is saved.",
    "convert": "Print one agent in another tool's format.",
    "import": "Write the agents that this machine's tools have into a repository.",
    "adopt": "Replace your own files with the team's agents, and keep a backup.",
    "list": "List agents, dialects or targets.",
    "rollback": "Restore what the tools had after an earlier sync, and suspend pulling.",
    "daemon": "Pull on a schedule, and when something changes here: the service.",
    "install-service": "Have systemd run agentsync from now on.",
    "uninstall-service": "Have systemd no longer run agentsync.",
    "health": "Check whether the service is alive: for containers and probes.",
    "suspend": "Let pulls change nothing until `resume`.",
    "resume": "Let pulls apply changes again.",
    "rollout": "Show or change how fast commits spread, in a clone.",
    "fleet": "Show which machines of a team run which commit, by stage.",
    "history": "Show what was changed here, when, and from which commit.",
    "doctor": "Check this installation for problems.",
    "explain": "Explain a diagnostic's code: cause, effect, remedy, an example.",
    "docs": "Read the documentation, which is part of the package.",
    "schema": "Print a JSON Schema for editors.",
    "demo": "Show everything on a small repository in a scratch home.",
    "completion": "Print the completion script for a shell.",
}
_ALIASES: Final = {"diff": "plan"}

_EPILOG: Final = """\b
Examples:
  agentsync init https://github.com/acme/agents.git
  agentsync pull
  agentsync pull --source ./agents --to claude=~/.claude/agents
  agentsync convert reviewer.md --to opencode
  agentsync check . --to claude --to opencode
  agentsync explain AS309

\b
Exit status:
  0 done            1 problems, or changes with --exit-code
  2 wrong usage     3 a source is unavailable
  4 incomplete      75 another run is in progress
"""


class _Commands(click.Group):
    """A group that imports a command only when it is used, so that `--version` costs no more than Python itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [*COMMANDS]  # not list(): `list` is a module of this package once that command was imported

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        name = _ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        module = f"{name}_" if iskeyword(name) else name.replace("-", "_")
        command = import_module(f"agentsync.cli.{module}").command
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            _, command, rest = super().resolve_command(ctx, args)
        except click.UsageError as error:
            if near := get_close_matches(args[0], [*COMMANDS, *_ALIASES], n=1):
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from error
            raise
        return command.name if command else None, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


@click.group(
    "agentsync",
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "AGENTSYNC"},
    epilog=_EPILOG,
)
@common_options
@click.version_option(__version__, prog_name="agentsync", message="%(prog)s %(version)s", allow_from_autoenv=False)
def cli() -> None:
    """Keep the AI agents of every tool on this machine equal to a team's Git repository.

    A file that agentsync did not write is never touched, and no agent ever gains a permission by conversion.
    """


def main() -> int:
    """Run the command line and return the exit status."""
    return run(cli)
