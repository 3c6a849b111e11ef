"""What golden files of Gemini CLI do not show: files that it refuses, and what its names of servers can express."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read

GEMINI = dialects()["gemini"]


def _file(keys: str, prompt: str = "You review.") -> bytes:
    return f"---\nname: reviewer\ndescription: Reviews changes.\n{keys}\n---\n{prompt}\n".encode()


def _from_claude(keys: str, prompt: str = "You review.", name: str = "reviewer") -> RenderedFile:
    """The file for Gemini CLI of a Claude Code agent with these keys."""
    data = _file(keys, prompt).replace(b"name: reviewer", f"name: {name}".encode())
    return render(read("reviewer.md", data, "claude"), GEMINI, WriteOptions())


def _tools(file: RenderedFile) -> object:
    assert file.data is not None, file.diagnostics
    return GEMINI.parse(file.data, file.path).metadata.get("tools")


@pytest.mark.parametrize(
    "keys",
    [
        "tools:",
        "tools: read_file",
        "tools: {read_file: true}",
        "tools: [read_file, Read]",
        "tools: [Bash]",
        "tools: ['run_shell_command(git status)']",
        "tools: [mcp__github__search]",
        "tools: ['mcp_my_server_*']",
        "tools: ['mcp_github_get_*']",
        "tools: [save_memory]",
        "model:",
        "mcp_servers: [ledger]",
        "max_turns: 0",
        "timeout_mins: 0.5",
        "display_name: 7",
        "kind: remote",
        "mcp_servers: {docs: {command: x}, code: true}",
    ],
)
def test_a_file_that_gemini_refuses_is_refused(keys: str) -> None:
    assert isinstance(read_agent("reviewer.md", _file(keys), "gemini"), NoAgent)


def test_a_key_that_gemini_does_not_know_costs_the_agent_there_and_nowhere_else() -> None:
    agent = read("reviewer.md", _file("color: red\nmcpServer: {}"), "gemini")
    file = render(agent, agent.dialect, WriteOptions())
    assert (file.data, [diagnostic.code for diagnostic in file.diagnostics]) == (None, [Code.NOT_LOADED])
    assert "`color`, `mcpServer` (did you mean `mcp_servers`?)" in file.diagnostics[0].message
    assert render(agent, dialects()["claude"], WriteOptions()).data is not None


def test_a_server_with_an_underscore_has_no_name_for_all_its_tools() -> None:
    file = _from_claude("tools: Read, mcp__my_server__*, mcp__my_server__search")
    assert _tools(file) == ["read_file", "mcp_my_server_search"]
    assert Code.TOOL_LOST in {diagnostic.code for diagnostic in file.diagnostics}


def test_a_tool_whose_name_would_be_cut_has_none() -> None:
    assert _tools(_from_claude(f"tools: Read, mcp__github__{'x' * 60}")) == ["read_file"]


def test_all_but_one_tool_keeps_every_server() -> None:
    tools = _tools(_from_claude("disallowedTools: Bash"))
    assert isinstance(tools, list)
    assert "run_shell_command" not in tools
    assert "mcp_*" in tools


def test_all_but_one_server_names_no_server() -> None:
    tools = _tools(_from_claude("disallowedTools: mcp__github"))
    assert isinstance(tools, list)
    assert not any(str(name).startswith("mcp_") for name in tools)


@pytest.mark.parametrize("prompt", ["Look below ${HOME}.", "Take ${1}.", "It is ${today}."])
def test_instructions_that_would_be_filled_in_are_refused(prompt: str) -> None:
    file = _from_claude("tools: Read", prompt)
    assert file.data is None
    assert Code.REFUSED_REQUIRED in {diagnostic.code for diagnostic in file.diagnostics}


@pytest.mark.parametrize("prompt", ["Look below $HOME.", "Take ${HOME:-/}.", "Say {{name}}."])
def test_instructions_that_only_look_like_a_template_are_written(prompt: str) -> None:
    assert _from_claude("tools: Read", prompt).data is not None


def test_its_own_agents_keep_their_names() -> None:
    assert _from_claude("tools: Read", name="generalist").path == "generalist-agent.md"
    assert _from_claude("tools: Read", name="codebase_investigator").path == "codebase-investigator.md"


@pytest.mark.parametrize(
    ("data", "passes"),
    [
        (_file("tools: [read_file]"), True),
        (_file("tools: [read_file]").replace(b"\n---\n", b"\n--- \n"), False),
        (_file("tools: [read_file]").replace(b"Reviews changes.", b'"One\n---two"'), False),
        (_file("tools: [read_file]").replace(b"Reviews changes.", b"2026-11-21"), False),
        (_file("temperature: '0.5'"), False),
    ],
)
def test_a_file_that_gemini_reads_differently_is_rewritten(data: bytes, *, passes: bool) -> None:
    result = read_agent("reviewer.md", data, "gemini")
    assert (not isinstance(result, NoAgent) and result.passes_through) is passes


def test_servers_of_another_tool_are_reported_and_left_out() -> None:
    file = _from_claude("tools: Read\nmcpServers:\n  - ledger: {command: x}")
    assert file.data is not None
    assert b"mcp_servers" not in file.data
    assert Code.FIELD_LOST in {diagnostic.code for diagnostic in file.diagnostics}


def test_a_trusted_server_counts_as_allowed() -> None:
    keys = "tools: []\nmcp_servers: {ledger: {command: x, trust: true}}"
    grants = GEMINI.enforced(GEMINI.parse(_file(keys), "reviewer.md"))
    assert grants.approval("mcp/ledger/post") is Approval.ALLOW
    assert grants.approval("mcp/other/post") is Approval.DENY
    assert read("reviewer.md", _file(keys), "gemini").agent.grants.approval("mcp/ledger/post") is Approval.SESSION
