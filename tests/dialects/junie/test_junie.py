"""What golden files of Junie do not show: the servers that remain, and agents that it cannot express."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from support.conversion import read

JUNIE = dialects()["junie"]


def _claude(keys: str) -> RenderedFile:
    """The file for Junie of a Claude Code agent with these keys."""
    text = f"---\nname: reviewer\ndescription: Reviews changes.\n{keys}\n---\nYou review changes.\n"
    return render(read("reviewer.md", text.encode(), "claude"), JUNIE, WriteOptions())


def _enforced(keys: str, tool: str) -> Approval:
    document = JUNIE.parse(f"---\ndescription: Reviews.\n{keys}\n---\nGo.\n".encode(), "a.md")
    return max(JUNIE.enforced(document).approvals(tool))


@pytest.mark.parametrize("keys", ["tools: []", "tools:", "tools: Read", "tools: {Read: true}", "tools: [read_file]"])
def test_a_list_that_junie_may_ignore_counts_as_absent(keys: str) -> None:
    assert _enforced(keys, "bash") is Approval.SESSION


def test_a_list_of_tools_does_not_cover_servers() -> None:
    assert _enforced("tools: [Read]", "mcp/github/search") is Approval.SESSION
    assert _enforced("tools: [Read]\nmcpServers: []", "mcp/github/search") is Approval.SESSION


def test_a_list_of_servers_hides_the_others() -> None:
    assert _enforced("mcpServers: [data]", "mcp/github/search") is Approval.DENY
    assert _enforced("mcpServers: [data]", "mcp/data/query") is Approval.SESSION


def test_a_complete_list_lets_no_server_through() -> None:
    file = _claude("tools: Read")
    assert file.data is not None
    assert b"mcpServers:\n  - agentsync-no-server\n" in file.data


def test_a_server_that_is_denied_in_part_is_left_out() -> None:
    file = _claude("tools: Read, mcp__github, mcp__data\ndisallowedTools: mcp__github__delete")
    assert file.data is not None
    assert b"mcpServers:\n  - data\n" in file.data
    assert Code.GLOB_NARROWED in {diagnostic.code for diagnostic in file.diagnostics}


def test_an_agent_without_any_tools_cannot_be_expressed() -> None:
    file = _claude("tools: []")
    assert file.data is None
    assert Code.REFUSED_WIDER in {diagnostic.code for diagnostic in file.diagnostics}


def test_a_name_must_begin_with_a_letter() -> None:
    source = read("2fa.md", b"---\nname: 2fa\ndescription: Reviews.\n---\nGo.\n", "claude")
    file = render(source, JUNIE, WriteOptions())
    assert file.path == "agent-2fa.md"
    assert Code.NAME_CHANGED in {diagnostic.code for diagnostic in file.diagnostics}


@pytest.mark.parametrize(
    ("prompt", "reported"), [("Read $path, then $focus.", True), ("It costs $5, ${HOME} and $ x.", False)]
)
def test_a_word_with_a_dollar_sign_is_reported_for_an_agent_of_another_tool(prompt: str, *, reported: bool) -> None:
    text = f"---\nname: reviewer\ndescription: Reviews changes.\n---\n{prompt}\n"
    for dialect, expected in (("claude", reported), ("junie", False)):
        file = render(read("reviewer.md", text.encode(), dialect), JUNIE, WriteOptions())
        assert file.data is not None
        messages = [diagnostic.message for diagnostic in file.diagnostics if diagnostic.code is Code.FIELD_LOST]
        assert any("`$path`" in message for message in messages) is expected
