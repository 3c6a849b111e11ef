"""What golden files of Gemini CLI do not show: files that it refuses, and what its names of servers can express."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read, spares_other_tools

GEMINI = dialects()["gemini"]


def _file(keys: str, prompt: str = "You review.") -> bytes:
    return f"---\nname: reviewer\ndescription: Reviews changes.\n{keys}\n---\n{prompt}\n".encode()


def _from_claude(keys: str, prompt: str = "You review.", name: str = "reviewer") -> RenderedFile:
    """The file for Gemini CLI of a Claude Code agent with these keys."""
    data = _file(keys, prompt).replace(b"name: reviewer", f"name: {name}".encode())
    return render(read("reviewer.md", data, "claude"), GEMINI, WriteOptions())


def _tools(file: RenderedFile) -> object:
    assert file.data is not None, file.diagnostics
    return GEMINI.parse(file.data, file.path).metadata.get("tools")


@pytest.mark.parametrize(
    "keys",
    [
        "tools:",
        "tools: read_file",
        "tools: {read_file: true}",
        "kind: remote",
    ],
)
def test_a_file_that_gemini_refuses_is_refused(keys: str) -> None:
    assert isinstance(read_agent("reviewer.md", _file(keys), "gemini"), NoAgent)


@pytest.mark.parametrize(
    ("keys", "granted"),
    [
        ("tools: [read_file, Read]", {"read"}),
        ("tools: [Bash]", set()),
        ("tools: ['run_shell_command(git status)']", set()),
        ("tools: [mcp__github__search]", set()),
        ("tools: ['mcp_my_server_*']", set()),
        ("tools: ['mcp_github_get_*']", set()),
        ("tools: [save_memory]", set()),
        ("model:", None),
        ("mcp_servers: [ledger]", None),
        ("max_turns: 0", None),
        ("timeout_mins: 0.5", None),
        ("display_name: 7", None),
        ("mcp_servers: {docs: {command: x}, code: true}", None),
    ],
)
def test_what_gemini_refuses_costs_other_tools_nothing(keys: str, granted: set[str] | None) -> None:
    grants = spares_other_tools("reviewer.md", _file(keys), "gemini")
    tools = {"read", "write", "edit", "bash", "grep", "webfetch"}
    assert {tool for tool in tools if grants.approval(tool)} == (tools if granted is None else granted)


def test_a_restriction_of_another_tool_is_not_lost_when_gemini_refuses_its_key() -> None:
    keys = "tools: [read_file, run_shell_command]\npermissionMode: plan\nmaxTurns: 5"
    agent = read("reviewer.md", _file(keys), "gemini")
    assert not agent.agent.grants.approval("bash")
    assert render(agent, GEMINI, WriteOptions()).data is None


def test_a_key_that_gemini_does_not_know_costs_the_agent_there_and_nowhere_else() -> None:
    agent = read("reviewer.md", _file("color: red\nmcpServer: {}"), "gemini")
    file = render(agent, agent.dialect, WriteOptions())
    assert (file.data, [diagnostic.code for diagnostic in file.diagnostics]) == (None, [Code.NOT_LOADED])
    assert "`color`, `mcpServer` (did you mean `mcp_servers`?)" in file.diagnostics[0].message
    assert render(agent, dialects()["claude"], WriteOptions()).data is not None


def test_a_server_with_an_underscore_has_no_name_for_all_its_tools() -> None:
    file = _from_claude("tools: Read, mcp__my_server__*, mcp__my_server__search")
    assert _tools(file) == ["read_file", "mcp_my_server_search"]
    assert Code.TOOL_LOST in {diagnostic.code for diagnostic in file.diagnostics}


def test_a_tool_whose_name_would_be_cut_has_none() -> None:
    assert _tools(_from_claude(f"tools: Read, mcp__github__{'x' * 60}")) == ["read_file"]


def test_all_but_one_tool_keeps_every_server() -> None:
    tools = _tools(_from_claude("disallowedTools: Bash"))
    assert isinstance(tools, list)
    assert "run_shell_command" not in tools
    assert "mcp_*" in tools


def test_all_but_one_server_names_no_server() -> None:
    tools = _tools(_from_claude("disallowedTools: mcp__github"))
    assert isinstance(tools, list)
    assert not any(str(name).startswith("mcp_") for name in tools)


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("Look below ${HOME}.", "Look below $HOME."),
        ("Look for ${HOME}s.", "Look for ${HOME-}s."),
        ("Take ${1}.", "Take ${ 1 }."),
        ("It is ${today}.", "It is ${ today }."),
        ("```ts\nfetch(`${url}/${ID}`)\n```", "```ts\nfetch(`${ url }/${ ID }`)\n```"),
        (
            "```bash\ncp ${file} ${a}_$b ${x}[1] ${10}\n```\n${file}",
            "```bash\ncp $file ${a-}_$b ${x-}[1] ${10-}\n```\n${ file }",
        ),
        ("````md\n```bash\n${a}\n```\n````\n${HOME}", "````md\n```bash\n${ a }\n```\n````\n$HOME"),
        ('```json\n{"key": "${TOKEN}"}\n```', '```json\n{"key": "${ TOKEN }"}\n```'),
        ("${${A}}", "${$A}"),
    ],
)
@pytest.mark.parametrize("target", ["gemini", "qwen"])
def test_instructions_that_would_be_filled_in_are_written_as_no_template(
    prompt: str, written: str, target: str
) -> None:
    dialect = dialects()[target]
    file = render(read("reviewer.md", _file("tools: Read", f"{prompt} Read it.")), dialect, WriteOptions())
    if target == "qwen":  # a number is no placeholder there
        written = written.replace("${ 1 }", "${1}").replace("${10-}", "${10}")
    assert file.document is not None, file.diagnostics
    assert file.document.body == f"{written} Read it.\n"
    assert (Code.TEMPLATE_ESCAPED in {diagnostic.code for diagnostic in file.diagnostics}) == (prompt != written)
    assert Code.INVALID_VALUE not in {
        diagnostic.code for diagnostic in read("reviewer.md", file.data or b"", target).diagnostics
    }


def test_what_gemini_fills_in_is_reported_where_nobody_does() -> None:
    source = read("reviewer.md", _file("tools: [read_file]", "It is ${today} in ${HOME-}."), "gemini")
    for target, has_report in {"claude": True, "gemini": False, "qwen": True}.items():
        file = render(source, dialects()[target], WriteOptions())
        assert any("${today}" in one.message and one.code is Code.FIELD_LOST for one in file.diagnostics) == has_report


@pytest.mark.parametrize("prompt", ["Look below $HOME.", "Take ${HOME:-/}.", "Say {{name}}."])
def test_instructions_that_only_look_like_a_template_are_written(prompt: str) -> None:
    assert _from_claude("tools: Read", prompt).data is not None


def test_its_own_agents_keep_their_names() -> None:
    assert _from_claude("tools: Read", name="generalist").path == "generalist-agent.md"
    assert _from_claude("tools: Read", name="codebase_investigator").path == "codebase-investigator.md"


@pytest.mark.parametrize(
    ("data", "passes"),
    [
        (_file("tools: [read_file]"), True),
        (_file("tools: [read_file]").replace(b"\n---\n", b"\n--- \n"), False),
        (_file("tools: [read_file]").replace(b"Reviews changes.", b'"One\n---two"'), False),
        (_file("tools: [read_file]").replace(b"Reviews changes.", b"2026-11-21"), False),
        (_file("temperature: '0.5'"), False),
    ],
)
def test_a_file_that_gemini_reads_differently_is_rewritten(data: bytes, *, passes: bool) -> None:
    result = read_agent("reviewer.md", data, "gemini")
    assert (not isinstance(result, NoAgent) and result.passes_through) is passes


def test_servers_of_another_tool_are_reported_and_left_out() -> None:
    file = _from_claude("tools: Read\nmcpServers:\n  - ledger: {command: x}")
    assert file.data is not None
    assert b"mcp_servers" not in file.data
    assert Code.FIELD_LOST in {diagnostic.code for diagnostic in file.diagnostics}


def test_a_trusted_server_counts_as_allowed() -> None:
    keys = "tools: []\nmcp_servers: {ledger: {command: x, trust: true}}"
    grants = GEMINI.enforced(GEMINI.parse(_file(keys), "reviewer.md"))
    assert grants.approval("mcp/ledger/post") is Approval.ALLOW
    assert grants.approval("mcp/other/post") is Approval.DENY
    assert read("reviewer.md", _file(keys), "gemini").agent.grants.approval("mcp/ledger/post") is Approval.SESSION
