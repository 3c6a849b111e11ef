"""What `check` reports on an agent in its own tool is what a conversion of all agents to all these tools reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agentsync.cli.check import run_checks
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic

HOOKS = "hooks:\n  Stop:\n    - hooks:\n        - type: command\n          command: date\n"


def _agent(name: str, keys: str = "", text: str = "Help.") -> str:
    return f"---\nname: {name}\ndescription: Helps.\n{keys}---\n{text}\n"


def _plugin(name: str) -> dict[str, str]:
    text = f"Help with {name}."
    return {f"plugins/{name}/agents/{one}.md": _agent(one, text=text) for one in ("tester", "lead")}


SCATTERED = {
    # Refused for their own tool alone, so other tools decide whether the source is held.
    **{f"team/p{number}.md": _agent(f"p{number}", f"model: sonnet\n{HOOKS}") for number in range(10)},
    ".opencode/agents/other.md": _agent("other", "mode: subagent\n"),
}
RENAMED = {
    **_plugin("one"),
    **_plugin("two"),
    # Written with the other name, it is not written as its own bytes, which is reported.
    ".opencode/agents/caller.md": _agent(
        "caller", "mode: subagent\ncolor: '#ffffff'\npermission_x: 3\npermission:\n  task:\n    one:tester: deny\n"
    ),
    "plugins/one/agents/chief.md": _agent("chief", "tools: Agent(tester), Read\n"),
}


@pytest.mark.parametrize("files", [SCATTERED, RENAMED], ids=["scattered", "renamed"])
def test_check_for_each_agents_own_tool_reports_what_the_whole_conversion_does(
    files: Mapping[str, str], tmp_path: Path
) -> None:
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    alone = run_checks(tmp_path, ())

    own = {(path, dialect) for _, dialect, path in alone.agents}
    whole = run_checks(tmp_path, {dialect for _, dialect in own})
    reported = [replace(one, target="") for one in whole.diagnostics if _concerns(one, own)]
    assert {*alone.diagnostics} == {*reported}
    assert alone.agents == whole.agents
    assert {Code.HELD_SCATTERED, Code.PLUGIN_NAMES} & {one.code for one in alone.diagnostics}


def _concerns(diagnostic: Diagnostic, own: set[tuple[str, str]]) -> bool:
    return not diagnostic.target or (diagnostic.path, diagnostic.target) in own
