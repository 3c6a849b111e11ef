"""Skips what cannot be judged here, and keeps count for docs/conformance.md."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from conformance import samples
from conformance.oracle import Oracle, shared_folder
from conformance.sync import Synced, pull

_BEGIN, _END = "<!-- counted -->\n", "<!-- end of what was counted -->\n"


@dataclass(frozen=True, slots=True)
class Table:
    """The counts of one run, by repository and tool."""

    versions: dict[str, str] = field(default_factory=dict)
    rows: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def add(self, repository: str, oracle: Oracle, *, agents: int, loaded: int, refused: Mapping[str, int]) -> None:
        """Counts what one tool was given of one repository."""
        self.versions[oracle.tool] = oracle.version
        codes = ", ".join(f"{count} {code}" for code, count in sorted(refused.items())) or "none"
        self.rows[repository, oracle.tool] = (str(agents), str(loaded), codes)

    def markdown(self) -> str:
        head = "| repository | tool | agents | loaded by the tool | refused |\n| --- | --- | ---: | ---: | --- |\n"
        body = [
            f"| {repository} | {tool} {self.versions[tool]} | {' | '.join(cells)} |\n"
            for (repository, tool), cells in sorted(self.rows.items())
        ]
        return head + "".join(body)


_TABLE = pytest.StashKey[Table]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--counts", type=Path, metavar="FILE", help="renew the table of counts in this Markdown file")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = Table()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    document: Path | None = session.config.getoption("--counts", None)
    table = session.config.stash.get(_TABLE, Table())
    if document is None or exitstatus != pytest.ExitCode.OK or not table.rows:
        return
    before, _, rest = document.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    document.write_text(f"{before}{_BEGIN}\n{table.markdown()}\n{_END}{after}", encoding="utf-8")


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
def synced(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Synced]:
    """A pulled repository by its short name: `seeds`, `synthetic`, `dashes` or one of the public ones."""

    @cache
    def of(name: str) -> Synced:
        match name:
            case "seeds":
                files = samples.seeds(shared)
            case "synthetic":
                files = samples.synthetic(shared)
            case "dashes":
                files = samples.DASHES
            case _:
                files = samples.public(shared, samples.PUBLIC[name])
        return pull(tmp_path_factory.mktemp(name), files)

    return of
