"""What every dialect has to keep, on golden files: each folder here is one dialect's, each folder in it one case.

A case is an `input` file and, beside it, what it becomes for each other dialect and what is told of that. A refused
target has no file. `pytest tests/dialects --update-goldens` writes the expectations anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsync.diagnostics import Severity
from agentsync.dialects import Dialect, dialects
from agentsync.fitting import WriteOptions
from agentsync.render import RenderedFile, render
from agentsync.source import ReadAgent
from support.conversion import read, silent_losses, widening

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/*/input.*"))
OPTIONS = WriteOptions()


@pytest.fixture(params=CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def case(request: pytest.FixtureRequest) -> Path:
    assert isinstance(request.param, Path)
    return request.param


@pytest.fixture
def agent(case: Path) -> ReadAgent:
    """The case's agent; its file counts as called like the case."""
    dialect = dialects()[case.parent.name]
    return read(case.name + dialect.suffix, (case / f"input{dialect.suffix}").read_bytes(), dialect.name)


@pytest.fixture(params=dialects().values(), ids=lambda target: target.name)
def target(request: pytest.FixtureRequest) -> Dialect:
    assert isinstance(request.param, Dialect)
    return request.param


def test_every_dialect_has_cases() -> None:
    assert {case.parent.name for case in CASES} == dialects().keys()


def test_says_what_the_golden_files_say(case: Path, agent: ReadAgent, *, update_goldens: bool) -> None:
    rendered = {name: render(agent, target, OPTIONS) for name, target in dialects().items() if name != case.parent.name}
    wanted = {f"{name}{dialects()[name].suffix}": file.data for name, file in rendered.items() if file.data is not None}
    wanted["diagnostics.txt"] = _diagnostics(agent, rendered).encode()
    if update_goldens:
        _write(case, wanted)
    found = {path.name: path.read_bytes() for path in case.iterdir() if path.stem != "input"}
    assert found == wanted


def test_writing_is_deterministic(agent: ReadAgent, target: Dialect) -> None:
    assert render(agent, target, OPTIONS) == render(agent, target, OPTIONS)


def test_its_own_dialect_gets_the_bytes_as_they_are(case: Path, agent: ReadAgent) -> None:
    target = dialects()[case.parent.name]
    if agent.passes_through:
        assert render(agent, target, OPTIONS).data == (case / f"input{target.suffix}").read_bytes()


def test_the_output_reads_back(agent: ReadAgent, target: Dialect) -> None:
    file = render(agent, target, OPTIONS)
    if file.data is None:
        assert any(found.severity is Severity.ERROR for found in file.diagnostics)
        return
    back = read(file.path, file.data, target.name)
    assert not back.document.repaired
    assert back.passes_through
    assert silent_losses(agent.agent, back.agent, file.diagnostics) == []


def test_the_output_grants_no_more(agent: ReadAgent, target: Dialect) -> None:
    file = render(agent, target, OPTIONS)
    if file.data is not None and target is not agent.dialect:
        assert widening(agent.agent, file.data, target, OPTIONS) is None


def test_writing_in_its_own_dialect_changes_no_meaning(agent: ReadAgent) -> None:
    """What a repaired file gets: its own permissions as they stand, so that the tool does what it did."""
    writing = agent.dialect.write(agent.agent, OPTIONS)
    assert writing.data is not None
    back = read(f"{agent.agent.slug}{agent.dialect.suffix}", writing.data, agent.dialect.name)
    assert agent.dialect.enforced(back.document) == agent.dialect.enforced(agent.document)
    assert back.agent.grants == agent.agent.grants
    assert back.agent.native == agent.agent.native
    assert silent_losses(agent.agent, back.agent, writing.diagnostics) == []


def _diagnostics(agent: ReadAgent, rendered: dict[str, RenderedFile]) -> str:
    """One line each: code, target (`source` for what reading found), message."""
    told = [("source", found) for found in agent.diagnostics]
    told += [(name, found) for name, file in rendered.items() for found in file.diagnostics]
    return "".join(f"{found.code.id} {target} {found.message}\n" for target, found in told)


def _write(case: Path, wanted: dict[str, bytes]) -> None:
    for path in case.iterdir():
        if path.stem != "input":
            path.unlink()
    for name, data in wanted.items():
        (case / name).write_bytes(data)
