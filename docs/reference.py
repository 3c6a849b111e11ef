"""The command line as values, read from the definitions that its help is made of: for cli.md and for the man page."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import click

from agentsync.cli import COMMANDS, cli
from agentsync.core.errors import ExitCode

EXITS: Final = {
    ExitCode.OK: "Done. `pull` and `plan`: nothing is in the way. `status` ends so whatever it shows.",
    ExitCode.FINDINGS: "`check`, `doctor`: something is wrong, or there is no agent. `import`: there is no agent. "
    "`plan`, `status` with "
    "`--exit-code`: there is something to change, or (`status`) something is in trouble. `convert --fail-on-loss`: "
    "something was lost. `health`: the service does not answer, or is not well. `fleet`: a stage exceeds a limit, or "
    "all machines are silent.",
    ExitCode.USAGE: "Wrong usage, or a mistake in the configuration.",
    ExitCode.SOURCE_UNAVAILABLE: "A source could not be fetched. The others were synced. `fleet`: a server gives no "
    "usable answer.",
    ExitCode.INCOMPLETE: "Something was refused, held, in conflict or could not be written; the rest was done. Or the "
    "state cannot be used, or the output cannot be written. `fleet`: a document is of no use; the rest was shown.",
    ExitCode.BUG: "A bug in agentsync. Details are in `bug-report.txt` in the state directory.",
    ExitCode.SHORTAGE: "The system has too little for now: memory, threads, processes, open files, space, or the size "
    "that a file may have. Nothing is lost; run it again when there is more.",
    ExitCode.LOCKED: "Another run is in progress.",
    ExitCode.INTERRUPTED: "Interrupted with ctrl-C.",
    ExitCode.TERMINATED: "Ended by SIGTERM.",
}
"""What each exit status means."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command.

    Attributes:
        names: all its spellings, as `-v, --verbose` or `--diff / --no-diff`.
        metavar: the placeholder of its value; empty for a flag.
        variable: that of the environment which sets it; empty where none does.
        meaning: in sentences; code is in backquotes, as in the two below.
    """

    names: str
    metavar: str
    variable: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: what is typed.
        summary: one line.
        operands: what follows the name, as `[OPTIONS] FILE`.
        text: paragraphs with an empty line between them.
        options: its own, without the common ones.
        examples: one a line.
    """

    name: str
    summary: str
    operands: str
    text: str
    options: tuple[Option, ...]
    examples: tuple[str, ...]


def program() -> Command:
    """The program itself; its options are those that every command takes."""
    root = _root()
    return Command("agentsync", *_described(cli, root), options=(*_options(cli.get_params(root), root),), examples=())


def commands() -> Iterator[Command]:
    """Every command, in the order of the help."""
    root = _root()
    shared = {(parameter.name, str(parameter.type)) for parameter in cli.get_params(root)}
    for name in COMMANDS:
        command = cli.get_command(root, name)
        if command is None:
            raise LookupError(name)
        context = click.Context(command, info_name=name, parent=root)
        own = (parameter for parameter in command.params if (parameter.name, str(parameter.type)) not in shared)
        yield Command(
            name, *_described(command, context), options=(*_options(own, context),), examples=_examples(command)
        )


def _root() -> click.Context:
    return click.Context(cli, info_name="agentsync", **cli.context_settings)


def _described(command: click.Command, context: click.Context) -> tuple[str, str, str]:
    text = inspect.cleandoc(command.help or "")
    summary = COMMANDS.get(str(command.name)) or text.partition("\n")[0]
    return summary, " ".join(command.collect_usage_pieces(context)), text


def _options(parameters: Iterable[click.Parameter], context: click.Context) -> Iterator[Option]:
    for option in parameters:
        if isinstance(option, click.Option):
            names = ", ".join(option.opts) + "".join(f" / {name}" for name in option.secondary_opts)
            has_value = not (option.is_flag or option.count)
            metavar = option.make_metavar(context).removesuffix(" RANGE") if has_value else ""
            yield Option(names, metavar, _variable(option, context), _meaning(option))


def _meaning(option: click.Option) -> str:
    parts = [option.help or ""]
    if option.show_default:
        parts.append(f"Default: {option.default}.")
    if option.required:
        parts.append("Required.")
    if option.multiple:
        parts.append("May be given more than once.")
    return " ".join(parts)


def _variable(option: click.Option, context: click.Context) -> str:
    """The variable that click reads for an option; what ends the run at once is no setting."""
    if option.is_eager or option.name is None:
        return ""
    return f"{context.auto_envvar_prefix}_{option.name.upper()}"


def _examples(command: click.Command) -> tuple[str, ...]:
    _, _, examples = inspect.cleandoc((command.epilog or "").replace("\b", "")).partition("Examples:\n")
    return tuple(line.strip() for line in examples.splitlines())
