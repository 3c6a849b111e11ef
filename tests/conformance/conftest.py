"""Skips what cannot be judged here, and keeps count for docs/conformance.md."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from conformance import samples
from conformance.counts import Table
from conformance.oracle import Oracle, shared_folder
from conformance.samples import Files
from conformance.sync import Synced, pull

_TABLE = pytest.StashKey[Table]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--counts", type=Path, metavar="FILE", help="renew the table of counts in this Markdown file")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = Table()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    document: Path | None = session.config.getoption("--counts", None)
    table = session.config.stash.get(_TABLE, Table())
    if document and exitstatus == pytest.ExitCode.OK and table.rows:
        table.renew(document)


@pytest.fixture(scope="session")
def counts(pytestconfig: pytest.Config) -> Table:
    return pytestconfig.stash.setdefault(_TABLE, Table())


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder with the real tools; these tests take a minute, so only who names it gets them."""
    folder = os.environ.get("AGENTSYNC_ORACLES")
    if not folder:
        pytest.skip("AGENTSYNC_ORACLES is not set; `make conformance` sets it")
    return Path(folder)


@pytest.fixture(scope="session")
def shared(tools: Path) -> Path:
    folder = shared_folder()
    if not tools.is_dir() or not folder.is_dir():
        pytest.skip(f"{folder if tools.is_dir() else tools} is not there")
    return folder


@pytest.fixture(scope="session")
def ask(shared: Path, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Oracle]:
    """The oracle of a tool; skips where the tool is not installed."""

    def oracle(tool: str) -> Oracle:
        found = Oracle(tool, shared, tools, tmp_path_factory.mktemp(tool))
        if found.missing:
            pytest.skip(found.missing)
        return found

    return oracle


@pytest.fixture(scope="session")
def files(shared: Path) -> Callable[[str], Files]:
    """The files of a repository by its short name: `seeds`, `synthetic`, `dashes` or one of the public ones."""

    def of(name: str) -> Files:
        match name:
            case "seeds":
                return samples.seeds(shared)
            case "synthetic":
                return samples.synthetic(shared)
            case "dashes":
                return samples.DASHES
            case _:
                return samples.public(shared, samples.PUBLIC[name])

    return of


@pytest.fixture(scope="session")
def synced(files: Callable[[str], Files], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Synced]:
    """A repository, by its short name, after it was pulled; once for all tests."""

    @cache
    def of(name: str) -> Synced:
        return pull(tmp_path_factory.mktemp(name), files(name))

    return of
