"""What golden files of Kilo Code do not show: differences from OpenCode, and files that it skips."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from agentsync.agents.grants import Approval, Grants
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read, spares_other_tools

KILO, OPENCODE = dialects()["kilo"], dialects()["opencode"]


def _file(keys: str) -> bytes:
    return f"---\ndescription: Reviews changes.\n{keys}\n---\nYou review.\n".encode()


def _enforced(keys: str) -> Grants:
    return KILO.enforced(KILO.parse(_file(keys), "reviewer.md"))


def _intended(keys: str) -> Grants:
    return read("reviewer.md", _file(keys), "kilo").agent.grants


def _from_claude(keys: str, prompt: str = "You review.", name: str = "reviewer") -> RenderedFile:
    """The file for Kilo Code of a Claude Code agent with these keys."""
    text = f"---\nname: {name}\ndescription: Reviews changes.\n{keys}\n---\n{prompt}\n"
    return render(read("reviewer.md", text.encode(), "claude"), KILO, WriteOptions())


def _permission(file: RenderedFile) -> Mapping[str, JsonValue]:
    assert file.data is not None, file.diagnostics
    value = KILO.parse(file.data, file.path).metadata.get("permission", {})
    assert isinstance(value, dict)
    return value


def test_denying_everything_leaves_the_outside_as_it_was() -> None:
    assert _enforced('permission: {"*": deny}').approval("external_directory") is Approval.SESSION
    before = 'permission: {external_directory: deny, "*": deny}'
    assert _enforced(before).approval("external_directory") is Approval.DENY
    assert _intended('permission: {"*": deny}').approval("external_directory") is Approval.DENY


def test_the_outside_is_denied_by_its_name() -> None:
    file = _from_claude("tools: Bash")
    assert _permission(file)["external_directory"] == "deny"


@pytest.mark.parametrize("keys", ["permission: {bash: }", 'permission: {bash: {"*": }}', "permission: "])
def test_an_empty_action_is_not_a_rule_but_intended_as_one(keys: str) -> None:
    assert _enforced(keys).approval("bash", "rm x") is Approval.SESSION
    assert _intended(keys).approval("bash", "rm x") is Approval.DENY


def test_an_empty_action_stops_opencode() -> None:
    assert isinstance(read_agent("reviewer.md", _file("permission: {bash: }"), "opencode"), NoAgent)


@pytest.mark.parametrize(
    ("denied", "keys"),
    [
        ("Bash", {"bash", "notebook_execute"}),
        ("Write, Edit", {"edit", "write"}),
        ("Agent", {"task", "agent_manager"}),
        ("Grep", {"grep", "semantic_search"}),
        ("Read", {"read", "notebook_read"}),
        ("WebFetch", {"webfetch", "browser_open"}),
        ("NotebookEdit", {"notebook_edit"}),
    ],
)
def test_similar_tools_are_denied_too(denied: str, keys: set[str]) -> None:
    permission = _permission(_from_claude(f"disallowedTools: {denied}"))
    assert permission == dict.fromkeys(keys, "deny")


@pytest.mark.parametrize("server", ["board", "notebook", "cron", "kilo"])
def test_a_server_that_is_called_like_tools_of_kilo_is_left_out(server: str) -> None:
    file = _from_claude(f"tools: Read, mcp__{server}__*")
    assert f"{server}_*" not in _permission(file)
    assert Code.TOOL_LOST in {diagnostic.code for diagnostic in file.diagnostics}


@pytest.mark.parametrize(
    "prompt", ["{env:API_KEY}", "Key: {env:API_KEY}", "Rules: {file:~/.ssh/id_rsa}", "Say ${env:HOME}."]
)
def test_instructions_that_would_be_filled_in_are_refused(prompt: str) -> None:
    file = _from_claude("tools: Read", prompt)
    assert file.data is None
    assert Code.REFUSED_WIDER in {diagnostic.code for diagnostic in file.diagnostics}


@pytest.mark.parametrize("name", ["ask", "build", "code", "debug", "explore", "general", "plan", "title"])
def test_an_agent_of_another_tool_does_not_change_a_built_in_one(name: str) -> None:
    assert _from_claude("tools: Read", name=name).path == f"{name}-agent.md"


@pytest.mark.parametrize(
    "keys",
    [
        "tools: Read, Grep",
        "tools: {bash: }",
        "permission: [bash]",
        "permission: {bash: sometimes}",
        "permission: {bash: [deny]}",
        "permission: {todowrite: {'*': deny}}",
    ],
)
def test_a_file_that_kilo_skips_is_refused(keys: str) -> None:
    assert isinstance(read_agent("reviewer.md", _file(keys), "kilo"), NoAgent)


@pytest.mark.parametrize("keys", ["mode: helper", "color: red", "steps: 0", "hidden: 'true'", "model: sonnet"])
@pytest.mark.parametrize("dialect", ["kilo", "opencode"])
def test_a_value_that_restricts_nothing_costs_its_own_tool_only(keys: str, dialect: str) -> None:
    grants = spares_other_tools("reviewer.md", _file(f"{keys}\npermission: {{'*': deny, read: allow}}"), dialect)
    assert grants.approval("read")
    assert not grants.approval("bash")


def test_a_model_without_a_provider_means_what_it_does_elsewhere() -> None:
    source = read("reviewer.md", _file("model: sonnet"), "opencode")
    for target, model in {"claude": "sonnet", "opencode": "anthropic/claude-sonnet-5"}.items():
        file = render(source, dialects()[target], WriteOptions())
        assert file.document is not None
        assert file.document.metadata["model"] == model


def test_a_file_in_its_directory_is_its_own() -> None:
    result = read_agent(".kilo/agents/reviewer.md", _file("permission: {bash: }"))
    assert not isinstance(result, NoAgent)
    assert result.dialect is KILO
    elsewhere = read_agent("agents/reviewer.md", _file("permission: {bash: deny}"))
    assert not isinstance(elsewhere, NoAgent)
    assert elsewhere.dialect is OPENCODE


@pytest.mark.parametrize(
    ("keys", "kilo", "opencode"),
    [
        ("steps: 3", True, True),
        ("model: ", True, False),
        ("mode: ", False, False),
        ("tools: ", False, False),
        ("variant: 2026-11-21", False, False),
        ("steps: '3'", False, False),
    ],
)
def test_a_file_that_the_tool_would_not_load_is_rewritten(keys: str, *, kilo: bool, opencode: bool) -> None:
    for dialect, passes in ((KILO, kilo), (OPENCODE, opencode)):
        assert read("reviewer.md", _file(keys), dialect.name).passes_through is passes
