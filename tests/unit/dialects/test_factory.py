"""How Factory Droid reads a file, as observed with the tool itself (version 0.215.0, run against a fake model)."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, Approval, Grants
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.formats.frontmatter import format_markdown
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read

FACTORY = dialects()["factory"]
STRICT = WriteOptions(strict_approval=True)


def droid(**keys: JsonValue) -> bytes:
    return format_markdown({"name": "x", "description": "d", **keys}, "p\n")


def enforced(data: bytes) -> Grants:
    return FACTORY.enforced(FACTORY.parse(data, "x.md"))


def from_claude(options: WriteOptions = STRICT, **keys: JsonValue) -> RenderedFile:
    data = format_markdown({"name": "x", "description": "d", **keys}, "p\n")
    return render(read("x.md", data, "claude"), FACTORY, options)


@pytest.mark.parametrize(
    "data",
    [
        b"---\nname: x\ndescription: d\ntools:\n---\np\n",
        droid(tools={"Read": True}),
        droid(tools=["Read", 1]),
        droid(tools=["Read"], model=5),
        droid(tools=["Read"], reasoningEffort=3),
        droid(tools=["Read"], mcpServers={"github": {}}),
    ],
    ids=["null", "map", "number in a list", "model", "effort", "servers"],
)
def test_one_value_of_a_wrong_type_grants_everything_and_is_refused(data: bytes) -> None:
    assert enforced(data).rules[0] == EVERYTHING.rules[0]
    result = read_agent("x.md", data, "factory")
    assert isinstance(result, NoAgent)
    assert Code.WRONG_TYPE in {diagnostic.code for diagnostic in result.diagnostics}


@pytest.mark.parametrize(
    "head",
    [
        "--- \nname: x\ndescription: d\n---\n",
        "---\nname: x\ndescription: d\nmodel: 2026-11-01\n---\n",
        "---\nname: x\ndescription: 1_000\n---\n",
        "---\nname: x\ndescription: d\ntools: [Read, 2026-11-01]\n---\n",
        "---\nname: x\ndescription: |\n  d\n--- # more\n---\n",
    ],
    ids=["blank after the fence", "date", "number", "date in a list", "dashes within"],
)
def test_a_file_that_droid_would_misread_is_rewritten(head: str) -> None:
    agent = read("x.md", f"{head}p\n".encode(), "factory")
    assert not agent.passes_through
    assert read("x.md", render(agent, FACTORY, STRICT).data or b"", "factory").passes_through


def test_the_word_for_reading_grants_the_shell_but_does_not_intend_it() -> None:
    data = droid(tools="read-only")
    assert enforced(data).approval("bash") is Approval.SESSION
    assert enforced(data).approval("edit") is Approval.DENY
    assert read("x.md", data, "factory").agent.grants.approval("bash") is Approval.DENY


def test_either_editing_tool_may_do_what_the_other_does() -> None:
    data = droid(tools=["Edit"])
    intended = read("x.md", data, "factory").agent.grants
    assert (enforced(data).approval("write"), intended.approval("write")) == (Approval.SESSION, Approval.DENY)


def test_a_list_of_servers_takes_none_away() -> None:
    data = droid(mcpServers=["github"])
    intended = read("x.md", data, "factory").agent.grants
    assert enforced(data).approval("mcp/linear/search") is Approval.SESSION
    assert intended.approval("mcp/linear/search") is Approval.DENY
    assert intended.approval("mcp/github/search") is Approval.SESSION


@pytest.mark.parametrize("denied", ["Skill", "TodoWrite"])
def test_a_denial_that_droid_lacks_is_reported_or_refused(denied: str) -> None:
    reported = from_claude(WriteOptions(), disallowedTools=denied)
    assert reported.data is not None
    assert Code.UNRESTRICTABLE in {diagnostic.code for diagnostic in reported.diagnostics}
    assert from_claude(disallowedTools=denied).data is None


@pytest.mark.parametrize(
    ("model", "effort", "kept"), [("opus", "max", True), ("haiku", "max", False), ("", "low", False)]
)
def test_an_effort_is_written_only_with_a_model_that_takes_it(model: str, effort: str, *, kept: bool) -> None:
    file = from_claude(WriteOptions(), effort=effort, **({"model": model} if model else {}))
    assert (b"reasoningEffort" in (file.data or b"")) is kept
    assert (Code.FIELD_LOST in {diagnostic.code for diagnostic in file.diagnostics}) is not kept
