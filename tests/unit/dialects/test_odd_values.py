"""A value of a form that no tool has may be reported; it never breaks reading or writing."""

from __future__ import annotations

import json
from typing import Final

import pytest

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from support.conversion import read

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


_LONG: Final = "y" * 65_537


@pytest.mark.parametrize(
    ("dialect", "path", "text", "kept", "codes"),
    [
        (
            "codex",
            "x.toml",
            'name = "Own One"\ndescription = "d"\ndeveloper_instructions = "p"\nmodel = "azure/gpt-5"\n',
            ['name = "Own One"', 'model = "azure/gpt-5"'],
            [],
        ),
        ("kiro", "x.md", "---\nname: Own One\ndescription: d\n---\np\n", ["name: Own One"], []),
        ("kiro2", "x.json", '{"name": "Own One", "prompt": "p"}', ['"name": "Own One"'], []),
        ("vibe", "Own One.toml", f'instructions = "{_LONG}"\n', [_LONG], [Code.NAME_CHANGED]),
    ],
)
def test_what_only_an_agents_own_tool_takes_stays(
    dialect: str, path: str, text: str, kept: list[str], codes: list[Code]
) -> None:
    """A name that is no slug, a model of a gateway, and instructions of any length."""
    agent = read(path, text.encode(), dialect)
    assert agent.passes_through
    writing = agent.dialect.write(agent.agent, WriteOptions())
    assert [one for one in kept if one not in (writing.data or b"").decode()] == []
    assert [diagnostic.code for diagnostic in writing.diagnostics] == codes
