"""Permission modes in unusual spellings, places and numbers."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import READING, TOOLS, Approval
from support.grants import available, claude, intended

DENY, ASK, SESSION, ALLOW = Approval
READS = READING | {"external_directory"}


def test_the_most_restrictive_of_several_modes_counts() -> None:
    assert "bash" not in available(claude("permissionMode: [default, plan]").agent.grants)
    assert "bash" not in available(claude("permissionMode: [plan, acceptEdits]").agent.grants)
    assert claude("permissionMode: []").agent.grants.approval("bash") is ASK
    assert "bash" not in available(intended("qwen", "permissionMode: [default, plan]"))
    assert "bash" not in available(intended("qwen", "permissionMode: [plan]"))


@pytest.mark.parametrize("dialect", ["claude", "cursor", "factory", "junie", "qwen"])
def test_a_restricting_mode_counts_where_the_tool_has_no_such_key(dialect: str) -> None:
    everything = available(intended(dialect, "color: red"))
    for mode, granted in (("plan", READS), ("Read-Only", READS), ("subagent", TOOLS), ("[plan]", TOOLS), ("", TOOLS)):
        assert available(intended(dialect, f"mode: {mode}")) == everything & granted
    assert available(intended(dialect, "phase: plan")) == everything


@pytest.mark.parametrize(
    ("mode", "shell", "task"),
    [("readOnly", DENY, DENY), ("read-only", DENY, DENY), ("'plan '", DENY, SESSION), ("plan mode", DENY, SESSION)],
)
def test_a_mode_restricts_as_its_name_suggests(mode: str, shell: Approval, task: Approval) -> None:
    granted = claude(f"permissionMode: {mode}").agent.grants
    assert (granted.approval("bash"), granted.approval("task")) == (shell, task)


def test_a_permissive_qwen_mode_does_not_count_beside_another_mode() -> None:
    for freeing in ("auto-edit", "yolo"):
        assert intended("qwen", f"approvalMode: {freeing}\npermissionMode: auto").approval("edit") is SESSION
    for freeing in ("acceptEdits", "bypassPermissions"):
        assert intended("qwen", f"approvalMode: auto\npermissionMode: {freeing}").approval("edit") is SESSION


def test_an_unknown_qwen_mode_restricts_as_its_name_suggests() -> None:
    assert available(intended("qwen", "permissionMode: read-only")) <= READS
    assert intended("qwen", "permissionMode: careful").approval("bash") is ASK
