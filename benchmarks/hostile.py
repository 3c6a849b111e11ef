"""What a hostile file of 1 MiB costs, beside a plain one of the same size: read, and converted for every tool.

None should cost more than ten times as much. The exit status is 0 whatever the goals.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Final

import click

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
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


def main() -> int:
    """Print each kind with its cost."""
    _seconds(_PLAIN)  # imports, and tables that are made once
    plain = {name: _fastest(_PLAIN, form) for name, form in _FORMS.items()}
    most = 0.0
    for times, name, unit in _costs(plain):
        click.echo(f"{times:6.1f} times  {name:9} {unit!r}")
        most = max(most, times)
    click.echo(f"{most:6.1f} times at most; wanted: {_MOST:g}, {'met' if most <= _MOST else 'missed'}")
    return 0


def _costs(plain: Mapping[str, float]) -> Iterator[tuple[float, str, str]]:
    for name, form in _FORMS.items():
        for unit in _UNITS:
            yield _fastest(unit, form) / plain[name], name, unit


def _fastest(unit: str, form: tuple[str, str]) -> float:
    return min(_seconds(unit, form) for _ in range(_ROUNDS))


_FORMS: Final = {
    "markdown": ("claude", "---\nname: a\ndescription: Helps.\ntools: Read\n---\n{}"),
    "no fence": ("claude", "---\nname: a\ndescription: Helps.\ntools: Read\n{}"),
    "toml": ("codex", 'name = "a"\ndescription = "Helps."\ndeveloper_instructions = """\n{}"""\n'),
}


def _seconds(unit: str, form: tuple[str, str] = ("claude", "{}")) -> float:
    dialect, frame = form
    text = unit * (_BYTES // len(unit.encode()))
    if dialect == "codex":
        text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "")
    data = frame.replace("{}", text).encode()[: 1 << 20]
    began = time.thread_time()
    read = read_agent(f"agents/a{dialects()[dialect].suffix}", data, dialect)
    if isinstance(read, ReadAgent):
        for target in dialects().values():
            render(read, target, WriteOptions())
    return time.thread_time() - began


if __name__ == "__main__":
    sys.exit(main())
