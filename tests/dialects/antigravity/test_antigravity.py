"""What goldens of Antigravity do not show: what its switches make of a list, and which files are no agents."""

from __future__ import annotations

import pytest

from agentsync.dialects import dialects
from agentsync.fitting import WriteOptions
from agentsync.permissions import Approval
from agentsync.render import render
from agentsync.source import NoAgent, read_agent
from support.conversion import read

ANTIGRAVITY = dialects()["antigravity"]
_ALONE = "excludeDefaultComponents: true\ninheritCustomizations: false"


def _enforced(keys: str, tool: str) -> Approval:
    text = f"---\nname: a\ndescription: Reviews.\n{keys}\n---\nGo.\n"
    return max(ANTIGRAVITY.enforced(ANTIGRAVITY.parse(text.encode(), "a.md")).approvals(tool))


@pytest.mark.parametrize("keys", ["", "tools: [view_file]", "tools: []", "tools: [view_file]\ninheritMcp: false"])
def test_a_list_alone_takes_nothing_away(keys: str) -> None:
    assert _enforced(keys, "write") is Approval.SESSION


@pytest.mark.parametrize("keys", ["tools: [view_file]", "tools: []", "tools: [Nope]", ""])
def test_a_list_without_the_built_in_tools_is_complete(keys: str) -> None:
    assert _enforced(f"{keys}\n{_ALONE}", "write") is Approval.DENY
    assert _enforced(f"{keys}\n{_ALONE}", "mcp/github/search") is Approval.DENY


@pytest.mark.parametrize(
    "keys",
    [
        "excludeDefaultComponents: true",
        "excludeDefaultComponents: true\ninheritMcp: false",
        f"{_ALONE}\ninheritMcp: true",
        f"{_ALONE}\nmcpServers: [{{name: github}}]",
    ],
)
def test_servers_come_with_the_session_unless_it_is_shut_out(keys: str) -> None:
    assert _enforced(f"tools: [view_file]\n{keys}", "mcp/github/search") is Approval.SESSION


@pytest.mark.parametrize(
    ("policy", "level"),
    [("off", Approval.ASK), ("sandbox", Approval.ALLOW), ("auto", Approval.ALLOW), ("eager", Approval.ALLOW)],
)
def test_a_policy_decides_what_a_command_needs(policy: str, level: Approval) -> None:
    assert _enforced(f"commandExecutionPolicy: {policy}", "bash") is level
    assert _enforced(f"tools: [run_command]\n{_ALONE}\ncommandExecutionPolicy: {policy}", "bash") is level
    assert _enforced(f"tools: [view_file]\n{_ALONE}\ncommandExecutionPolicy: {policy}", "bash") is Approval.DENY


def test_no_policy_may_run_commands_unasked() -> None:
    assert _enforced("", "bash") is Approval.ALLOW


@pytest.mark.parametrize(("approval", "policy"), [("ask", b'"off"'), ("allow", b"eager")])
def test_a_command_is_asked_for_unless_the_target_says_otherwise(approval: str, policy: bytes) -> None:
    source = read("a.md", b"---\nname: a\ndescription: Runs.\ntools: Bash\n---\nGo.\n", "claude")
    options = WriteOptions(approval="allow") if approval == "allow" else WriteOptions()
    written = render(source, ANTIGRAVITY, options).data
    assert written is not None
    assert b"commandExecutionPolicy: " + policy in written


@pytest.mark.parametrize("keys", ["tools: view_file", "tools: {view_file: true}", "tools: 3"])
def test_a_list_of_another_type_is_no_agent(keys: str) -> None:
    text = f"---\nname: a\ndescription: Reviews.\n{keys}\n---\nGo.\n"
    assert isinstance(read_agent("a.md", text.encode(), "antigravity"), NoAgent)
