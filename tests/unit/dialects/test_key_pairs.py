"""Of two keys of one agent, neither grants what the other denies."""

from __future__ import annotations

import re
from itertools import permutations
from typing import Final

import pytest

from agentsync.agents.grants import TOOLS, Grants
from agentsync.dialects import dialects
from support.conversion import read

# By dialect: keys that deny something, and keys that may grant something.
TAKING: Final = {
    "claude": [
        *("tools: Read", "tools: '*, !Bash'", "allowed-tools: Read", "disallowedTools: Bash", "denied-tools: [Write]"),
        *("permissionMode: plan", "permission-mode: dontAsk", "readonly: true", "mode: plan"),
        *("mcpServers: {gh: {command: x, tools: [a]}}", "hooks: {PreToolUse: [{matcher: Bash}]}"),
    ],
    "qwen": [
        *("tools: [read_file]", "tools: ['*', '!read_file']", "disallowedTools: [run_shell_command]"),
        *("approvalMode: plan", "permissionMode: dontAsk", "readonly: true"),
        *("mcpServers: {gh: {command: x, includeTools: [a]}}", "hooks: {PreToolUse: [{matcher: Bash}]}"),
    ],
    "kiro": [
        *(
            "excludedTools: [shell]",
            "excludedTools: ['@gh']",
            "readonly: true",
            "hooks: {preToolUse: [{matcher: shell}]}",
        ),
        *("permissions: {rules: [{capability: shell, effect: deny}]}", "toolsSettings: {shell: {denyByDefault: true}}"),
        *("mcpServers: {gh: {command: x, disabled: true}}",),
    ],
    "auggie": ["tools: [view]", "disabled_tools: [launch-process]", "disable_skills: true", "readonly: true"],
    "junie": ["tools: [Read]", "disallowedTools: [Bash]", "disallowedTools: [mcp__gh]", "readonly: true"],
    "antigravity": ["tools: [view_file]", "tools: ['*', '!run_command']", "inheritMcp: false", "readonly: true"],
    "copilot": ["tools: [read]", "tools: ['*', '!execute']", "readonly: true"],
    "factory": ["tools: [Read]", "tools: read-only", "readonly: true"],
    "gemini": ["tools: [read_file]"],
    "opencode": ["permissions: {bash: deny}", "permissions: {write: deny}", "tools: {write: false}", "readonly: true"],
    "kilo": ["permissions: {bash: deny}", "tools: {write: false}", "readonly: true"],
    "vibe": [
        *('enabled_tools = ["read_file"]', 'enabled_tools = ["*", "!bash"]', 'disabled_tools = ["bash", "skill"]'),
        *('base_disabled = ["edit"]', 'agent_type = "subagent"', "readonly = true", 'disabled_tools = ["github_*"]'),
        *('[tools.bash]\npermission = "never"', '[[mcp_servers]]\nname = "gh"\ncommand = "x"\nenabled_tools = ["a"]'),
    ],
    "codex": [
        *('sandbox_mode = "read-only"', 'default_permissions = "mine"'),
        *(
            'web_search = "disabled"',
            "[features]\nshell_tool = false",
            '[mcp_servers.gh]\ncommand = "x"\nenabled = false',
        ),
    ],
}
GIVING: Final = {
    "claude": [
        "permissionMode: bypassPermissions",
        "permissionMode: acceptEdits",
        "permissionMode: default",
        "memory: user",
    ],
    "qwen": ["approvalMode: yolo", "permissionMode: acceptEdits", "approvalMode: default", "skills: [x]"],
    "kiro": [
        *("allowedTools: ['*']", "allowedTools: [shell, '@gh/b']", "toolsSettings: {shell: {allowedCommands: ['.*']}}"),
        "permissions: {rules: [{capability: all, effect: allow}]}",
    ],
    "auggie": ["skills: [x]", "mcpServers: {gh: {command: x}}"],
    "junie": ["skills: [x]"],
    "antigravity": ["commandExecutionPolicy: eager", "inheritCustomizations: true", "mcpServers: {gh: {command: x}}"],
    "copilot": ["mcp-servers: {gh: {type: local, command: x, tools: ['*']}}", "agents: ['*']", "user-invocable: true"],
    "factory": ["skills: [x]"],
    "gemini": ["max_turns: 3"],
    "opencode": [
        "permissions: {bash: allow}",
        "tools: {bash: true, edit: true}",
        "permission: {bash: allow}",
    ],
    "kilo": ["permissions: {bash: allow}", "tools: {bash: true, edit: true}"],
    "vibe": [
        *("bypass_tool_permissions = true", 'enabled_skills = ["x"]', '[tools.bash]\npermission = "always"'),
        *('[tools.edit]\npermission = "always"', '[tools.github_x]\npermission = "always"'),
    ],
    "codex": ['approval_policy = "never"', 'sandbox_mode = "danger-full-access"', 'web_search = "live"'],
}
# Lines that an agent needs to be valid, or to have anything that can be denied.
WHOLE: Final = {"kiro": ["tools: ['*', '@gh']"]}
TABLES: Final = {
    "vibe": ('description = "d"', 'instructions = "p"'),
    "codex": ('name = "x"', 'description = "d"', 'developer_instructions = "p"'),
}
CALLS: Final = [
    (tool, argument)
    for tool in [*sorted(TOOLS), "mcp/gh/a", "mcp/gh/b", "mcp/github_x", "mcp/other/x"]
    for argument in ("", "x", "git push")
]


def key_of(line: str) -> str:
    return re.split(r"[]:=]", line)[0].strip()


def granted(dialect: str, *lines: str) -> Grants:
    if dialect in TABLES:
        head = sorted([*TABLES[dialect], *lines], key=lambda line: line.startswith("["))
        return read("x.toml", "\n".join([*head, ""]).encode(), dialect).agent.grants
    text = "\n".join(
        ["---", "name: checker", "description: d", *WHOLE.get(dialect, ()), *lines, "---", "Look with care.", ""]
    )
    return read(f"checker{dialects()[dialect].suffix}", text.encode(), dialect).agent.grants


@pytest.mark.parametrize("dialect", TAKING)
def test_no_key_grants_what_another_denies(dialect: str) -> None:
    for taking in TAKING[dialect]:
        before = granted(dialect, taking)
        for other in dict.fromkeys([*GIVING[dialect], *TAKING[dialect]]):
            if key_of(taking) == key_of(other):
                continue
            for lines in permutations([taking, other]):
                after = granted(dialect, *lines)
                given_back = [call for call in CALLS if after.approval(*call) and not before.approval(*call)]
                assert given_back == [], lines
