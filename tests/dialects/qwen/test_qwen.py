"""What golden files of Qwen Code do not show: files that it refuses or misreads, and what a denial leaves."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read

QWEN = dialects()["qwen"]


def _file(keys: str = "", body: str = "Look at the change with care.\n") -> bytes:
    return f'---\nname: checker\ndescription: "Checks changes"\n{keys}---\n{body}'.encode()


@pytest.mark.parametrize(
    "data",
    [
        _file("approvalMode: ask\n"),
        _file("approvalMode: 3\n"),
        _file('tools: [read_file, ""]\n'),
        _file('disallowedTools: ["", edit]\n'),
        _file(body="Look.\n"),
        _file(body=""),
    ],
)
def test_refuses_what_qwen_code_refuses(data: bytes) -> None:
    result = read_agent(".qwen/agents/checker.md", data)
    assert isinstance(result, NoAgent)
    assert any(diagnostic.code is Code.WRONG_TYPE for diagnostic in result.diagnostics)


@pytest.mark.parametrize("name", ["Main", "SELF", "_checker", "checker-", "a b", "x" * 51])
def test_names_that_it_refuses_do_not_pass_through(name: str) -> None:
    data = _file().replace(b"checker", name.encode())
    assert not read("checker.md", data, "qwen").passes_through


@pytest.mark.parametrize("name", ["Checker", "Über_Prüfer-2", "prüfer"])
def test_names_that_are_no_slugs_pass_through(name: str) -> None:
    assert read("checker.md", _file().replace(b"name: checker", f"name: {name}".encode()), "qwen").passes_through


def test_a_fence_with_blanks_does_not_pass_through() -> None:
    data = _file("tools: [read_file]\n").replace(b"\n---\nLook", b"\n--- \nLook")
    agent = read("checker.md", data, "qwen")
    assert not agent.passes_through
    assert b"\n---\nLook" in (render(agent, QWEN, WriteOptions()).data or b"")


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ("disallowedTools: [run_shell_command]\n", Approval.SESSION),
        ("disallowedTools: [run_shell_command, monitor]\n", Approval.DENY),
        ("disallowedTools: [Shell, Monitor]\n", Approval.DENY),
        ("tools: [run_shell_command]\ndisallowedTools: [run_shell_command]\n", Approval.DENY),
        ("tools: [monitor]\n", Approval.SESSION),
        ("tools: [monitor]\ndisallowedTools: [run_shell_command]\n", Approval.SESSION),
        ("tools: [read_file]\nexecutor: {kind: acp, command: other}\n", Approval.SESSION),
        ("tools: [exec]\n", Approval.SESSION),
        ('tools: ["*"]\ndisallowedTools: [run_shell_command]\n', Approval.SESSION),
        ('disallowedTools: ["*"]\n', Approval.SESSION),
        ("approvalMode: yolo\n", Approval.ALLOW),
        ("approvalMode: plan\n", Approval.SESSION),
    ],
)
def test_the_shell_is_gone_only_once_all_of_its_names_are(keys: str, left: Approval) -> None:
    assert QWEN.enforced(QWEN.parse(_file(keys), "checker.md")).approval("bash") is left


def test_a_pattern_that_it_takes_for_a_name_is_never_written_as_a_denial() -> None:
    source = read(
        "a.md", b'---\ndescription: "d"\npermissions: {"mcp/data/*_all": deny}\n---\nDo it well, please.\n', "neutral"
    )
    file = render(source, QWEN, WriteOptions())
    assert b"_all" not in (file.data or b"")
    assert any(diagnostic.code is Code.TOOL_LOST for diagnostic in file.diagnostics)
