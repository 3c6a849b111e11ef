"""What golden files of Copilot do not show: files that its CLI refuses, endings, and strict options."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read, spares_other_tools

COPILOT = dialects()["copilot"]


def _file(keys: str) -> bytes:
    return f'---\ndescription: "Checks changes"\n{keys}---\nLook at the change with care.\n'.encode()


@pytest.mark.parametrize(
    "keys",
    [
        "tools:\n",
        "tools: 3\n",
        "tools: {read: true}\n",
        "tools: [read, 3]\n",
    ],
)
def test_refuses_what_the_cli_refuses(keys: str) -> None:
    result = read_agent(".github/agents/checker.md", _file(keys))
    assert isinstance(result, NoAgent)
    assert any(diagnostic.code is Code.WRONG_TYPE for diagnostic in result.diagnostics)


@pytest.mark.parametrize(
    "keys",
    [
        "model:\n",
        "model: []\n",
        "model: [gpt-5.5, 3]\n",
        "skills: a, b\n",
        "hooks: 3\n",
        "mcp-servers: [docs]\n",
        "user-invocable: 'false'\n",
        "infer:\n",
        "infer: 3\n",
        "reasoning-effort: 5\n",
        "strict-tools-list: 3\n",
    ],
)
def test_a_value_that_restricts_nothing_costs_copilot_only(keys: str) -> None:
    grants = spares_other_tools("checker.agent.md", _file(f"tools: [read]\n{keys}"), "copilot")
    assert grants.approval("read")
    assert not grants.approval("bash")


def test_both_endings_are_read_and_the_longer_one_is_written() -> None:
    for ending in (".md", ".agent.md"):
        result = read(f".github/agents/checker{ending}", _file(""))
        assert result.dialect is COPILOT
        assert result.agent.name == "checker"
        assert render(result, COPILOT, WriteOptions()).path == "checker.agent.md"


@pytest.mark.parametrize(
    ("name", "granted", "intended"),
    [
        ("Write", {"write", "edit"}, {"write", "edit"}),
        ("create", {"write", "edit"}, {"write"}),
        ("Grep", {"grep"}, {"grep"}),
        ("codebase", {"grep", "glob"}, {"grep"}),
        ("WebFetch", {"webfetch"}, {"webfetch"}),
        ("web", {"webfetch", "websearch"}, {"webfetch", "websearch"}),
        ("edit", {"write", "edit"}, {"write", "edit"}),
        ("runTasks", {"bash"}, set()),
        ("read/problems", set(), set()),
    ],
)
def test_an_alias_grants_more_than_it_was_written_for(name: str, granted: set[str], intended: set[str]) -> None:
    agent = read("checker.agent.md", _file(f"tools: [{name}]\n"), "copilot")
    tools = {"read", "write", "edit", "grep", "glob", "bash", "webfetch", "websearch"}
    enforced = COPILOT.enforced(agent.document)
    assert {tool for tool in tools if enforced.approval(tool)} == granted
    assert {tool for tool in tools if agent.agent.grants.approval(tool)} == intended


@pytest.mark.parametrize(
    ("granted", "written"),
    [
        (["grep"], ["grep"]),
        (["glob", "webfetch"], ["glob", "web_fetch"]),
        (["websearch", "glob", "grep"], ["search", "web_search"]),
        (["grep", "glob", "webfetch", "websearch"], ["search", "web"]),
    ],
)
def test_a_group_is_written_by_the_names_of_its_parts_unless_all_are_granted(
    granted: list[str], written: list[str]
) -> None:
    agent = read("agents/checker.md", _file(f"tools: [{', '.join(granted)}]\n"), "neutral")
    file = render(agent, COPILOT, WriteOptions())
    assert file.document is not None
    assert file.document.metadata["tools"] == written
    assert not [one for one in file.diagnostics if one.code in {Code.COARSE, Code.TOOL_LOST}]


@pytest.mark.parametrize(
    "pattern",
    ["mcp/gh/list_*", "mcp/*/find", "mcp/search/codebase", "mcp/Edit/find", "mcp/g?/find", "mcp/gh/fin?", "mcp/gh"],
)
def test_only_whole_servers_and_single_tools_have_a_name(pattern: str) -> None:
    data = f'---\ndescription: "d"\ntools: [read, "{pattern}"]\n---\nDo it.\n'.encode()
    file = render(read("a.md", data, "neutral"), COPILOT, WriteOptions())
    assert file.data is not None
    assert COPILOT.parse(file.data, file.path).metadata["tools"] == ["read"]
    assert Code.TOOL_LOST in {diagnostic.code for diagnostic in file.diagnostics}


@pytest.mark.parametrize("event", ["PreToolUse", "preToolUse"])
@pytest.mark.parametrize(("matcher", "tool"), [("execute", "bash"), ("Bash", "bash"), ("web|agent", "task")])
def test_a_hook_that_may_refuse_a_tool_is_a_restriction(event: str, matcher: str, tool: str) -> None:
    hooks = f"hooks: {{{event}: [{{matcher: '{matcher}', command: check}}]}}\n"
    grants = read("checker.agent.md", _file(hooks), "copilot").agent.grants
    assert Approval.DENY in grants.approvals(tool)
    assert Approval.DENY not in grants.approvals("edit")


@pytest.mark.parametrize(
    ("tools", "agents", "callable_"),
    [
        ("[agent]", "[tester]", {"tester"}),
        ("[agent]", "['test*', 'deploye?']", set()),
        ("[agent]", "'*'", {"tester", "deployer"}),
        ("[read]", "[tester]", set()),
    ],
)
def test_a_list_of_agents_grants_only_those_it_names(tools: str, agents: str, callable_: set[str]) -> None:
    grants = read("checker.agent.md", _file(f"tools: {tools}\nagents: {agents}\n"), "copilot").agent.grants
    assert {name for name in ("tester", "deployer") if grants.approval("task", name)} == callable_


def test_skills_that_are_denied_by_name_are_refused_where_options_are_strict() -> None:
    source = read("a.md", b'---\ndescription: "d"\npermissions: {skill: deny}\n---\nDo it.\n', "neutral")
    assert source.agent.grants.approval("skill") is Approval.DENY
    codes = {diagnostic.code for diagnostic in render(source, COPILOT, WriteOptions()).diagnostics}
    assert Code.UNRESTRICTABLE in codes
    assert render(source, COPILOT, WriteOptions(strict_approval=True)).data is None
