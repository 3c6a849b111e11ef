"""Exceptions in lists, such as `!Bash`: an excepted tool is denied even where the agent's own tool ignores that."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import READING, Approval
from agentsync.core.codes import Code
from agentsync.dialects._kit.intent import excepted
from support.grants import available, claude, intended, vibe

DENY, ASK, SESSION, ALLOW = Approval


@pytest.mark.parametrize(
    ("names", "granted", "denied"),
    [
        (["*", "!Bash"], ["*"], ["Bash"]),
        (["*", "-Bash"], ["*"], ["Bash"]),
        (["Read", "-"], ["Read", "-"], []),
        (["*", "!", "Bash"], ["*"], ["Bash"]),
        (["*", "-", "Bash"], ["*"], ["Bash"]),
        (["-", "Read", "-", "Bash"], ["-", "Read", "-", "Bash"], []),
        (["*", "!"], ["*"], []),
    ],
)
def test_a_list_may_have_exceptions(names: list[str], granted: list[str], denied: list[str]) -> None:
    assert excepted(names) == (granted, denied)


@pytest.mark.parametrize(
    ("dialect", "keys"),
    [
        ("claude", "tools: '*, !Bash'"),
        ("claude", "tools: ['*', '-Bash']"),
        ("claude", "tools: '*, !Bash'\npermissionMode: default"),
        ("claude", "tools: '*, !Bash'\npermissionMode: bypassPermissions"),
        ("claude", "tools: All tools except Bash"),
        ("claude", "tools: '* (except Bash)'"),
        ("claude", "tools: '*, ! Bash'"),
        ("claude", "tools: '* - Bash'"),
        ("claude", "tools: ['*', {exclude: [Bash]}]"),
        ("claude", "tools: [Read, Bash, {Bash: false}]"),
        ("claude", "tools: ['*', ['!Bash']]"),
        ("qwen", "tools: ['*', {exclude: [Bash]}]"),
        ("qwen", "tools: [run_shell_command, {run_shell_command: false}]"),
        ("copilot", "tools: ['*', '!execute']"),
        ("copilot", "tools: ['*', '!shell/edit']"),
        ("qwen", "tools: ['*', '!run_shell_command']"),
        ("kiro", "tools: ['*', '!shell']"),
        ("cline", "tools: [bash, '!bash']"),
        ("auggie", "tools: ['!launch-process', view]"),
        ("antigravity", "tools: ['*', '!run_command']\ncommandExecutionPolicy: eager"),
        ("junie", "tools: ['*', '!Bash']\nmcpServers: [gh]"),
        ("kiro", "tools: ['*', '!shell']\nallowedTools: ['*']"),
        ("kiro", "tools: ['*', '!shell']\npermissions: {rules: [{capability: all, effect: allow}]}"),
        ("qwen", "tools: ['*', '!run_shell_command']\napprovalMode: yolo"),
    ],
)
def test_an_exception_in_a_list_is_denied(dialect: str, keys: str) -> None:
    assert "bash" not in available(intended(dialect, keys))


def test_an_exception_in_a_vibe_list_is_denied() -> None:
    assert "bash" not in available(vibe('enabled_tools = ["*", "!bash"]'))
    assert "bash" not in available(vibe('bypass_tool_permissions = true\nenabled_tools = ["*", "!bash"]'))


def test_a_map_within_a_list_of_tools_grants_nothing() -> None:
    assert available(claude("tools: ['*', {only: [Read]}]").agent.grants) == set()
    assert "bash" not in available(intended("auggie", "tools: ['*', {exclude: [terminal]}]"))


def test_an_excepted_argument_is_denied() -> None:
    granted = claude("tools: Bash(git *, ! git push)").agent.grants
    assert (granted.approval("bash", "git log"), granted.approval("bash", "git push")) == (SESSION, DENY)


@pytest.mark.parametrize(
    "tools",
    [
        *("All tools except Bash", "'* (except Bash)'", "['* except: Bash']", "['*', '(except Bash, Edit)']"),
        *("all but shell", "no Bash", "[Read, Bash, without Bash]"),
    ],
)
def test_an_exception_in_words_leaves_reading_only_and_is_reported(tools: str) -> None:
    agent = claude(f"tools: {tools}")
    assert available(agent.agent.grants) <= READING | {"external_directory"}
    assert Code.NO_EFFECT in {diagnostic.code for diagnostic in agent.diagnostics}
    assert Code.NO_EFFECT not in {diagnostic.code for diagnostic in claude("tools: '*, !Bash'").diagnostics}


def test_no_mode_gives_back_an_excepted_reading_tool() -> None:
    assert "read" not in available(intended("qwen", "tools: ['*', '!read_file']\napprovalMode: default"))
    assert "read" not in available(claude("tools: '*, !Read'\npermissionMode: default").agent.grants)


def test_arguments_of_a_tool_may_be_excepted() -> None:
    for tools in ("Bash(git *, !git push *)", "Bash(git *), Bash(!git push:*)", "Bash(!git push *), Bash(git *)"):
        for mode in ("default", "bypassPermissions", "plan"):
            granted = claude(f"tools: {tools}\npermissionMode: {mode}").agent.grants
            assert granted.approval("bash", "git push x") is DENY
        granted = claude(f"tools: {tools}").agent.grants
        assert granted.approval("bash", "git status") is SESSION
    granted = claude("tools: 'Agent(*, !deployer)'").agent.grants
    assert (granted.approval("task", "tester"), granted.approval("task", "deployer")) == (SESSION, DENY)


def test_a_cline_list_of_skills_grants_none_where_its_tools_except_them() -> None:
    assert intended("cline", "tools: [bash, '!skills']\nskills: [x]").approval("skill", "x") is DENY


def test_a_vibe_list_of_skills_may_have_exceptions() -> None:
    granted = vibe('enabled_skills = ["*", "!deploy"]')
    assert (granted.approval("skill", "pdf"), granted.approval("skill", "deploy")) == (SESSION, DENY)
