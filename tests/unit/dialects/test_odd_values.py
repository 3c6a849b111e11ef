"""A value of a form that no tool has may be reported; it never breaks reading or writing."""

from __future__ import annotations

import json
from typing import Final

import pytest

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import ReadAgent, read_agent

KEYS: Final = (
    "tools disallowedTools permissionMode model mode hooks mcpServers mcp_servers skills permission permissions color "
    "readonly targets memory excludedTools allowedTools toolsSettings toolAliases groups disabled_tools enabled_tools "
    "agents handoffs approvalMode executor features web_search sandbox_mode approval_policy copilot tags prompt"
).split()
VALUES: Final = [
    *('[{"a": "b"}]', '[["a"]]', '{"a": ["b", {"c": "d"}]}', "3", "[3, true, null]", '""', "[]", "{}", "1.5"),
    *('{"PreToolUse": [["a"], {"matcher": [{"a": "b"}]}]}', '{"gh": [{"tools": {"a": ["b"]}}], "x": {"deny": [{}]}}'),
    *('{"rules": [{"capability": ["a"], "effect": {"b": "c"}, "match": [{"d": "e"}]}, 3]}', '{"bash": {"deny": [{}]}}'),
]


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_another_form_breaks_nothing(key: str) -> None:
    for value in VALUES:
        _is_read_and_written(key, value)


def _is_read_and_written(key: str, value: str) -> None:
    pairs = {"name": '"checker"', "description": '"d"', "prompt": '"Look."', key: value}
    lines = [f"{json.dumps(name)}: {text}" for name, text in pairs.items()]
    files = {
        "agents/x.md": "\n".join(["---", *lines, "---", "Look with care.", ""]),
        "x.json": f"{{{', '.join(lines)}}}",
    }
    for path, text in files.items():
        read = read_agent(path, text.encode())
        if isinstance(read, ReadAgent):
            for target in dialects().values():
                render(read, target, WriteOptions())
