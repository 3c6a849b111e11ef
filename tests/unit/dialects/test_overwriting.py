"""Where a tool's writing replaces files, whoever may write may edit; where it only creates them, nobody may."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import Approval, Grants, Rule
from agentsync.agents.narrowing import Choice, WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from support.conversion import read

_TEXT = "Write the report as asked.\n"
_FILES = {
    "claude": "tools: Read, Write",
    "gemini": "tools: [read_file, write_file]",
    "qwen": "tools: [read_file, write_file]",
    "opencode": "tools: {'*': false, read: true, write: true}",
    "kilo": "tools: {'*': false, read: true, write: true}",
    "antigravity": "tools: [view_file, write_to_file]\nexcludeDefaultComponents: true",
    "vibe": 'enabled_tools = ["read_file", "write_file"]',
    "copilot": "tools: [read, edit/editFiles]",
}
_CREATING = {
    "copilot": "tools: [read, create]",
    "factory": "tools: [Read, Create]",
    "auggie": "tools: [view, save-file]",
}


def _agent(dialect: str, keys: str) -> Grants:
    head = f'description = "Writes"\n{keys}\n' if dialect == "vibe" else f"---\nname: a\ndescription: b\n{keys}\n---\n"
    path = f"a{dialects()[dialect].suffix}"
    source = read(path, (head + ("" if dialect == "vibe" else _TEXT)).encode(), dialect)
    file = render(source, dialects()["opencode"], WriteOptions())
    assert file.document is not None
    return dialects()["opencode"].enforced(file.document)


@pytest.mark.parametrize("dialect", sorted(_FILES))
def test_an_agent_that_replaces_files_may_change_them_in_a_tool_with_one_permission_for_both(dialect: str) -> None:
    grants = _agent(dialect, _FILES[dialect])
    assert grants.approval("write")
    assert grants.approval("edit")
    assert not grants.approval("bash")


@pytest.mark.parametrize("dialect", sorted(_CREATING))
def test_an_agent_that_only_creates_files_may_not(dialect: str) -> None:
    grants = _agent(dialect, _CREATING[dialect])
    assert grants.approval("read")
    assert not grants.approval("edit")


@pytest.mark.parametrize("target", ["claude", "gemini", "qwen", "vibe", "antigravity"])
@pytest.mark.parametrize("dialect", ["copilot", "factory"])
def test_nor_does_it_get_a_tool_that_replaces_files_unless_that_is_accepted(dialect: str, target: str) -> None:
    data = f"---\nname: a\ndescription: b\n{_CREATING[dialect]}\n---\n{_TEXT}".encode()
    source = read(f"a{dialects()[dialect].suffix}", data, dialect)
    choices: tuple[tuple[Choice, bool], ...] = (("narrow", False), ("accept", True))
    for choice, writes in choices:
        file = render(source, dialects()[target], WriteOptions(coarse=choice))
        assert file.document is not None, file.diagnostics
        assert bool(dialects()[target].enforced(file.document).approval("write")) is writes
        assert (Code.ACCEPTED_WIDER if writes else Code.COARSE) in {one.code for one in file.diagnostics}


@pytest.mark.parametrize("target", ["gemini", "qwen", "vibe", "antigravity"])
def test_an_agent_that_replaces_files_and_may_not_edit_keeps_that(target: str) -> None:
    data = f"---\nname: a\ndescription: b\ndisallowedTools: Edit\n---\n{_TEXT}".encode()
    file = render(read("a.md", data, "claude"), dialects()[target], WriteOptions())
    assert file.document is not None, file.diagnostics
    grants = dialects()[target].enforced(file.document)
    assert grants.approval("write")
    assert not grants.approval("edit")


def test_what_writing_excepts_is_not_edited() -> None:
    written = Grants((Rule("write", Approval.SESSION), Rule("write", Approval.DENY, "*.lock")))
    assert written.with_overwriting().approval("edit", "a.py") is Approval.SESSION
    assert written.with_overwriting().approval("edit", "uv.lock") is Approval.DENY


def test_a_denial_of_writing_alone_leaves_editing() -> None:
    grants = Grants((Rule("*", Approval.SESSION), Rule("write", Approval.DENY))).with_overwriting()
    assert grants.approval("edit") is Approval.SESSION
    assert grants.approval("write") is Approval.DENY
