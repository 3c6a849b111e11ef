"""Values of Claude Code's plain keys that golden files do not show, and files that it would not load."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import TOOLS, Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import ReadAgent
from support.conversion import read
from support.grants import CHANGES

OTHERS = TOOLS & {*CHANGES, "bash", "webfetch", "websearch", "task"}


def _read(keys: str, dialect: str = "claude") -> ReadAgent:
    return read("x.md", f"---\n{keys}\ndescription: Reviews changes.\n---\nLook with care.\n".encode(), dialect)


@pytest.mark.parametrize("keys", ['name: "a:b"', "name: a\nwhen: b --- c"])
def test_a_file_that_claude_code_would_not_load_is_rewritten(keys: str) -> None:
    assert _read("name: a").passes_through
    assert not _read(keys).passes_through


@pytest.mark.parametrize(("key", "value"), [("effort", "tiny"), ("memory", "team"), ("isolation", "boat")])
def test_a_word_that_claude_code_does_not_know_is_dropped(key: str, value: str) -> None:
    assert getattr(_read(f"name: a\n{key}: {value}").agent, key) is None


def test_a_model_of_a_gateway_belongs_to_no_vendor() -> None:
    assert _read("name: a\nmodel: openai/gpt-5").agent.model == "unknown/openai/gpt-5"


def test_the_servers_of_another_tool_are_not_written() -> None:
    agent = _read("name: checker\nmcpServers: {gh: {command: gh}}", "qwen")
    assert b"mcpServers" not in (render(agent, dialects()["claude"], WriteOptions()).data or b"mcpServers")


# Hooks of each kind with which Claude Code 2.1.332 loads an agent, and with which the agent disappears (all seen).
LOADED_HOOKS = [
    "",
    "{}",
    "false",
    "{PreToolUse: [{matcher: Bash, hooks: [{type: command, command: x}]}]}",
    "{PreToolUse: [{hooks: []}]}",
    "{PreToolUse: , Stop: []}",
    "{PreToolUse: [{matcher: Bash, extra: 1, hooks: [{type: command, command: x, extra: 2}]}]}",
    "{Invented: 5}",
    "{Stop: [{hooks: [{type: http, url: 'http://127.0.0.1/x'}, {type: mcp_tool, server: x, tool: y}]}]}",
    "{Stop: [{hooks: [{type: prompt, prompt: x}, {type: agent, prompt: x}]}]}",
]
# With the tools that other tools' agents are refused, since such a hook may guard them.
REFUSED_HOOKS = [
    ("[]", set[str]()),
    ("[guard, log]", OTHERS),
    ("guard", OTHERS),
    ("[{matcher: Bash, hooks: [{type: command, command: x}]}]", {"bash"}),
    ("{PreToolUse: [{matcher: Bash}]}", {"bash"}),
    ("{PreToolUse: [{matcher: Bash, command: x}]}", {"bash"}),
    ("{PreToolUse: {matcher: Bash, hooks: []}}", {"bash"}),
    ("{PreToolUse: guard}", OTHERS),
    ("{PreToolUse: [{matcher: [Bash], hooks: []}]}", {"bash"}),
    ("{PreToolUse: [{matcher: , hooks: []}]}", OTHERS),
    ("{Stop: [{hooks: [x]}]}", set()),
    ("{Stop: [{hooks: [{command: x}]}]}", set()),
    ("{Stop: [{hooks: [{type: shell, command: x}]}]}", set()),
    ("{Stop: [{hooks: [{type: command}]}]}", set()),
    ("{Stop: [{hooks: [{type: command, command: 5}]}]}", set()),
    ("{Stop: [{hooks: [{type: command, command: x, timeout: 0}]}]}", set()),
    ("{Stop: [{hooks: [{type: command, command: x, once: 5}]}]}", set()),
    ("{Stop: [{hooks: [{type: http, url: here}]}]}", set()),
]


@pytest.mark.parametrize("hooks", LOADED_HOOKS)
def test_hooks_that_claude_code_loads_are_written(hooks: str) -> None:
    agent = _read(f"name: a\nhooks: {hooks}")
    assert render(agent, agent.dialect, WriteOptions()).data == agent.document.data


@pytest.mark.parametrize(("hooks", "guarded"), REFUSED_HOOKS)
def test_hooks_that_claude_code_does_not_load_cost_the_agent_there_and_nowhere_else(
    hooks: str, guarded: set[str]
) -> None:
    agent = _read(f"name: a\nhooks: {hooks}")
    file = render(agent, agent.dialect, WriteOptions())
    assert (file.data, [diagnostic.code for diagnostic in file.diagnostics]) == (None, [Code.NOT_LOADED])
    assert render(agent, dialects()["opencode"], WriteOptions()).data is not None
    grants = agent.agent.grants
    assert {tool for tool in TOOLS if Approval.DENY in grants.approvals(tool)} == guarded


def test_such_hooks_are_not_written_from_settings_for_claude_code_either() -> None:
    agent = _read("name: a\ntargets: {claude: {hooks: [guard]}}", "neutral")
    file = render(agent, dialects()["claude"], WriteOptions())
    assert (file.data, [diagnostic.code for diagnostic in file.diagnostics]) == (None, [Code.NOT_LOADED])
