"""Files that Vibe refuses, and files that would keep it from starting."""

from __future__ import annotations

import pytest

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read, spares_other_tools

VIBE = dialects()["vibe"]
HEAD = 'description = "Reviews"\nagent_type = "subagent"\n'


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param('agent_type = "subagent"\n', id="no description"),
        pytest.param("description = 3\n", id="a number for a description"),
        pytest.param(f"{HEAD}instructions = 3\n", id="a number for instructions"),
        pytest.param(f'{HEAD}enabled_tools = "read_file"\n', id="text for a list"),
        pytest.param(f"{HEAD}disabled_tools = [1]\n", id="numbers for names"),
        pytest.param(f'{HEAD}tools = ["read_file"]\n', id="a list for tables"),
        pytest.param(f'{HEAD}outside_workdir = "no"\n', id="a policy that there is not"),
    ],
)
def test_a_file_that_vibe_rejects_is_not_an_agent(lines: str) -> None:
    assert isinstance(read_agent("x.toml", lines.encode(), "vibe"), NoAgent)


@pytest.mark.parametrize("lines", ['description = "d"\nagent_type = "Subagent"\n', f'{HEAD}safety = "readonly"\n'])
def test_a_value_that_restricts_nothing_costs_vibe_only(lines: str) -> None:
    grants = spares_other_tools("x.toml", f'{lines}enabled_tools = ["read_file"]\n'.encode(), "vibe")
    assert grants.approval("read")
    assert not grants.approval("bash")


@pytest.mark.parametrize("name", ["main", "ask", "accept-edits", "explore"])
def test_a_name_of_vibes_own_is_refused_or_adapted(name: str) -> None:
    """A subagent named after the initial mode of a session keeps Vibe from starting."""
    assert isinstance(read_agent(f"{name}.toml", HEAD.encode(), "vibe"), NoAgent)
    source = f"---\nname: {name}\ndescription: d\n---\nLook.\n".encode()
    file = render(read("x.md", source, "claude"), VIBE, WriteOptions())
    assert file.path == f"{name}-agent.toml"
    assert Code.NAME_CHANGED in {diagnostic.code for diagnostic in file.diagnostics}


def test_instructions_that_are_too_long_are_refused() -> None:
    source = b"---\nname: x\ndescription: d\n---\n" + b"y" * 65_537
    assert render(read("x.md", source, "claude"), VIBE, WriteOptions()).data is None
    assert render(read("x.md", source[:-1], "claude"), VIBE, WriteOptions()).data is not None


def test_an_agent_for_users_keeps_its_type() -> None:
    agent = read("Own One.toml", b'description = "d"\ninstructions = "Look."\n', "vibe").agent
    data = VIBE.write(agent, WriteOptions()).data
    assert data is not None
    assert b'agent_type = "agent"' in data
