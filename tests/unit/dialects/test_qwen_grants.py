"""Every mode and hook of Qwen Code: as intended, and as enforced at most."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import CHANGING, TOOLS, Approval, Grants
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import ReadAgent
from support.conversion import read
from support.grants import available

DENY, ASK, SESSION, ALLOW = Approval
QWEN = dialects()["qwen"]


def qwen(keys: str) -> ReadAgent:
    data = f"---\nname: checker\ndescription: Checks changes.\n{keys}\n---\nLook at the change with care.\n"
    return read("checker.md", data.encode(), "qwen")


def levels(grants: Grants) -> list[Approval]:
    return [grants.approval(tool) for tool in ("edit", "bash", "webfetch", "websearch", "task", "read")]


@pytest.mark.parametrize(
    ("keys", "least", "most"),
    [
        ("approvalMode: default", [ASK, ASK, ASK, ASK, ASK, SESSION], [SESSION] * 6),
        ("approvalMode: bubble", [ASK, ASK, ASK, ASK, ASK, SESSION], [SESSION] * 6),
        ("approvalMode: plan", [DENY, DENY, SESSION, SESSION, SESSION, SESSION], [SESSION] * 6),
        ("approvalMode: auto", [SESSION] * 6, [SESSION] * 6),
        (
            "approvalMode: auto-edit",
            [ALLOW, SESSION, SESSION, SESSION, SESSION, SESSION],
            [ALLOW, SESSION, ALLOW, ALLOW, SESSION, SESSION],
        ),
        ("approvalMode: yolo", [ALLOW] * 6, [ALLOW] * 6),
        ("permissionMode: default", [ASK, ASK, ASK, ASK, ASK, SESSION], [SESSION] * 6),
        ("permissionMode: plan", [DENY, DENY, SESSION, SESSION, SESSION, SESSION], [SESSION] * 6),
        ("permissionMode: dontAsk", [DENY, DENY, DENY, DENY, DENY, SESSION], [SESSION] * 6),
        (
            "permissionMode: acceptEdits",
            [ALLOW, SESSION, SESSION, SESSION, SESSION, SESSION],
            [ALLOW, SESSION, ALLOW, ALLOW, SESSION, SESSION],
        ),
        ("permissionMode: auto", [SESSION] * 6, [ALLOW, SESSION, ALLOW, ALLOW, SESSION, SESSION]),
        ("permissionMode: bypassPermissions", [ALLOW] * 6, [ALLOW] * 6),
        ("permissionMode: odd", [ASK, ASK, ASK, ASK, ASK, SESSION], [SESSION] * 6),
        ("approvalMode: plan\npermissionMode: bypassPermissions", [DENY, DENY, *[SESSION] * 4], [SESSION] * 6),
        ("approvalMode: plan\npermissionMode: acceptEdits", [DENY, DENY, *[SESSION] * 4], [SESSION] * 6),
        ("approvalMode: yolo\npermissionMode: plan", [DENY, DENY, *[SESSION] * 4], [ALLOW] * 6),
        (
            "approvalMode: auto-edit\npermissionMode: plan",
            [DENY, DENY, *[SESSION] * 4],
            [ALLOW, SESSION, ALLOW, ALLOW, SESSION, SESSION],
        ),
        ("approvalMode: plan\npermissionMode: default", [DENY, DENY, ASK, ASK, ASK, SESSION], [SESSION] * 6),
        ("approvalMode: default\npermissionMode: plan", [DENY, DENY, ASK, ASK, ASK, SESSION], [SESSION] * 6),
        ("approvalMode: default\npermissionMode: dontAsk", [*[DENY] * 5, SESSION], [SESSION] * 6),
        ("approvalMode: plan\npermissionMode: dontAsk", [*[DENY] * 5, SESSION], [SESSION] * 6),
        ("approvalMode: default\npermissionMode: acceptEdits", [*[ASK] * 5, SESSION], [SESSION] * 6),
        ("approvalMode: default\npermissionMode: bypassPermissions", [*[ASK] * 5, SESSION], [SESSION] * 6),
        (
            "approvalMode: auto-edit\npermissionMode: default",
            [*[ASK] * 5, SESSION],
            [ALLOW, SESSION, ALLOW, ALLOW, SESSION, SESSION],
        ),
        ("approvalMode: yolo\npermissionMode: bypassPermissions", [SESSION] * 6, [ALLOW] * 6),
    ],
)
def test_a_mode(keys: str, least: list[Approval], most: list[Approval]) -> None:
    agent = qwen(keys)
    assert (levels(agent.agent.grants), levels(QWEN.enforced(agent.document))) == (least, most)


@pytest.mark.parametrize("mode", ["plan", "default", "auto-edit", "auto", "yolo", "bubble"])
@pytest.mark.parametrize("other", ["plan", "default", "acceptEdits", "auto", "bypassPermissions", "dontAsk", "odd"])
def test_no_mode_grants_a_tool_that_is_not_listed(mode: str, other: str) -> None:
    agent = qwen(f"tools: [read_file]\napprovalMode: {mode}\npermissionMode: {other}")
    for grants in (agent.agent.grants, QWEN.enforced(agent.document)):
        assert available(grants) == {"read", "external_directory"}


@pytest.mark.parametrize("matcher", ["run_.*", "Shell|Edi.", "^edit$"])
def test_a_hook_for_an_open_pattern_may_refuse_any_tool_that_changes_something(matcher: str) -> None:
    granted = qwen(f"hooks: {{PreToolUse: [{{matcher: '{matcher}', hooks: []}}]}}").agent.grants
    assert {tool for tool in TOOLS if DENY in granted.approvals(tool)} == CHANGING - {"external_directory"}


@pytest.mark.parametrize("event", ["PreToolUse", "PermissionRequest"])
@pytest.mark.parametrize("matcher", ["run_shell_command", "Shell", "Bash"])
def test_a_hook_that_may_refuse_a_tool_is_a_restriction(event: str, matcher: str) -> None:
    granted = qwen(f"hooks: {{{event}: [{{matcher: {matcher}, hooks: [{{type: command, command: x}}]}}]}}").agent.grants
    assert {tool for tool in TOOLS if DENY in granted.approvals(tool)} == {"bash"}


def test_instructions_that_qwen_code_would_read_as_keys_are_rewritten() -> None:
    data = b"---\nname: checker\ndescription: d\ntools: [read_file]\n--- \nLook with care.\n---\nAsk.\n"
    agent = read("checker.md", data, "qwen")
    assert not agent.passes_through
    assert b"\n---\nLook with care." in (render(agent, QWEN, WriteOptions()).data or b"")
