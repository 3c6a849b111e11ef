"""What an agent can no longer do in another tool is said once, as an ability, with the setting that changes it."""

from __future__ import annotations

import pytest

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code, Severity
from agentsync.dialects import dialects
from support.conversion import read

_DEFAULT, _ACCEPT_COARSE = WriteOptions(), WriteOptions(coarse="accept")


def _render(keys: str, target: str, options: WriteOptions = _DEFAULT, dialect: str = "claude") -> RenderedFile:
    text = f"---\nname: reviewer\ndescription: Reviews changes.\n{keys}\n---\nYou review changes.\n"
    return render(read("reviewer.md", text.encode(), dialect), dialects()[target], options)


def _said(file: RenderedFile) -> list[str]:
    return [one.message for one in file.diagnostics if one.code is Code.ABILITY_LOST]


@pytest.mark.parametrize(
    ("keys", "target", "said"),
    [
        ("tools: Read, Edit, Write", "codex", 'cannot edit files in Codex, unless the target has `coarse = "accept"`'),
        (
            "tools: Read, Edit, Write",
            "cursor",
            'cannot edit files in Cursor, unless the target has `coarse = "accept"`',
        ),
        ("tools: Read, Agent", "gemini", "cannot call other agents in Gemini CLI"),
        ("tools: Read, mcp__gh__get, mcp__db", "auggie", "cannot use MCP servers `gh`, `db` in Auggie"),
        ("disallowedTools: Bash", "gemini", "cannot use other MCP servers in Gemini CLI"),
        (
            "hooks:\n  Stop:\n    - hooks: [{type: command, command: ./log}]",
            "cursor",
            "cannot run its hooks in Cursor",
        ),
        (
            "tools: Read, Edit, Write\nmemory: user",
            "codex",
            'cannot edit files or keep a memory in Codex; with `coarse = "accept"` it could edit files',
        ),
    ],
)
def test_a_lost_ability_is_said_in_one_sentence_with_the_setting_that_keeps_it(
    keys: str, target: str, said: str
) -> None:
    file = _render(keys, target)
    assert _said(file) == [said]
    # The tools that are the reason are notes, so that one warning for each agent and target remains.
    reasons = {Code.TOOL_LOST, Code.GLOB_NARROWED, Code.COARSE, Code.FIELD_LOST}
    assert {one.severity for one in file.diagnostics if one.code in reasons} <= {Severity.INFO}


def test_the_setting_that_is_named_does_keep_the_ability() -> None:
    assert _render("tools: Read, Edit, Write", "codex").lost == ("edit files",)
    assert _render("tools: Read, Edit, Write", "codex", _ACCEPT_COARSE).lost == ()


@pytest.mark.parametrize(
    ("keys", "target"),
    [
        ("", "gemini"),  # agents call no others there, and this one does not say that it does
        ("tools: Read, Grep, WebFetch, WebSearch, Agent, mcp__gh__get", "cursor"),  # all these are the session's
        ("tools: Read, Grep, Glob", "codex"),
        ("tools: Bash", "opencode"),
        ("tools: Read, TodoWrite\ncolor: red", "cline"),
    ],
)
def test_nothing_is_said_to_be_lost_that_is_not(keys: str, target: str) -> None:
    file = _render(keys, target)
    assert file.data is not None
    assert not file.lost
    assert not _said(file)


def test_a_lost_color_or_temperature_is_a_note() -> None:
    file = _render("color: '#ff0000'\ntemperature: 0.2", "codex", dialect="opencode")
    lost = [one for one in file.diagnostics if one.code is Code.FIELD_LOST]
    assert [one.message for one in lost if "color" in one.message or "temperature" in one.message]
    assert {one.severity for one in file.diagnostics} == {Severity.INFO}
