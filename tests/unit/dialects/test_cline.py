"""How Cline reads a file, as observed with the tool itself (version 3.0.65, agents run against a fake model)."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from agentsync.agents.grants import Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.formats.frontmatter import format_markdown, parse_markdown
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read, spares_other_tools

CLINE = dialects()["cline"]


def agent(**keys: JsonValue) -> bytes:
    return format_markdown({"name": "x", "description": "d", **keys}, "p\n")


def from_claude(options: WriteOptions, **keys: JsonValue) -> RenderedFile:
    return render(read("x.md", agent(**keys), "claude"), CLINE, options)


def tools(file: RenderedFile) -> JsonValue:
    assert file.data is not None, file.diagnostics
    return parse_markdown(file.data, file.path).metadata["tools"]


def test_the_session_decides_about_a_granted_tool() -> None:
    grants = CLINE.enforced(CLINE.parse(agent(tools=["run_commands"]), "x.yaml"))
    assert grants.approval("bash") is Approval.SESSION


def test_without_a_list_there_are_no_servers_and_no_other_agents() -> None:
    grants = read("x.yaml", agent(), "cline").agent.grants
    assert grants.approval("bash") is Approval.SESSION
    assert not grants.approval("mcp/github/search")
    assert not grants.approval("task")


def test_a_tool_left_to_the_session_is_granted() -> None:
    assert tools(from_claude(WriteOptions(), tools="Read, Bash")) == ["read_files", "run_commands"]


def test_a_tool_that_asks_is_never_allowed() -> None:
    file = from_claude(WriteOptions(approval="allow"), tools="Read, Bash", permissionMode="default")
    assert tools(file) == ["read_files"]
    assert Code.TOOL_LOST in {diagnostic.code for diagnostic in file.diagnostics}


def test_a_tool_that_the_source_allows_is_granted() -> None:
    file = from_claude(WriteOptions(), tools="Read, Edit, Write", permissionMode="acceptEdits")
    assert tools(file) == ["read_files", "editor", "apply_patch"]


def test_a_name_that_grants_the_shell_is_not_intended_for_it() -> None:
    data = agent(tools=["list_files"])
    assert CLINE.enforced(CLINE.parse(data, "x.yaml")).approval("bash") is Approval.SESSION
    assert not read("x.yaml", data, "cline").agent.grants.approval("bash")


def test_skills_are_named_only_for_an_agent_that_may_use_them() -> None:
    without = from_claude(WriteOptions(), tools="Read", skills=["review"]).data
    assert without is not None
    assert b"skills" not in without
    assert b"skills" in (from_claude(WriteOptions(), tools="Read, Skill", skills=["review"]).data or b"")


def test_any_named_skill_grants_the_skill_tool() -> None:
    grants = CLINE.enforced(CLINE.parse(agent(tools=["read_files"], skills=["review"]), "x.yaml"))
    assert grants.approval("skill") is Approval.SESSION
    assert not CLINE.enforced(CLINE.parse(agent(tools=["read_files"]), "x.yaml")).approval("skill")


def test_a_skill_is_not_a_pattern() -> None:
    grants = read("x.yaml", agent(skills=["review", "*"]), "cline").agent.grants
    assert (grants.approval("skill", "review"), grants.approval("skill", "other")) == (Approval.SESSION, Approval.DENY)


def test_a_model_of_a_gateway_stays_as_it_is() -> None:
    data = b"---\nname: x\ndescription: d\nmodelId: anthropic/claude-opus-5\nmaxIterations: '7'\n---\np\n"
    written = render(read("x.yaml", data, "cline"), CLINE, WriteOptions()).data or b""
    assert b"modelId: anthropic/claude-opus-5\n" in written


@pytest.mark.parametrize(
    "keys",
    [
        {"tools": None},
        {"tools": {"read_files": True}},
        {"tools": ["read_files", 1]},
        {"skills": []},
        {"skills": " "},
        {"skills": None},
    ],
    ids=str,
)
def test_a_file_that_cline_skips_or_reads_as_more_is_refused(keys: dict[str, JsonValue]) -> None:
    assert isinstance(read_agent("x.yaml", agent(**keys), "cline"), NoAgent)


@pytest.mark.parametrize("keys", [{"modelId": " "}, {"maxIterations": 0}], ids=str)
def test_a_value_that_restricts_nothing_costs_cline_only(keys: dict[str, JsonValue]) -> None:
    grants = spares_other_tools("x.yaml", agent(tools=["read_files"], **keys), "cline")
    assert grants.approval("read")
    assert not grants.approval("bash")


@pytest.mark.parametrize("line", ["maxIterations: '7'", "modelId: 1_000", "tools: [read_files, 0x1F]"])
def test_a_value_that_cline_types_is_rewritten(line: str) -> None:
    data = f"---\nname: x\ndescription: d\n{line}\n---\np\n".encode()
    source = read("x.yaml", data, "cline")
    assert not source.passes_through
    assert read("x.yaml", render(source, CLINE, WriteOptions()).data or b"", "cline").passes_through
