"""Fixtures that skip tools that are not installed, and keep counts for docs/conformance.md."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

from conformance import facts, running, samples, selection, sync
from conformance.counts import Counts
from conformance.oracle import Oracle, Verdict, shared_directory
from conformance.running import InHand
from conformance.sync import Synced, pull

# How many agents Claude Code is asked about at once; of some thousands it names no tools.
_TOGETHER = 500

_COUNTS = pytest.StashKey[Counts]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--counts", type=Path, metavar="FILE", help="renew the tables of counts in this Markdown file")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COUNTS] = Counts()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    document: Path | None = session.config.getoption("--counts", None)
    counts = session.config.stash.get(_COUNTS, Counts())
    if document and exitstatus == pytest.ExitCode.OK and counts.rows:
        counts.renew(document)


@pytest.fixture(scope="session")
def counts(pytestconfig: pytest.Config) -> Counts:
    return pytestconfig.stash.setdefault(_COUNTS, Counts())


@pytest.fixture(scope="session")
def tools() -> Path:
    """The directory with the real tools; these tests take minutes, so they run only where it is set."""
    directory = os.environ.get("AGENTSYNC_ORACLES")
    if not directory:
        pytest.skip("AGENTSYNC_ORACLES is not set; `make conformance` sets it")
    return Path(directory)


@pytest.fixture(scope="session")
def shared(tools: Path) -> Path:
    directory = shared_directory()
    if not tools.is_dir() or not directory.is_dir():
        pytest.skip(f"{directory if tools.is_dir() else tools} is not there")
    return directory


@pytest.fixture(scope="session")
def ask(shared: Path, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Oracle]:
    """The oracle of a tool; skips where the tool is not installed."""

    def oracle(tool: str) -> Oracle:
        oracle = Oracle(tool, shared, tools, tmp_path_factory.mktemp(tool))
        if oracle.missing:
            pytest.skip(oracle.missing)
        return oracle

    return oracle


@pytest.fixture(scope="session")
def synced(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Synced]:
    """A repository, by its short name, after it was pulled; once for all tests."""

    @cache
    def of(name: str) -> Synced:
        return pull(tmp_path_factory.mktemp(name), samples.repository(name, shared))

    return of


@pytest.fixture(scope="session")
def judged(ask: Callable[[str], Oracle], synced: Callable[[str], Synced]) -> Callable[[str, str], Sequence[Verdict]]:
    """A tool's verdicts on all of its files of a repository; it is asked once for all tests."""

    @cache
    def of(repository: str, tool: str) -> Sequence[Verdict]:
        written = synced(repository).written(tool)
        verdicts = ask(tool).judge(synced(repository).project(tool))
        return [
            replace(verdict, loaded=verdict.loaded or facts.is_whole(verdict, written[verdict.file]))
            for verdict in verdicts
        ]

    return of


@pytest.fixture(scope="session")
def rosters(
    ask: Callable[[str], Oracle], synced: Callable[[str], Synced], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Mapping[str, Sequence[str]]]:
    """By file, the tools that Claude Code names for each agent of a repository, where it names them in one line."""

    @cache
    def of(repository: str) -> Mapping[str, Sequence[str]]:
        verdicts: list[Verdict] = []
        remaining = iter(synced(repository).written("claude").items())
        while batch := dict(islice(remaining, _TOGETHER)):
            project = tmp_path_factory.mktemp("batch")
            sync.copy("claude", batch, project)
            verdicts += ask("claude").judge(project)
        return {verdict.file: names for verdict in verdicts if (names := facts.roster(verdict.resolved)) is not None}

    return of


@pytest.fixture(scope="session")
def in_hand(
    tools: Path,
    ask: Callable[[str], Oracle],
    synced: Callable[[str], Synced],
    rosters: Callable[[str], Mapping[str, Sequence[str]]],
) -> Callable[[str, str], Mapping[str, InHand]]:
    """By file, the tools that running agents of a tool and a repository have: a part of them, started one by one."""

    @cache
    def of(tool: str, repository: str) -> Mapping[str, InHand]:
        ask(tool)  # which skips where it is not installed
        unlisted = synced(repository).written("claude").keys() - rosters(repository).keys() if tool == "claude" else ()
        chosen = selection.to_run(synced(repository), tool, repository, unlisted)
        names = {file: written.running_name for file, written in chosen.items()}
        found = running.of(tool, tools, {names[file]: written.path for file, written in chosen.items()})
        return {file: found[name] for file, name in names.items()}

    return of
