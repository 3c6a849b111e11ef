"""Help at hand: explained codes, pages that come with the program, and hints that hold in every installation."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from agentsync.cli import COMMANDS, cli
from agentsync.cli.options import Common
from agentsync.core.code_examples import EXAMPLES
from agentsync.core.codes import Code
from support.machine import Machine

_ROOT = Path(__file__).parents[2]
_PACKAGE = _ROOT / "src" / "agentsync"
_FILES = {code.id: text for code, text in EXAMPLES.items() if text.startswith("---")}


@pytest.mark.parametrize("spelling", ["AS309", "as309", "309", "[AS309]", "refused-wider", "REFUSED_WIDER"])
def test_a_code_is_explained_however_it_is_written(spelling: str) -> None:
    result = CliRunner().invoke(cli, ["explain", spelling], obj=Common())
    for text in (Code.REFUSED_WIDER.cause, Code.REFUSED_WIDER.remedy, Code.REFUSED_WIDER.effect):
        assert text in result.stdout
    assert EXAMPLES[Code.REFUSED_WIDER] in result.stdout


@pytest.mark.parametrize(("spelling", "nearest"), [("AS3099", "AS309"), ("refused-widr", "AS309"), ("xyz", "explain`")])
def test_an_unknown_code_leads_to_the_nearest(spelling: str, nearest: str) -> None:
    result = CliRunner().invoke(cli, ["explain", spelling], obj=Common(), standalone_mode=False)
    assert isinstance(result.exception, click.UsageError)
    assert nearest in result.exception.message


def test_every_code_is_listed_and_has_an_example_and_an_anchor() -> None:
    listed = json.loads(CliRunner().invoke(cli, ["explain", "--format", "json"], obj=Common()).stdout)
    assert [one["code"] for one in listed] == [code.id for code in Code]
    page = (_ROOT / "docs/diagnostics.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == [code.id for code in Code]


@pytest.mark.parametrize("code", _FILES)
def test_an_example_that_is_an_agent_gets_its_diagnostic(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = tmp_path / ".claude/agents/reviewer.md"
    agent.parent.mkdir(parents=True)
    agent.write_text(_FILES[code], encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path.parent))
    result = CliRunner().invoke(cli, ["check", str(tmp_path), "--to", "claude", "--format", "json"], obj=Common())
    assert code in {diagnostic["code"] for diagnostic in json.loads(result.stdout)["diagnostics"]}


def test_every_page_of_the_documentation_can_be_read(machine: Machine) -> None:
    topics = json.loads(machine.run("docs", "--format", "json").stdout)
    pages = {path.relative_to(_ROOT / "docs").with_suffix("").as_posix() for path in (_ROOT / "docs").rglob("*.md")}
    assert {topic["topic"] for topic in topics} == pages | {"systemd"}
    assert machine.run("docs", "systemd").stdout.startswith("# The service with systemd")
    assert machine.run("docs", "permissions.md").stdout.startswith("# Permissions")
    wrong = machine.run("docs", "configuraton")
    assert (wrong.code, "did you mean `configuration`?" in wrong.stderr) == (2, True)


def _texts() -> Iterator[tuple[str, str]]:
    """Each text of the program with its place, without docstrings."""
    for path in sorted(_PACKAGE.rglob("*.py")):
        if path.name == "code_examples.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield f"{path.relative_to(_PACKAGE)}:{node.lineno}", node.value


_CLONE_ONLY = re.compile(r"(?<![\w./~:-])(?:docs|config|systemd|examples|benchmarks|tests)/[\w.-]+\.\w+")


def test_no_text_names_a_file_that_an_installation_does_not_have() -> None:
    assert [(place, found[0]) for place, text in _texts() if (found := _CLONE_ONLY.search(text))] == []


_COMMAND = re.compile(r"`agentsync ([a-z-]+)((?: [^`]*)?)`")


def test_every_command_and_option_that_a_text_names_exists() -> None:
    root = click.Context(cli, info_name="agentsync")
    wrong = []
    named = [(place, match) for place, text in _texts() for match in _COMMAND.finditer(text)]
    assert len(named) > 30
    for place, match in named:
        command = cli.get_command(root, match[1]) if match[1] in COMMANDS else None
        known = {name for parameter in command.params for name in parameter.opts} if command else set()
        if command is None or not {*re.findall(r"--[a-z-]+", match[2])} <= known:
            wrong.append((place, match[0]))
        if match[1] == "docs" and (topic := match[2].strip()) not in ("", "TOPIC"):
            page = "systemd/README.md" if topic == "systemd" else f"docs/{topic}.md"
            assert (_ROOT / page).is_file(), place
    assert wrong == []
