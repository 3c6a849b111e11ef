"""How Augment's CLI reads a file, as observed with its own loader (version 0.36.0)."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from agentsync.agents.grants import Approval, Grants
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.formats.frontmatter import format_markdown, parse_markdown
from support.conversion import read

AUGGIE = dialects()["auggie"]
OPTIONS = WriteOptions()


def agent(**keys: JsonValue) -> bytes:
    return format_markdown({"name": "x", "description": "d", **keys}, "p\n")


def enforced(**keys: JsonValue) -> Grants:
    return AUGGIE.enforced(AUGGIE.parse(agent(**keys), "x.md"))


def intended(**keys: JsonValue) -> Grants:
    return read("x.md", agent(**keys), "auggie").agent.grants


def from_claude(**keys: JsonValue) -> dict[str, JsonValue]:
    file = render(read("x.md", agent(**keys), "claude"), AUGGIE, OPTIONS)
    assert file.data is not None, file.diagnostics
    return dict(parse_markdown(file.data, file.path).metadata)


@pytest.mark.parametrize("value", [[], "", None, {"view": True}, 5], ids=str)
def test_an_empty_list_grants_everything_but_intends_nothing(value: JsonValue) -> None:
    assert enforced(tools=value).approval("bash") is Approval.SESSION
    assert not intended(tools=value).approval("bash")


@pytest.mark.parametrize("value", [["Read"], ["*"], "view launch-process", ["none"]], ids=str)
def test_unknown_names_grant_nothing(value: JsonValue) -> None:
    assert not enforced(tools=value).approval("bash")
    assert not enforced(tools=value).approval("read")


def test_a_list_of_denied_tools_disables_the_other_list() -> None:
    keys: dict[str, JsonValue] = {"tools": ["view"], "disabled_tools": ["web-fetch"]}
    assert enforced(**keys).approval("bash") is Approval.SESSION
    assert not intended(**keys).approval("bash")


@pytest.mark.parametrize(
    ("denied", "tool", "gone"),
    [
        (["str-replace-editor"], "edit", False),
        (["str-replace-editor", "apply_patch"], "edit", True),
        (["launch-process"], "bash", False),
        (["launch-process", "remove-files"], "bash", True),
        (["grep-search"], "grep", False),
    ],
)
def test_only_denying_all_equivalent_tools_denies_the_call(denied: list[str], tool: str, *, gone: bool) -> None:
    assert (not enforced(disabled_tools=[*denied]).approval(tool)) is gone
    assert not intended(disabled_tools=[*denied]).approval(tool)


def test_a_denied_name_that_may_be_a_servers_tool_denies_all_servers() -> None:
    assert not intended(disabled_tools=["search_github"]).approval("mcp/github/search")


def test_an_unknown_name_has_no_effect() -> None:
    assert from_claude(tools=[])["tools"] == ["none"]


def test_an_agent_without_commands_may_not_delete_files() -> None:
    denied = from_claude(disallowedTools="Bash")["disabled_tools"]
    assert isinstance(denied, list)
    assert {"launch-process", "write-process", "remove-files", "bash"} <= set(map(str, denied))


@pytest.mark.parametrize(
    ("denied", "names"),
    [
        ("Read", "view view-range-untruncated search-untruncated read ls"),
        ("Grep", "grep-search codebase-retrieval codebase-retrieval-raw grep"),
        ("Write", "save-file apply_patch write"),
        ("Edit", "str-replace-editor apply_patch edit"),
        (
            "Bash",
            "launch-process read-process write-process kill-process list-processes remove-files bash",
        ),
        ("TodoWrite", "view_tasklist add_tasks update_tasks reorganize_tasklist"),
        ("WebFetch", "web-fetch"),
        ("WebSearch", "web-search"),
    ],
)
def test_a_denial_names_all_equivalent_tools(denied: str, names: str) -> None:
    assert from_claude(disallowedTools=denied)["disabled_tools"] == names.split()


@pytest.mark.parametrize(
    ("granted", "names"),
    [
        ("Read", "view view-range-untruncated search-untruncated"),
        ("Edit", "str-replace-editor"),
        ("Write", "save-file str-replace-editor apply_patch"),
        ("Bash", "launch-process read-process write-process kill-process list-processes remove-files"),
        ("WebFetch", "web-fetch"),
        ("Glob", "none"),
    ],
)
def test_a_list_names_no_tool_that_can_do_more(granted: str, names: str) -> None:
    written = from_claude(tools=granted)
    assert (written["tools"], written["disable_skills"]) == (names.split(), True)


def test_skills_are_switched_off_where_any_is_denied() -> None:
    assert from_claude(disallowedTools="Skill")["disable_skills"] is True
    assert "disable_skills" not in from_claude(disallowedTools="AskUserQuestion")
    data = b'---\ndescription: "d"\npermissions: {skill: {deploy: deny}}\n---\np\n'
    assert b"disable_skills: true" in (render(read("x.md", data, "neutral"), AUGGIE, OPTIONS).data or b"")


def test_agents_that_read_can_read_although_that_lists_directories() -> None:
    tools = from_claude(tools="Read, Grep, Glob")["tools"]
    assert isinstance(tools, list)
    assert tools[0] == "view"


def test_an_agent_that_may_not_list_directories_may_not_read_files_either() -> None:
    data = b'---\ndescription: "d"\npermissions:\n  list: deny\n---\np\n'
    file = render(read("x.md", data, "neutral"), AUGGIE, OPTIONS)
    assert Code.COARSE in {diagnostic.code for diagnostic in file.diagnostics}
    assert b"- view\n" in (file.data or b"")


@pytest.mark.parametrize(
    "data",
    [
        b"---\nname: x\ndescription: d\ntools: [view]\n---",
        b"\xef\xbb\xbf---\nname: x\ndescription: d\n---\np\n",
        b"---\nname: x\ndescription: a: b\n---\np\n",
        b"---\nname: x\ndescription: 2026-11-01\n---\np\n",
    ],
    ids=["fence at the end", "byte order mark", "colon", "date"],
)
def test_a_file_that_auggie_would_misread_is_rewritten(data: bytes) -> None:
    source = read("x.md", data, "auggie")
    assert not source.passes_through
    assert read("x.md", render(source, AUGGIE, OPTIONS).data or b"", "auggie").passes_through
