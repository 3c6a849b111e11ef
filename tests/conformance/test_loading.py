"""Every file that agentsync writes loads in the tool that it was written for, and every other agent is reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agentsync.dialects import dialects
from conformance import samples
from conformance.counts import Counts
from conformance.oracle import TOOLS, Oracle, Verdict
from conformance.sync import Synced

# Copilot's own files, passed on as they are and reported with a code: its cloud agent and VS Code take a server without
# a `type` or a list of `tools`, and the command line, which is asked here, drops the agent.
DROPPED = {
    "copilot": {
        "cast-imaging-impact-analysis-agent.agent.md",
        "cast-imaging-software-discovery-agent.agent.md",
        "cast-imaging-structural-quality-advisor-agent.agent.md",
        "elasticsearch-agent.agent.md",
    }
}

# There is no sample for it: a list where it wants a map.
_NOT_KILO = "---\ndescription: Has Claude Code's list\nmode: subagent\ntools: [Read]\n---\nRead.\n"


@pytest.mark.parametrize("repository", samples.REPOSITORIES)
@pytest.mark.parametrize("tool", TOOLS)
def test_the_tool_loads_every_file_that_was_written(
    repository: str,
    tool: str,
    *,
    ask: Callable[[str], Oracle],
    synced: Callable[[str], Synced],
    judged: Callable[[str, str], Sequence[Verdict]],
    counts: Counts,
) -> None:
    result, verdicts = synced(repository), judged(repository, tool)

    dropped = DROPPED.get(tool, set()) if repository == "public" else set()
    assert [verdict for verdict in verdicts if not verdict.loaded and verdict.file not in dropped] == []
    written, loaded = result.written(tool), {verdict.file for verdict in verdicts if verdict.loaded}
    assert loaded == written.keys() - dropped
    sources = result.sources(tool)
    assert len(sources) == len(written)
    counts.add(
        samples.REPOSITORIES[repository],
        ask(tool),
        files=len(result.agents),
        written=len(written),
        loaded=len(loaded),
        refused=result.refused(tool),
    )
    if repository == "generated":
        counts.add_generated(tool, (source.partition("/")[0] for source in sources))


@pytest.mark.parametrize("repository", samples.REPOSITORIES)
@pytest.mark.parametrize("tool", TOOLS)
def test_the_tool_calls_each_agent_by_its_name(
    repository: str, tool: str, synced: Callable[[str], Synced], judged: Callable[[str, str], Sequence[Verdict]]
) -> None:
    written = synced(repository).written(tool)

    called = {verdict.file: verdict.name for verdict in judged(repository, tool) if verdict.loaded}

    assert called == {file: written[file].name for file in called}


@pytest.mark.parametrize("tool", TOOLS)
def test_every_seed_reaches_every_tool(tool: str, synced: Callable[[str], Synced]) -> None:
    assert synced("seeds").sources(tool) == synced("seeds").agents


@pytest.mark.parametrize("repository", samples.REPOSITORIES)
@pytest.mark.parametrize("tool", TOOLS)
def test_an_agent_that_is_not_written_is_named_with_a_code(
    repository: str, tool: str, synced: Callable[[str], Synced]
) -> None:
    result = synced(repository)

    missing = result.agents - result.sources(tool)
    silent = {path for path in missing if not (result.codes(path, "error", tool) or result.has_versions(path))}

    assert silent == set()


def test_the_generated_agents_are_read_from_every_dialect(synced: Callable[[str], Synced]) -> None:
    assert {path.partition("/")[0] for path in synced("generated").agents} == dialects().keys()


@pytest.mark.parametrize("tool", TOOLS)
def test_the_oracle_sees_a_file_that_its_tool_does_not_load(
    tool: str, ask: Callable[[str], Oracle], tmp_path: Path
) -> None:
    oracle = ask(tool)
    broken = oracle.shared / "oracles/samples/bad" / tool
    if tool == "kilo":
        broken = tmp_path
        directory = broken / dialects()[tool].project_directories[0]
        directory.mkdir(parents=True)
        (directory / "listed.md").write_text(_NOT_KILO, encoding="utf-8")

    verdicts = oracle.judge(broken)

    assert any(not verdict.loaded for verdict in verdicts)
