"""What golden files of Antigravity do not show: how its switches affect a list, and files that are refused."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.policy import DEFAULT
from agentsync.convert.policy_check import judge_output
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
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


def test_a_command_is_asked_for_unless_the_target_is_configured_otherwise() -> None:
    source = read("a.md", b"---\nname: a\ndescription: Runs.\ntools: Bash\n---\nGo.\n", "claude")
    asked, free = (render(source, ANTIGRAVITY, WriteOptions(approval=word)).data or b"" for word in ("ask", "allow"))
    assert b'commandExecutionPolicy: "off"' in asked
    assert b"commandExecutionPolicy" not in free


def test_commands_allowed_by_the_author_are_left_to_the_session() -> None:
    """The policy refuses `eager`, so an agent with it would not be written."""
    source = read("a.md", b"---\ndescription: Runs.\npermission:\n  bash: allow\n---\nGo.\n", "opencode")
    file = render(source, ANTIGRAVITY, WriteOptions())
    assert file.document is not None
    assert "commandExecutionPolicy" not in file.document.metadata
    assert Code.APPROVAL_NARROWED in {diagnostic.code for diagnostic in file.diagnostics}
    assert judge_output(ANTIGRAVITY, file.document, "a", DEFAULT.of_source("", "").rules("a")) == ()


@pytest.mark.parametrize("keys", ["tools: view_file", "tools: {view_file: true}", "tools: 3"])
def test_a_list_of_another_type_is_refused(keys: str) -> None:
    text = f"---\nname: a\ndescription: Reviews.\n{keys}\n---\nGo.\n"
    assert isinstance(read_agent("a.md", text.encode(), "antigravity"), NoAgent)
