"""Files of Cursor's that are refused, and how its loader reads files that are written."""

from __future__ import annotations

import pytest

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read
from support.grants import available

CURSOR = dialects()["cursor"]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("name: x\nteam:\n  readonly: true\n", id="within another value"),
        pytest.param("name: x\ndescription: |\n  Reads.\n  readonly: false\n", id="within a text of several lines"),
    ],
)
def test_a_switch_that_only_cursor_sees_is_refused(head: str) -> None:
    result = read_agent("x.md", f"---\n{head}---\nLook.\n".encode(), "cursor")
    assert isinstance(result, NoAgent)
    assert Code.WRONG_TYPE in [diagnostic.code for diagnostic in result.diagnostics]


def test_a_file_loads_whatever_its_name() -> None:
    assert read("x.md", b"---\nname: Code Reviewer\ndescription: Reads\n---\nLook.\n", "cursor").passes_through


def test_an_agent_without_instructions_is_refused() -> None:
    result = read_agent("x.md", b"---\nname: x\ndescription: Reads\n---\n\n", "cursor")
    assert isinstance(result, NoAgent)


@pytest.mark.parametrize(
    ("description", "line"),
    [
        ("Reviews code", "description: Reviews code"),
        ("Reviews code, tests: none", 'description: "Reviews code, tests: none"'),
        ("Runs a:b and C#", "description: Runs a:b and C#"),
        ("true", 'description: "true"'),
        ("2 of them", 'description: "2 of them"'),
        ("Two\nlines", 'description: "Two\\nlines"'),
    ],
)
def test_text_is_written_without_quotes_where_yaml_allows_it(description: str, line: str) -> None:
    """Cursor does not parse quotes, so it would show them."""
    source = f"---\nname: x\ndescription: {description!r}\n---\nLook.\n".replace("'", '"')
    file = render(read("x.md", source.encode(), "claude"), CURSOR, WriteOptions())
    assert file.data is not None
    assert line in file.data.decode().splitlines()


def test_a_value_of_several_lines_is_written_on_one() -> None:
    """A second line would be a key of its own to Cursor."""
    source = b'---\nname: "Code Reviewer"\ndescription: Reads\nteam:\n  lead: a\n  tags: [b, "c: d"]\n---\nLook.\n'
    agent = read("x.md", source, "cursor").agent
    data = CURSOR.write(agent, WriteOptions()).data
    assert data is not None
    assert b'team: {"lead": "a", "tags": ["b", "c: d"]}\n' in data


def test_a_denial_that_the_session_decides_is_refused_under_strict_approval() -> None:
    source = b'---\nname: x\ndescription: d\npermissions: {"webfetch": deny}\n---\nLook.\n'
    agent = read("x.md", source, "neutral")
    assert render(agent, CURSOR, WriteOptions()).data is not None
    assert render(agent, CURSOR, WriteOptions(strict_approval=True)).data is None


@pytest.mark.parametrize(
    ("data", "restricted"),
    [
        (b"---\nname: x\nreadonly: true\n---\nLook.\n", True),
        (b"---\nname: x\nreadonly: True\n---\nLook.\n", True),
        (b"---\r\nname: x\r\nreadonly: true\r\n---\r\nLook.\r\n", True),
        (b"--- \nname: x\nreadonly: true\n---\nLook.\n", True),
        (b"---\nname: x\nreadonly: true\n--- \nLook.\n", True),
        (b"---\nname: x\nreadonly: false\n---\nLook.\n", False),
        (b"---\nname: x\nreadonly: 'true'\n---\nLook.\n", False),
        (b"---\nname: x\n# readonly: true\n---\nLook.\n", False),
        (b"---\nname: x\n---\nreadonly: true\n", False),
    ],
)
def test_what_the_switch_leaves(data: bytes, *, restricted: bool) -> None:
    reading = {"read", "grep", "glob", "list", "external_directory"}
    most = CURSOR.enforced(CURSOR.parse(data, "x.md"))
    assert available(most) == (reading if restricted else reading | {"bash", "write", "edit", "notebook"})


@pytest.mark.parametrize("fence", ["---", "--- ", "---\r"])
def test_a_switch_stays_when_its_file_is_rewritten(fence: str) -> None:
    data = f"{fence}\nname: x\ndescription: 'It''s'\nreadonly: true\nteam: [a]\n---\nLook.\n".encode()
    written = CURSOR.write(read("x.md", data, "cursor").agent, WriteOptions()).data
    assert b"\nreadonly: true\n" in (written or b"")


def test_a_switch_behind_an_empty_head_is_refused() -> None:
    assert isinstance(read_agent("x.md", b"---\n---\nreadonly: true\n---\nLook.\n", "cursor"), NoAgent)


def test_an_agent_that_may_not_read_is_refused() -> None:
    source = b"---\nname: x\ndescription: Finds\ntools: Glob\n---\nLook.\n"
    assert render(read("x.md", source, "claude"), CURSOR, WriteOptions()).data is None
