"""Values of a tool's own keys that the tool itself ignores: they restrict as their author intended."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import READING, Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.dialects import dialects
from support.conversion import read
from support.grants import available, intended, opencode, vibe

DENY, ASK, SESSION, ALLOW = Approval
READS = READING | {"external_directory"}


@pytest.mark.parametrize("sign", ["[ab]", "{a,b}", "?"])
def test_a_character_that_may_be_special_in_kiro_is_neither_written_nor_read_literally(sign: str) -> None:
    rule = f"{{capability: shell, effect: allow, match: ['git {sign}']}}"
    assert intended("kiro", f"tools: ['*']\npermissions: {{rules: [{rule}]}}").approval("bash", "git a") is SESSION
    rule = f"{{capability: shell, effect: deny, match: ['git {sign}']}}"
    assert intended("kiro", f"tools: ['*']\npermissions: {{rules: [{rule}]}}").approval("bash", "git a") is DENY
    agent = opencode(f"permission: {{bash: {{'*': ask, 'git {sign}': allow, 'git push': deny}}}}")
    file = render(agent, dialects()["kiro"], WriteOptions())
    assert b"git" not in (file.data or b"")


@pytest.mark.parametrize(
    "rule",
    [
        "{capability: write, effect: deny}",
        "{capability: Shell, effect: deny}",
        "{capability: [shell, fs_write], effect: deny}",
        "{capability: shell, effect: allow, matches: ['git *']}",
        "{capability: shell, effect: allow, match: {command: 'git *'}}",
        "{capability: shell, effect: allow, match: []}",
        "{capability: shell, effect: deny}, {capability: odd, effect: deny}",
        "3",
        "{capability: shell, effect: allow, match: ['git *'], excludes: ['git push *']}",
        "{capability: shell, effect: allow, match: ['git *'], exclude: {command: 'git push *'}}",
    ],
)
def test_an_unclear_kiro_rule_leaves_reading_only(rule: str) -> None:
    assert available(intended("kiro", f"tools: ['*']\npermissions: {{rules: [{rule}]}}")) <= READS


@pytest.mark.parametrize("table", ["enabled = false", "disabled = true", 'permission = "never"'])
@pytest.mark.parametrize("name", ["bash", "Bash", "shell"])
def test_a_tool_switched_off_in_a_vibe_table_is_denied(table: str, name: str) -> None:
    assert "bash" not in available(vibe(f"[tools.{name}]\n{table}"))


def test_a_vibe_table_may_be_for_a_server_tool() -> None:
    assert vibe('[tools.github_create]\npermission = "never"').approval("mcp/github_create") is DENY
    assert vibe('[tools.github_create]\npermission = "ask"').approval("mcp/github_create") is ASK
    assert vibe('[tools.github_create]\npermission = "always"').approval("mcp/github_create") is SESSION
    denied = 'disabled_tools = ["github_*"]\n[tools.github_create]\npermission = "ask"'
    assert vibe(denied).approval("mcp/github_create") is DENY
    assert "bash" not in available(vibe('disabled_tools = ["shell"]'))
    assert "bash" not in available(vibe('base_disabled = ["shell"]'))
    assert not available(vibe('disabled_tools = ["Write/Edit"]')) & {"write", "edit"}
    assert "bash" in available(vibe('disabled_tools = ["github_*"]'))


@pytest.mark.parametrize(
    ("keys", "level"),
    [
        ("", SESSION),
        ('disabled_tools = ["skill"]', DENY),
        ('enabled_tools = ["read_file"]', DENY),
        ('[tools.skill]\npermission = "never"', DENY),
        ('[tools.skill]\npermission = "ask"', ASK),
        ('[tools.skill]\ndenylist = ["x"]', DENY),
    ],
)
def test_a_vibe_list_of_skills_grants_none_without_the_skill_tool(keys: str, level: Approval) -> None:
    granted = vibe(f'enabled_skills = ["x"]\n{keys}')
    assert (granted.approval("skill", "x"), granted.approval("skill", "y")) == (level, DENY)


def test_a_vibe_table_grants_no_server_tool_to_a_subagent() -> None:
    data = (
        b'description = "d"\nagent_type = "subagent"\ninstructions = "p"\n[tools.github_create]\npermission = "ask"\n'
    )
    assert read("x.toml", data, "vibe").agent.grants.approval("mcp/github_create") is DENY


@pytest.mark.parametrize("tables", [("bash", "Bash"), ("Bash", "bash"), ("BASH", "Bash")])
@pytest.mark.parametrize("levels", [("never", "always"), ("ask", "never"), ("always", "never")])
def test_the_narrower_of_two_vibe_tables_for_one_tool_counts(tables: tuple[str, str], levels: tuple[str, str]) -> None:
    keys = [f'[tools.{name}]\npermission = "{level}"' for name, level in zip(tables, levels, strict=True)]
    assert "bash" not in available(vibe("\n".join(keys)))


@pytest.mark.parametrize("name", ["bash", "Bash", "shell", "run_command"])
def test_a_partial_denial_in_a_vibe_table_counts_under_any_name(name: str) -> None:
    assert vibe(f'[tools.{name}]\ndenylist = ["rm"]').approvals("bash") == {SESSION, DENY}
    assert "bash" not in available(vibe(f'[tools.{name}]\nenabled = "no"'))


@pytest.mark.parametrize("off", ["false", "'false'", "no", "off", "0"])
def test_an_antigravity_switch_is_off_in_any_spelling(off: str) -> None:
    for key in ("inheritMcp", "inheritCustomizations"):
        assert intended("antigravity", f"{key}: {off}").approval("mcp/gh/x") is DENY
        assert intended("antigravity", f"{key}: true").approval("mcp/gh/x") is SESSION
        assert intended("antigravity", f"{key}: null").approval("mcp/gh/x") is SESSION


@pytest.mark.parametrize("policy", ["deny", "never", "none", "plan"])
def test_an_unknown_command_policy_may_deny_commands(policy: str) -> None:
    assert "bash" not in available(intended("antigravity", f"commandExecutionPolicy: {policy}"))


@pytest.mark.parametrize("on", ["true", "'true'", "yes", "1"])
def test_skills_are_disabled_in_any_spelling(on: str) -> None:
    assert "skill" not in available(intended("auggie", f"disable_skills: {on}"))
    assert "skill" in available(intended("auggie", "disable_skills: no"))


@pytest.mark.parametrize(
    ("keys", "denied"),
    [
        ("inheritCustomizations: false", {"skill", "task"}),
        ("inheritCustomizations: 'no'", {"skill", "task"}),
        ("inheritCustomizations: true\ninheritMcp: false", set()),
    ],
)
def test_tools_that_antigravity_does_not_inherit_are_denied(keys: str, denied: set[str]) -> None:
    granted = intended("antigravity", keys)
    assert {"skill", "task"} - available(granted) == denied
    assert granted.approval("mcp/gh/x") is DENY
    assert "task" in available(intended("antigravity", f"{keys}\ntools: [invoke_subagent]"))
