"""What Cursor's files may hold that no agent can be made of, and what its loader makes of what is written."""

from __future__ import annotations

import pytest

from agentsync.diagnostics import Code
from agentsync.dialects import dialects
from agentsync.fitting import WriteOptions
from agentsync.render import render
from agentsync.source import NoAgent, read_agent
from support.conversion import read

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
    assert Code.WRONG_TYPE in [found.code for found in result.diagnostics]


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
def test_text_stands_without_quotes_wherever_yaml_takes_it_so(description: str, line: str) -> None:
    """Cursor shows the quotes, since it does not know them."""
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


def test_an_agent_that_denies_what_stays_the_sessions_is_refused_where_that_has_to_hold() -> None:
    source = b'---\nname: x\ndescription: d\npermissions: {"webfetch": deny}\n---\nLook.\n'
    agent = read("x.md", source, "neutral")
    assert render(agent, CURSOR, WriteOptions()).data is not None
    assert render(agent, CURSOR, WriteOptions(strict_approval=True)).data is None
