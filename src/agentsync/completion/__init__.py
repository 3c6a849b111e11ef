"""Completion for shells: it answers from a table, in about the time that Python takes to start.

So nothing is imported here beside what Python has imported already: no command, and not the library of commands either.
docs/completion_table.py makes the table of the commands' definitions. What depends on this machine is looked up in
`names`, where it is asked for.
"""

from __future__ import annotations

import os
import sys

VARIABLE = "_AGENTSYNC_COMPLETE"
"""Set by a shell's script to the shell's name: the arguments are then the words to complete, the last one in part."""

_FLAG = "-"
_TABLE = os.path.join(os.path.dirname(__file__), "table.tsv")  # noqa: PTH118, PTH120 - importing pathlib takes longer


class _Row:
    """A row of the table.

    Attributes:
        command: the command's name; empty for the options before it.
        name: the option; empty for the command itself.
        values: words, or `:file`, `:directory`, `:agents` or `:syncs`; empty for any text, and `-` for a flag.
        is_repeated: whether a command takes more than one of them, which the table marks with `...`.
        meaning: in a few words.
    """

    __slots__ = ("command", "is_repeated", "meaning", "name", "values")

    def __init__(self, line: str) -> None:
        self.command, self.name, values, self.meaning = line.rstrip("\n").split("\t")
        self.values = values.removesuffix(" ...")
        self.is_repeated = self.values != values


def main() -> int:
    """Print what completes the last argument, as lines of a word, a tab and its meaning; the status is 0."""
    shell = os.environ[VARIABLE]
    lines = answers(sys.argv[1:], shell)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def answers(words: list[str], shell: str) -> list[str]:
    """Return what completes the last of these words, which follow the program's name.

    Each is a word with its meaning after a tab, or `:file` or `:directory`, for which the shell looks itself.

    Args:
        words: as typed; the last one may be empty.
        shell: `bash` splits words at `=`.
    """
    with open(_TABLE, encoding="utf-8") as file:  # noqa: PTH123 - importing pathlib takes longer
        rows = [_Row(line) for line in file]
    *before, current = _joined(words) if shell == "bash" else words
    command, operands, expected = _parsed(before, rows)
    own = [row for row in rows if row.command == command]
    option, separator, value = current.partition("=")
    if expected is not None:
        return _values(expected.values, current)
    if separator and option.startswith("--"):
        row = next((row for row in own if row.name == option), None)
        prefix = "" if shell == "bash" else f"{option}="  # bash replaces only what is after its separator
        return [f"{prefix}{answer}" for answer in _values(row.values, value)] if row else []
    if current.startswith("-"):
        return [f"{row.name}\t{row.meaning}" for row in own if row.name and row.name.startswith(current)]
    if not command:
        return [f"{row.command}\t{row.meaning}" for row in rows if not row.name and row.command.startswith(current)]
    operand = next(row for row in own if not row.name)
    return _values(operand.values, current) if operand.is_repeated or not operands else []


def _joined(words: list[str]) -> list[str]:
    """Put together what bash split at an equals sign."""
    joined: list[str] = []
    for word in words:
        is_value = len(joined) > 0 and joined[-1].startswith("--") and (word == "=" or joined[-1].endswith("="))
        if is_value:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _parsed(words: list[str], rows: list[_Row]) -> tuple[str, int, _Row | None]:
    """Return the command in these words, how many operands it has, and the option whose value comes next."""
    commands = {row.command for row in rows}
    command, operands, expected = "", 0, None
    for word in words:
        if expected is not None:
            expected = None
        elif word.startswith("-"):
            found = next((row for row in rows if row.command == command and row.name == word), None)
            expected = found if found and found.values != _FLAG else None
        elif command:
            operands += 1
        elif word in commands:
            command = word
    return command, operands, expected


def _values(values: str, current: str) -> list[str]:
    if values in (":agents", ":syncs"):
        from agentsync.completion.names import known_names  # noqa: PLC0415 - only these need the state

        return [name for name in known_names(values) if name.startswith(current)]
    if values.startswith(":"):
        return [values]
    return [word for word in values.split() if word != _FLAG and word.startswith(current)]
