"""Values of Claude Code's plain keys that golden files do not show, and files that it would not load."""

from __future__ import annotations

import pytest

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import ReadAgent
from support.conversion import read


def _read(keys: str, dialect: str = "claude") -> ReadAgent:
    return read("x.md", f"---\n{keys}\ndescription: Reviews changes.\n---\nLook with care.\n".encode(), dialect)


@pytest.mark.parametrize("keys", ['name: "a:b"', "name: a\nwhen: b --- c"])
def test_a_file_that_claude_code_would_not_load_is_rewritten(keys: str) -> None:
    assert _read("name: a").passes_through
    assert not _read(keys).passes_through


@pytest.mark.parametrize(("key", "value"), [("effort", "tiny"), ("memory", "team"), ("isolation", "boat")])
def test_a_word_that_claude_code_does_not_know_is_dropped(key: str, value: str) -> None:
    assert getattr(_read(f"name: a\n{key}: {value}").agent, key) is None


def test_a_model_of_a_gateway_belongs_to_no_vendor() -> None:
    assert _read("name: a\nmodel: openai/gpt-5").agent.model == "unknown/openai/gpt-5"


def test_the_servers_of_another_tool_are_not_written() -> None:
    agent = _read("name: checker\nmcpServers: {gh: {command: gh}}", "qwen")
    assert b"mcpServers" not in (render(agent, dialects()["claude"], WriteOptions()).data or b"mcpServers")
