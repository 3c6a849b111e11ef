"""The contract of every dialect, on golden files: each directory here belongs to one dialect.

Each archive in it with an `input` file is a case of reading. It also holds the output for the dialects in COMPARED,
where `neutral.md` shows how the input was read, and the diagnostics. A refused target has no file.

The archive `written` holds the dialect's output for each agent in `_agents`, and the diagnostics.

`pytest tests/dialects --update-goldens` rewrites the expectations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from agentsync.agents.grants import Grants, wider
from agentsync.agents.model import NEUTRAL
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import is_slug
from agentsync.dialects import Dialect, dialects
from agentsync.repository.dialect_detection import ReadAgent
from agentsync.repository.overrides import overridden
from support.conversion import read, silent_losses, widening
from support.golden import SUFFIX, read_archive, write_archive
from support.thorough import part

HERE = Path(__file__).parent
WRITTEN = "written"
CASES = sorted(path for path in HERE.glob(f"*/*{SUFFIX}") if path.stem != WRITTEN)
AGENTS = sorted((HERE / "_agents").glob("*.md"))
COMPARED = ("claude", "codex", "neutral", "opencode")
OPTIONS = WriteOptions()


def _agent(case: Path) -> ReadAgent:
    """The agent of a case, read from a file named after the case."""
    name, data = _input(read_archive(case))
    return read(case.stem + name.removeprefix("input"), data, case.parent.name)


def _input(files: Mapping[str, bytes]) -> tuple[str, bytes]:
    ((name, data),) = ((name, data) for name, data in files.items() if name.startswith("input."))
    return name, data


@pytest.fixture(params=dialects().values(), ids=lambda target: target.name)
def target(request: pytest.FixtureRequest) -> Dialect:
    assert isinstance(request.param, Dialect)
    return request.param


def test_every_dialect_has_cases() -> None:
    assert {case.parent.name for case in CASES} == dialects().keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_reading_matches_the_golden_files_and_survives_the_round_trip(case: Path, *, update_goldens: bool) -> None:
    agent = _agent(case)
    compared = [dialects()[name] for name in COMPARED if name != case.parent.name]
    rendered = {target.name: render(agent, target, OPTIONS) for target in compared}
    wanted = {
        f"{target.name}{target.suffix}": data for target in compared if (data := rendered[target.name].data) is not None
    }
    diagnostics = {"source": agent.diagnostics} | {name: file.diagnostics for name, file in rendered.items()}
    ordered = {name: wanted[name] for name in sorted(wanted, key=lambda name: (not name.startswith("neutral"), name))}
    name, data = _input(read_archive(case))
    _compare(case, {name: data, **ordered, "diagnostics.txt": _lines(diagnostics)}, update=update_goldens)
    _survives_the_round_trip(agent)


def test_writing_matches_the_golden_files(target: Dialect, *, update_goldens: bool) -> None:
    wanted: dict[str, bytes] = {}
    diagnostics: dict[str, Iterable[Diagnostic]] = {}
    for path in AGENTS:
        file = render(read(path.name, path.read_bytes(), "neutral"), target, OPTIONS)
        diagnostics[path.stem] = file.diagnostics
        if file.data is not None:
            wanted[f"{path.stem}{target.suffix}"] = file.data
    wanted["diagnostics.txt"] = _lines(diagnostics)
    _compare(HERE / target.name / f"{WRITTEN}{SUFFIX}", wanted, update=update_goldens)


@pytest.fixture(params=[*CASES, *AGENTS], ids=lambda path: f"{path.parent.name}-{path.stem}")
def any_agent(request: pytest.FixtureRequest) -> ReadAgent:
    """The agent of a case, or one of `_agents`."""
    path = request.param
    assert isinstance(path, Path)
    return _agent(path) if path.suffix == SUFFIX else read(path.name, path.read_bytes(), "neutral")


@pytest.mark.parametrize("dialect", dialects().values(), ids=dialects())
def test_a_slug_that_a_tool_does_not_take_gets_a_form_of_its_own(dialect: Dialect) -> None:
    slugs = {"x", "1", "3d-artist", "reviewer", "a" * 200, "a" * 199 + "b", *filter(is_slug, dialect.names.reserved)}
    adapted = {slug: dialect.names.adapted(slug) for slug in slugs}
    assert len({*adapted.values()}) == len(slugs)
    assert all(is_slug(slug) and dialect.names.takes(slug) for slug in adapted.values())
    assert adapted["reviewer"] == "reviewer"


def test_every_output_keeps_the_contract(any_agent: ReadAgent) -> None:
    """Output reads back without unreported losses, and grants no more: of half of the targets, in turn."""
    for target in part([*dialects().values()], of=2, first=len(any_agent.document.data)):
        file = render(any_agent, target, OPTIONS)
        intended = overridden(any_agent.agent, target, ()).agent
        if file.data is None or intended is None:
            reasons = [
                diagnostic.severity is Severity.ERROR or diagnostic.code is Code.EXCLUDED
                for diagnostic in file.diagnostics
            ]
            assert any(reasons), target.name
            continue
        back = read(file.path, file.data, target.name)
        assert not back.document.repaired, target.name
        assert back.passes_through, target.name
        assert silent_losses(intended, back.agent, file.diagnostics) == [], target.name
        if target is not any_agent.dialect:
            assert widening(intended, file.data, target, OPTIONS) is None, target.name


def test_a_model_is_written_by_its_name_in_the_configuration(target: Dialect) -> None:
    """Even a name with a slash, as that of a gateway; agentsync's own format has no such names."""
    if "model" not in target.carries or target.name == NEUTRAL:
        return
    source = b"---\nname: reviewer\ndescription: Reviews changes.\nmodel: acme/x\n---\nPlease review the changes.\n"
    options = WriteOptions(models={"acme/x": "router/acme/x"})
    assert b"router/acme/x" in (render(read("reviewer.md", source, NEUTRAL), target, options).data or b"")


def _survives_the_round_trip(agent: ReadAgent) -> None:
    """Its own dialect keeps the bytes, or the meaning of a repaired file, and neutral keeps everything."""
    if agent.passes_through:
        assert render(agent, agent.dialect, OPTIONS).data == agent.document.data
    _keeps_its_meaning_in_its_own_dialect(agent)
    _keeps_everything_in_neutral(agent)


def _keeps_its_meaning_in_its_own_dialect(agent: ReadAgent) -> None:
    """A repaired file is written with its own permissions, so the tool enforces the same."""
    writing = agent.dialect.write(agent.agent, OPTIONS)
    assert writing.data is not None
    back = read(f"{agent.agent.slug}{agent.dialect.suffix}", writing.data, agent.dialect.name)
    assert _alike(agent.dialect.enforced(back.document), agent.dialect.enforced(agent.document))
    assert _alike(back.agent.grants, agent.agent.grants)
    assert back.agent.native == agent.agent.native
    renamed = tuple(diagnostic for diagnostic in writing.diagnostics if diagnostic.code is Code.NAME_CHANGED)
    assert silent_losses(agent.agent, back.agent, renamed) == []  # its own tool loses nothing else, even if reported


def _keeps_everything_in_neutral(agent: ReadAgent) -> None:
    """Reading the neutral form gives the same agent, except for fields that only its own dialect has."""
    file = render(agent, dialects()["neutral"], OPTIONS)
    assert file.data is not None, file.diagnostics
    back = read(file.path, file.data, "neutral").agent
    own = {"dialect", "own_permissions", "filled", "native", "unknown", "mcp_servers", "hooks", "targets", "grants"}
    assert back.model_dump(exclude=own) == agent.agent.model_dump(exclude=own)
    assert _alike(back.grants, agent.agent.grants)


def _alike(one: Grants, other: Grants) -> bool:
    return wider(one, other) is None and wider(other, one) is None


def _lines(diagnostics: Mapping[str, Iterable[Diagnostic]]) -> bytes:
    """One line for each diagnostic: code, target, message."""
    lines = (
        f"{diagnostic.code.id} {place} {diagnostic.message}\n"
        for place, several in diagnostics.items()
        for diagnostic in several
    )
    return "".join(lines).encode()


def _compare(path: Path, wanted: Mapping[str, bytes], *, update: bool) -> None:
    if update:
        write_archive(path, wanted)
    assert read_archive(path) == wanted
