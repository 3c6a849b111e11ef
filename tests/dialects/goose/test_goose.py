"""What golden files of goose do not show: nothing restricts an agent there, so restricted agents are refused."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import TOOLS
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from support.conversion import read

GOOSE = dialects()["goose"]


def _claude(keys: str, options: WriteOptions) -> RenderedFile:
    """The file for goose of a Claude Code agent with these keys."""
    text = f"---\nname: reviewer\ndescription: Reviews changes.\n{keys}\n---\nYou review changes.\n"
    return render(read("reviewer.md", text.encode(), "claude"), GOOSE, options)


@pytest.mark.parametrize(
    "keys",
    ["tools: Read", "tools: []", "disallowedTools: Bash", "disallowedTools: mcp__github", "permissionMode: default"],
)
@pytest.mark.parametrize(
    "options", [WriteOptions(), WriteOptions(approval="allow"), WriteOptions(strict_approval=True)]
)
def test_an_agent_that_restricts_anything_is_refused(keys: str, options: WriteOptions) -> None:
    file = _claude(keys, options)
    assert file.data is None
    assert Code.REFUSED_WIDER in {diagnostic.code for diagnostic in file.diagnostics}


@pytest.mark.parametrize("tool", sorted(TOOLS - {"notebook", "lsp", "task", "external_directory"}))
@pytest.mark.parametrize("declared", ["deny", "{x: deny}"])
def test_each_tool_that_goose_has_can_be_taken_from_no_agent(tool: str, declared: str) -> None:
    data = f"---\nname: a\ndescription: d\npermissions: {{{tool}: {declared}}}\n---\nGo.\n".encode()
    file = render(read("a.md", data, "neutral"), GOOSE, WriteOptions())
    assert file.data is None
    assert Code.REFUSED_WIDER in {diagnostic.code for diagnostic in file.diagnostics}


@pytest.mark.parametrize("keys", ["", "tools: '*'", "disallowedTools: Agent", "disallowedTools: NotebookEdit, LSP"])
def test_tools_that_goose_gives_to_no_agent_may_be_denied(keys: str) -> None:
    assert _claude(keys, WriteOptions(strict_approval=True)).data is not None


def test_a_denial_that_is_accepted_as_lost_is_no_reason_to_refuse() -> None:
    keys = "disallowedTools: Agent\ntools: '*'\nhooks:\n  PreToolUse:\n    - matcher: Bash"
    assert _claude(keys, WriteOptions()).data is None
    file = _claude(keys, WriteOptions(unenforceable="accept"))
    assert file.data is not None
    assert Code.ACCEPTED_WIDER in {diagnostic.code for diagnostic in file.diagnostics}


def test_dashes_in_a_value_are_written_as_goose_reads_them() -> None:
    """It splits a file at every three dashes, and would then find no agent in it."""
    source = read("a.md", b'---\nname: a\ndescription: "b --- c"\n---\nGo.\n', "goose")
    assert not source.passes_through
    written = render(source, GOOSE, WriteOptions()).data
    assert written is not None
    assert written.count(b"---") == 2
    assert read("a.md", written, "goose").agent.description == "b --- c"


def test_an_id_of_a_gateway_stays_as_it_is() -> None:
    source = read("a.md", b"---\nname: a\ndescription: 'x --- y'\nmodel: anthropic/claude-x\n---\nGo.\n", "goose")
    written = render(source, GOOSE, WriteOptions()).data
    assert written is not None
    assert b"model: anthropic/claude-x\n" in written
