"""Every file that agentsync writes loads in the tool that it was written for, and what it does not write it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentsync.source import path_matches
from conformance import samples
from conformance.counts import Table
from conformance.oracle import TOOLS, Oracle
from conformance.samples import Files
from conformance.sync import Synced

REPOSITORIES = ("seeds", *samples.PUBLIC)


@pytest.mark.parametrize("repository", REPOSITORIES)
@pytest.mark.parametrize("tool", TOOLS)
def test_the_tool_loads_every_file_that_was_written(
    repository: str,
    tool: str,
    ask: Callable[[str], Oracle],
    synced: Callable[[str], Synced],
    counts: Table,
) -> None:
    oracle, result = ask(tool), synced(repository)

    deep = ("--deep",) if (repository, tool) == ("seeds", "claude") else ()
    verdicts = oracle.judge(result.project, *deep)

    assert [verdict for verdict in verdicts if not verdict.loaded] == []
    assert {verdict.file for verdict in verdicts} == result.files(tool)
    agents = len({change["source_path"] for change in result.report["changes"]})
    title = samples.PUBLIC.get(repository, repository)
    counts.add(title, oracle, agents=agents, loaded=len(verdicts), refused=result.refused(tool))


@pytest.mark.parametrize("tool", TOOLS)
def test_every_seed_reaches_every_tool(
    tool: str, files: Callable[[str], Files], synced: Callable[[str], Synced]
) -> None:
    assert synced("seeds").sources(tool) == files("seeds").keys()


@pytest.mark.parametrize("repository", samples.PUBLIC)
@pytest.mark.parametrize("tool", TOOLS)
def test_an_agent_that_is_not_written_is_named_with_a_code(
    repository: str, tool: str, shared: Path, files: Callable[[str], Files], synced: Callable[[str], Synced]
) -> None:
    result = synced(repository)
    globs = samples.public_globs(shared, samples.PUBLIC[repository])
    agents = {
        path
        for path, data in files(repository).items()
        if data.startswith(b"---") and any(path_matches(glob, path) for glob in globs)
    }

    silent = {path for path in agents - result.sources(tool) if not result.codes(path, "error", tool)}

    assert silent == set()


@pytest.mark.parametrize("tool", TOOLS)
def test_the_oracle_sees_a_file_that_its_tool_does_not_load(tool: str, ask: Callable[[str], Oracle]) -> None:
    oracle = ask(tool)

    verdicts = oracle.judge(oracle.shared / "oracles/samples/bad" / tool)

    assert any(not verdict.loaded for verdict in verdicts)
