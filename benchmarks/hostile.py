"""What a hostile file of 1 MiB costs, beside a plain one of the same size: read, and converted for every tool.

None should cost more than ten times as much. Prints a table with the costliest text of each kind of file; the exit
status is 0 whatever the goals.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

import click

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.entry_paths import entry_path
from agentsync.core.errors import AgentsyncError
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import ReadAgent, read_agent

_BYTES: Final = (1 << 20) - 512
_MOST: Final = 10.0
_ROUNDS: Final = 2
_PLAIN: Final = "You review code with care, and you say what is wrong in it.\n"
_UNITS: Final = (
    *(".", "-", "_", " ", "\t", "/", "a", "*", "`", '"', "'", "(", "[", "{", "<", "\\", ":", "#", "|", "\n", "\r\n"),
    *(
        "a:\n",
        "a: b # c\n",
        "tools: x\n",
        "Tools: Read\n",
        "tools: ",
        "- ",
        "a.",
        "a/",
        "a b.",
        "${",
        "{env:",
        "{{",
        "mcp__",
        "@a/",
    ),
    *("x://", "x://u:", "](a.md)", "/help ", "AKIA", "'''x", "--- ", "---x\n", "\u00e9", "\U0001f3f4", "Bash(git *), "),
)


class _Kind(NamedTuple):
    """Kind of file: the dialect that reads it, its text around what is repeated, `{}`, and how much that is of it."""

    dialect: str
    frame: str
    share: float = 1.0


_HEAD: Final = "---\nname: a\ndescription: Helps.\ntools: Read\n"
_MODES: Final = "customModes:\n  - slug: a\n    name: A\n    groups:\n      - read\n    roleDefinition: "
_KINDS: Final[Mapping[str, _Kind]] = {
    "instructions": _Kind("claude", f"{_HEAD}---\n{{}}"),
    "after empty lines": _Kind("claude", f"\n\n{_HEAD}---\n{{}}"),
    "frontmatter without an end": _Kind("claude", f"{_HEAD}{{}}"),
    "... above a text": _Kind("claude", f"{_HEAD}\nYou help.\n{{}}"),
    "all on one line": _Kind("claude", "--- name: a description: Helps. tools: Read --- {}"),
    "TOML": _Kind("codex", 'name = "a"\ndescription = "Helps."\ndeveloper_instructions = """\n{}"""\n'),
    "JSON": _Kind("kiro2", '{"name": "a", "description": "Helps.", "tools": ["read"], "prompt": "{}"}'),
    "file with modes": _Kind("roo", f'{_MODES}"{{}}"\n', 0.8),
}
_PLAIN_KINDS: Final = {"claude": "instructions", "codex": "TOML", "kiro2": "JSON", "roo": "file with modes"}
"""The kind of each dialect that is well-formed with a plain text: what the others are compared with."""


def main() -> int:
    """Print each kind of file with its costliest text."""
    _seconds(_KINDS["instructions"], _PLAIN)  # imports, and tables that are made once
    plain = {dialect: _fastest(_KINDS[name], _PLAIN) for dialect, name in _PLAIN_KINDS.items()}
    click.echo("| kind of file | costliest text, repeated | times a plain file | goal |\n| --- | --- | ---: | --- |")
    worst = 0.0
    for name, kind in _KINDS.items():
        times, unit = max((_fastest(kind, unit) / plain[kind.dialect], unit) for unit in _UNITS)
        click.echo(f"| {name} | `{json.dumps(unit)}` | {times:.1f} | {_verdict(times)} |")
        worst = max(worst, times)
    click.echo(f"\n{worst:.1f} times at most; wanted: {_MOST:g}, {_verdict(worst)}")
    return 0


def _verdict(times: float) -> str:
    return "met" if times <= _MOST else "missed"


def _fastest(kind: _Kind, unit: str) -> float:
    return min(_seconds(kind, unit) for _ in range(_ROUNDS))


def _seconds(kind: _Kind, unit: str) -> float:
    if kind.dialect != "claude":
        unit = json.dumps(unit, ensure_ascii=False)[1:-1]  # which TOML and YAML read, too
    data = kind.frame.replace("{}", unit * int(_BYTES * kind.share / len(unit.encode()))).encode()
    began = time.thread_time()
    _convert(kind.dialect, data)
    return time.thread_time() - began


def _convert(name: str, data: bytes) -> None:
    """Read a file and convert its agent for every tool; one that is refused costs as much as it takes to refuse it."""
    dialect = dialects()[name]
    paths = [f"agents/a{dialect.suffix}"]
    if dialect.shared:
        try:
            names = dialect.shared.entries(dialect.shared.readable(data))
        except AgentsyncError:
            return
        paths = [entry_path(dialect.shared.project_files[0], name) for name in names]
    for path in paths:
        read = read_agent(path, data, dialect.name)
        if isinstance(read, ReadAgent):
            for target in dialects().values():
                render(read, target, WriteOptions())


if __name__ == "__main__":
    sys.exit(main())
