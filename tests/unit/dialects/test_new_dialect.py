"""A dialect is one module: it is found by being there, and nothing outside of it names its tool."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import agentsync
from agentsync.agents.model import NEUTRAL
from agentsync.dialects import dialects

_SOURCE: Final = Path(agentsync.__file__).parent
_DOCS: Final = Path(__file__).parents[3] / "docs"

_MODULE: Final = """
from agentsync.agents.key_effects import Effect, effects_by_key, row
from agentsync.dialects._base import Recognition, Review, ToolLists
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects._kit.tool_names import ToolNames

DIALECT = TableDialect(
    name="acme",
    title="Acme",
    permissions=ToolList(
        ToolNames(written={"open": ("read",), "run": ("bash",)}), ToolLists(denied="crew_limit")
    ).codec,
    keys={},
).dialect(
    suffixes=(".crew", ".crew.md"),
    user_directory=".acme/crew",
    project_directories=(".acme/crew",),
    binaries=("acme",),
    version="1",
    source="https://acme.example",
    recognition=Recognition(
        decisive=(".crew.md",),
        sign=lambda document: 8,
        anywhere=(".crew",),
        sniff=lambda document: "crew" in document.metadata,
        aliases=("anvil",),
        other_stems=("acme",),
        other_suffixes=(".note.md",),
    ),
    effects=effects_by_key(row("launcher", Effect.RUNS_PROGRAM)),
    review=Review("two lists", "both are written"),
)
"""

_PROGRAM: Final = """
import json, sys
from pathlib import Path

import agentsync.dialects

agentsync.dialects.__path__.append(sys.argv[1])  # before anything looks for the dialects
sys.path.insert(0, sys.argv[2])

from click.testing import CliRunner

import generate
from agentsync.cli import cli
from agentsync.cli.options import Common
from agentsync.convert.policy import Rules
from agentsync.convert.policy_check import judge_output
from agentsync.dialects import dialects
from agentsync.git.objects import Entry
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from agentsync.repository.selection import Selection, select
from agentsync.targets.installed_tools import installed

HEAD = "name: x\\ndescription: d\\n"

def read(path, keys, dialect=None):
    result = read_agent(path, f"---\\n{HEAD}{keys}\\n---\\nDo x.\\n".encode(), dialect)
    if not isinstance(result, ReadAgent):
        return [diagnostic.code.name for diagnostic in result.diagnostics]
    return [result.dialect.name, max(result.agent.grants.approvals("bash")).name]

def run(*arguments):
    result = CliRunner().invoke(cli, [*arguments], obj=Common())
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    return result.stdout

ACME = dialects()["acme"]
PATHS = [
    ".acme/crew/a.crew", "team/b.crew", "docs/c.crew.md", "agents/d.md",
    ".acme/notes/e.md", "agents/ACME.md", "agents/f.note.md", "team/g.anvil",
]
Path("reviewer.md").write_text(f"---\\n{HEAD}tools: Read\\n---\\nReview.\\n")
Path("reviewer.crew").write_text(f"---\\n{HEAD}crew: c\\ntools: [open]\\n---\\nReview.\\n")
Path.home().joinpath(".acme").mkdir(parents=True)
document = ACME.parse(f"---\\n{HEAD}launcher: sh\\n---\\n".encode(), "x.crew")
pages = generate.pages()
print(json.dumps({
    "selected": [entry.path for entry in select([Entry(path, "100644", "", 1) for path in PATHS], Selection()).entries],
    "by place": read(".acme/crew/a.crew", "crew_limit: [run]"),
    "by ending": read("docs/c.crew.md", ""),
    "by content": read("team/b.crew", "crew: c"),
    "another file": read("team/b.crew", ""),
    "restricts elsewhere": read("agents/d.md", "crew_limit: [run]"),
    "restricts in a damaged file": read("agents/d.md", "note: a: b\\n crew_limit: [run]", "claude"),
    "settings for it": read("agents/d.md", "anvil-settings: {tools: [open]}", "claude"),
    "policy": [diagnostic.code.name for diagnostic in judge_output(ACME, document, "x", [Rules()])],
    "installed": [dialect.name for dialect in installed()],
    "written": run("convert", "reviewer.md", "--from", "claude", "--to", "acme"),
    "converted": run("convert", "reviewer.crew", "--to", "claude"),
    "listed": run("list", "dialects"),
    "pages": "\\n".join(pages.values()),
}))
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program makes of a dialect that was only just put beside the others."""
    root = tmp_path_factory.mktemp("new-dialect")
    (root / "modules").mkdir()
    (root / "modules/acme.py").write_text(_MODULE, encoding="utf-8")
    command = [sys.executable, "-c", _PROGRAM, str(root / "modules"), str(_DOCS)]
    environment = {**os.environ, "HOME": str(root / "home"), "PATH": "/nowhere"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    loaded = json.loads(done.stdout)
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("selected", [".acme/crew/a.crew", "team/b.crew", "docs/c.crew.md", "agents/d.md"]),
        ("by place", ["acme", "DENY"]),
        ("by ending", ["acme", "SESSION"]),
        ("by content", ["acme", "SESSION"]),
        ("another file", ["NOT_AN_AGENT"]),
        ("restricts elsewhere", ["WRONG_DIALECT"]),
        ("settings for it", ["RESTRICTED_BELOW"]),
        ("policy", ["PROGRAM_REFUSED"]),
        ("installed", ["acme"]),
    ],
)
def test_a_new_dialect_is_recognised(facts: dict[str, Any], what: str, expected: list[str]) -> None:
    assert facts[what] == expected


def test_a_repair_keeps_the_keys_by_which_it_restricts(facts: dict[str, Any]) -> None:
    assert "RESTRICTION_LOST" in facts["restricts in a damaged file"]


def test_agents_are_converted_from_and_for_it(facts: dict[str, Any]) -> None:
    assert "tools:\n  - open\n" in facts["written"]
    assert "tools: Read\n" in facts["converted"]


def test_it_is_listed_and_documented(facts: dict[str, Any]) -> None:
    assert re.search(r"^acme\s", facts["listed"], re.MULTILINE)
    pages = facts["pages"]
    assert (
        "| `acme` | [Acme](https://acme.example) | `~/.acme/crew` | - | `.acme/crew` | `.crew`, `.crew.md` |" in pages
    )
    assert "| Acme | two lists | both are written |" in pages
    assert "| runs a program | `launcher` |" in pages
    assert "| restricts | `crewlimit` `tools` |" in pages
    assert "ReadWritePaths=-%h/.acme/crew\n" in pages
    assert '"acme"' in pages  # of agent.schema.json


# The core

_ALLOWED: Final = {
    "cli/demo.py": "a demonstration with three tools",
    "cli/demo_scene.py": "the same",
    "repository/plugins.py": "marketplaces of plugins, which are Claude Code's format and hold agents of any tool",
    "repository/dependencies.py": "a variable of Claude Code's plugins, which agents of any tool may name",
    "core/code_examples.py": "examples are files of tools",
    "formats/key_lines.py": "`vibe` is a key that some authors add to an agent",
}
"""Modules that may name a tool, with the reason."""


def test_the_core_names_no_tool() -> None:
    tools = [dialect for dialect in dialects().values() if dialect.name != NEUTRAL]
    names = {name for tool in tools for name in (tool.name, *tool.recognition.aliases, *tool.binaries)}
    named = re.compile(rf"(?<![a-z])(?:{'|'.join(map(re.escape, sorted(names)))})(?![a-z])", re.IGNORECASE)
    modules = [path for path in _SOURCE.rglob("*.py") if "dialects" not in path.relative_to(_SOURCE).parts]
    found = {
        str(path.relative_to(_SOURCE)): text
        for path in modules
        for text in _texts(ast.parse(path.read_text(encoding="utf-8")))
        if named.search(re.sub(r"^  .*\bagentsync .*$", "", text, flags=re.MULTILINE))  # an example of a command
    }
    assert {path: text for path, text in found.items() if path not in _ALLOWED} == {}
    assert found.keys() == _ALLOWED.keys()


def _texts(tree: ast.Module) -> Iterator[str]:
    """The string literals of a module, apart from docstrings."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value
