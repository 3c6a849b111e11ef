"""Limits of MCP servers: lists, switches and exceptions beside a server's definition."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from agentsync.agents.grants import Approval, Grants, Rule
from agentsync.dialects._kit.mcp_limits import limited
from support.grants import available, codex, intended, vibe

DENY, ASK, SESSION, ALLOW = Approval


SERVERS = [
    ("claude", "mcpServers: {gh: {command: x, LIMIT}}"),
    ("claude", "tools: Read, mcp__gh\nmcpServers: [{gh: {command: x, LIMIT}}]"),
    ("qwen", "mcpServers: {gh: {command: x, LIMIT}}"),
    ("kiro", "tools: ['*']\nmcpServers: {gh: {command: x, LIMIT}}"),
    ("kiro", "tools: ['@gh', read]\nmcpServers: {gh: {command: x, LIMIT}}"),
    ("copilot", "tools: ['gh/*']\nmcp-servers: {gh: {type: local, command: x, LIMIT}}"),
    ("gemini", "tools: [read_file]\nmcp_servers: {gh: {command: x, LIMIT}}"),
]


@pytest.mark.parametrize(("dialect", "keys"), SERVERS)
@pytest.mark.parametrize(
    ("declared", "search", "delete"),
    [
        ("disabledTools: [delete]", SESSION, DENY),
        ("exclude_tools: [delete(x)]", SESSION, DENY),
        ("includeTools: [search]", SESSION, DENY),
        ("tools: [search]", SESSION, DENY),
        ("tools: []", DENY, DENY),
        ("tools: ['*']", SESSION, SESSION),
        ("enabled: false", DENY, DENY),
        ("disabled: true", DENY, DENY),
    ],
)
def test_limits_of_a_server_hold_for_other_tools_too(
    dialect: str, keys: str, declared: str, search: Approval, delete: Approval
) -> None:
    granted = intended(dialect, keys.replace("LIMIT", declared))
    assert (granted.approval("mcp/gh/search"), granted.approval("mcp/gh/delete")) == (search, delete)


def test_a_servers_list_of_tools_grants_none_that_the_agent_lacks() -> None:
    granted = intended("kiro", "tools: [read]\nmcpServers: {gh: {command: x, includeTools: [search]}}")
    assert granted.approval("mcp/gh/search") is DENY
    granted = intended("copilot", "tools: [gh/search]\nmcp-servers: {gh: {type: local, command: x, tools: [delete]}}")
    assert (granted.approval("mcp/gh/search"), granted.approval("mcp/gh/delete")) == (DENY, DENY)


def test_servers_of_codex_and_vibe_are_limited_too() -> None:
    table = '[mcp_servers.gh]\ncommand = "x"\nenabled_tools = ["search"]'
    granted = codex(table).agent.grants
    assert (granted.approval("mcp/gh/search"), granted.approval("mcp/gh/delete")) == (SESSION, DENY)
    granted = vibe('[[mcp_servers]]\nname = "gh"\ncommand = "x"\ndisabled_tools = ["delete"]')
    assert granted.approval("mcp/gh/delete") is DENY


def test_a_listed_junie_server_grants_no_denied_tool() -> None:
    granted = intended("junie", "mcpServers: [gh]\ndisallowedTools: [mcp__gh__delete]")
    assert (granted.approval("mcp/gh/search"), granted.approval("mcp/gh/delete")) == (SESSION, DENY)
    granted = intended("junie", "tools: [Read, '!mcp__gh__delete']\nmcpServers: [gh]")
    assert granted.approval("mcp/gh/delete") is DENY


def test_a_junie_list_of_servers_may_have_exceptions() -> None:
    granted = intended("junie", "mcpServers: ['*', '!gh']")
    assert (granted.approval("mcp/gh/x"), granted.approval("mcp/other/x")) == (DENY, SESSION)


def test_a_listed_junie_server_grants_nothing_where_everything_is_denied() -> None:
    assert intended("junie", "mcpServers: [gh]\ndisallowedTools: ['*']").approval("mcp/gh/x") is DENY


def test_a_servers_list_does_not_widen_a_tool_that_was_granted_in_part() -> None:
    rules = [Rule("mcp/gh/x", SESSION), Rule("mcp/gh/x", DENY, "secret*")]
    remaining = Grants(tuple(limited({"gh": {"tools": ["x"]}}, rules)))
    assert remaining.approvals("mcp/gh/x") == {DENY}


@pytest.mark.parametrize(
    ("key", "granted", "denied"),
    [
        *(
            (key, "y", "x")
            for key in ("disabledTools", "excludeTools", "excludedTools", "disallowedTools", "denied_tools")
        ),
        *((key, "x", "y") for key in ("enabledTools", "includeTools", "allowed_tools", "tools")),
    ],
)
@pytest.mark.parametrize("pattern", ["mcp/gh/*", "mcp/g?/*", "mcp/*"])
def test_each_key_beside_a_server_limits_it_however_it_was_granted(
    key: str, granted: str, denied: str, pattern: str
) -> None:
    remaining = Grants(tuple(limited({"gh": {key: ["x"]}}, [Rule(pattern, SESSION)])))
    assert remaining.approvals(f"mcp/gh/{granted}") == {SESSION}
    assert remaining.approvals(f"mcp/gh/{denied}") == {DENY}


@pytest.mark.parametrize("pattern", ["mcp/g?/x", "mcp/?h/x", "*h/x"])
def test_a_servers_limits_hold_for_grants_by_pattern(pattern: str) -> None:
    remaining = Grants(tuple(limited({"gh": {"tools": ["y"]}}, [Rule(pattern, SESSION)])))
    assert remaining.approvals("mcp/gh/x") == {DENY}
    assert remaining.approvals("mcp/eh/x") == Grants((Rule(pattern, SESSION),)).approvals("mcp/eh/x")


def test_a_pattern_in_a_servers_list_grants_nothing() -> None:
    rules = [Rule("read", SESSION), Rule("mcp/*", SESSION), Rule("mcp/gh/secret", DENY), Rule("mcp/g/x", DENY)]
    given: list[JsonValue] = [{"gh": {"tools": ["se*"]}}, {"gh": {"tools": ["secre?"]}}, {"g*": {"tools": ["x"]}}]
    for servers in given:
        remaining = Grants(tuple(limited(servers, rules)))
        assert remaining.approvals("mcp/g/x") == {DENY}
        assert remaining.approvals("mcp/gh/secret") == {DENY}
        assert remaining.approvals("read") == {SESSION}


def test_a_servers_list_may_be_one_name_beside_an_entry_that_is_not_a_server() -> None:
    servers: JsonValue = {"name": "mine", "gh": {"tools": "search"}}
    remaining = Grants(tuple(limited(servers, [Rule("mcp/*", SESSION)])))
    assert remaining.approvals("mcp/gh/search") == {SESSION}
    assert remaining.approvals("mcp/gh/delete") == {DENY}


@pytest.mark.parametrize(
    "declared",
    [
        *("tools: {search: true, delete: false}", "tools: {delete: 'no'}", "tools: ['*', '!delete']"),
        *("excludeTools: {delete: true}", "excludeTools: [[delete]]"),
        *("excludeTools: [mcp__gh__delete]", "excludeTools: [gh/delete]", "excludeTools: ['@gh/delete']"),
        *("blocked_tools: [delete]", "denyTools: delete", "deny: [delete]", "disable-tools: [delete]"),
    ],
)
def test_a_server_tool_is_denied_in_whatever_form_its_denial_is_written(declared: str) -> None:
    granted = intended("claude", f"mcpServers: {{gh: {{command: x, {declared}}}}}")
    assert (granted.approval("mcp/gh/delete"), granted.approval("mcp/gh/search")) == (DENY, SESSION)


@pytest.mark.parametrize(
    ("declared", "level"),
    [
        *((switch, DENY) for switch in ("enabled: 'false'", "enabled: no", "Enabled: false", "disabled: 'yes'")),
        *((switch, SESSION) for switch in ("enabled: 'true'", "disabled: no", "enabled: null", "disabled: null")),
        *((nothing, SESSION) for nothing in ("tools: null", "tools: {search: {timeout: 3}}", "tools: {search: null}")),
    ],
)
def test_a_server_is_switched_off_in_any_spelling(declared: str, level: Approval) -> None:
    assert intended("claude", f"mcpServers: {{gh: {{command: x, {declared}}}}}").approval("mcp/gh/search") is level


def test_a_server_may_be_off_by_its_name_alone() -> None:
    granted = intended("claude", "mcpServers: {gh: false, git: true}")
    assert (granted.approval("mcp/gh/x"), granted.approval("mcp/git/x")) == (DENY, SESSION)


@pytest.mark.parametrize(
    "servers", ["other", "[]", "none", "{other: {command: x}}", "{gh: {disabled: true}}", "['!gh']"]
)
def test_junie_servers_that_are_not_a_list_count(servers: str) -> None:
    granted = intended("junie", f"mcpServers: {servers}")
    assert granted.approval("mcp/gh/search") is DENY
    assert "bash" in available(granted)
