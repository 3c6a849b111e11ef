"""The table from which completion answers, made of the definitions of the commands, and the help of the program.

A row has four columns, separated by tabs: the command, an option or nothing, the values, and the meaning.
`agentsync.completion` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click

from agentsync.cli import COMMANDS, cli
from agentsync.completion.overview import WIDTH
from agentsync.core.codes import Code
from agentsync.dialects import dialects

TABLE: Final = Path(__file__).parents[1] / "src/agentsync/completion/table.tsv"
HELP: Final = TABLE.with_name("help.txt")
_DOCS: Final = Path(__file__).parent

_FLAG: Final = "-"
_OPERANDS: Final = {
    ("adopt", "what"): ":agents",
    ("docs", "topic"): " ".join(
        sorted(["systemd", *(path.relative_to(_DOCS).with_suffix("").as_posix() for path in _DOCS.rglob("*.md"))])
    ),
    ("explain", "codes"): " ".join(code.id for code in Code),
    ("history", "sync_id"): ":syncs",
    ("rollback", "sync_id"): ":syncs",
}
"""Operands whose values click does not know."""


def completion_table() -> str:
    """The table, as the file holds it."""
    root = click.Context(cli, info_name="agentsync")
    rows = [*_options("", cli.get_params(root))]
    for name, summary in COMMANDS.items():
        command = cli.get_command(root, name)
        if command is None:
            raise LookupError(name)
        parameters = command.get_params(root)
        operands = (parameter for parameter in parameters if isinstance(parameter, click.Argument))
        values = next((_operand(name, operand) for operand in operands), "")
        rows += [(name, "", values, summary), *_options(name, parameters)]
    return "".join("\t".join(row) + "\n" for row in rows)


def help_text() -> str:
    """The help of the program, as it is for a terminal of the usual width."""
    return click.Context(cli, info_name="agentsync", terminal_width=WIDTH - 2).get_help() + "\n"


def _options(command: str, parameters: Iterable[click.Parameter]) -> Iterator[tuple[str, str, str, str]]:
    for option in parameters:
        if isinstance(option, click.Option):
            values = _FLAG if option.is_flag or option.count else _values(option)
            meaning = (option.help or "").partition(". ")[0].rstrip(".")
            for name in sorted((*option.opts, *option.secondary_opts), key=len, reverse=True):
                yield command, name, values, meaning


def _operand(command: str, operand: click.Argument) -> str:
    values = _OPERANDS.get((command, str(operand.name))) or _values(operand)
    return f"{values} ..." if operand.nargs < 0 else values


def _values(parameter: click.Parameter) -> str:
    kind = parameter.type
    if isinstance(kind, click.Choice):
        return " ".join(kind.choices)
    if isinstance(kind, click.Path):
        return ":file" if kind.file_okay else ":directory"
    if isinstance(kind, click.File):
        return ":file"
    is_dialect = kind.name == "dialect" or str(parameter.metavar).startswith("DIALECT")
    return " ".join(dialects()) if is_dialect else ""
