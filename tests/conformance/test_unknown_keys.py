"""A key that a tool does not know changes nothing about an agent, or costs the file: docs/permissions.md says which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentsync.dialects import dialects
from conformance.oracle import TOOLS, Oracle

_CLOSED = sorted(tool for tool in TOOLS if not dialects()[tool].undeclared)
# Names that would widen an agent if a tool read them.
_UNKNOWN = "allowEverything: true\nautoRun: ['*']\nstartupCommand: touch /tmp/x\nextraServers: {db: {command: db}}\n"
_NAMES = ("allowEverything", "autoRun", "startupCommand", "extraServers")


@pytest.mark.parametrize("tool", _CLOSED)
def test_a_key_that_the_tool_does_not_know_is_inert_or_refused(
    tool: str, ask: Callable[[str], Oracle], tmp_path: Path
) -> None:
    dialect = dialects()[tool]
    facts = []
    for name, keys in (("plain", ""), ("unknown", _UNKNOWN)):
        directory = tmp_path / name / dialect.project_directories[0]
        directory.mkdir(parents=True)
        head = f"name: tried\ndescription: Tries keys\n{keys}"
        (directory / f"tried{dialect.suffix}").write_text(f"---\n{head}---\nYou try keys.\n", encoding="utf-8")
        (verdict,) = ask(tool).judge(tmp_path / name)
        facts.append(verdict)
    plain, unknown = facts
    assert plain.loaded
    assert unknown.loaded is not dialect.strict
    if unknown.loaded and unknown.facts.startswith("{"):
        passed_on = {"options", *_NAMES}  # OpenCode and Kilo Code keep them, for the model's provider
        read, wanted = (
            {key: value for key, value in verdict.resolved.items() if key not in passed_on} for verdict in facts
        )
        assert read == wanted
