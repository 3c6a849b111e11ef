"""What is fetched of large repositories, and of submodules: whole runs over real servers on loopback."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agentsync.config import Config
from agentsync.config.tables import AuthTable, SourceTable, TargetTable
from agentsync.core.codes import Severity
from agentsync.core.errors import SourceRefusedError, SourceUnavailableError
from agentsync.core.paths import AppPaths
from agentsync.git.bare_repository import BareRepository
from agentsync.git.mirror import Mirror
from agentsync.service.polling import FetchPolicy, Polling
from agentsync.sync.cycle import run
from agentsync.sync.fetch import Fetches, Retries, mirror_of
from agentsync.sync.fetched_files import FetchedFiles
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Scope, SyncRequest
from support.clock import Clock
from support.gitserver import GitServer, basic
from support.machine import agent
from support.repository import Repository

_NOISE = random.Random(1).randbytes(400_000)  # noqa: S311 - the same in every run, and git cannot compress it


class Machine:
    """A machine that syncs one source to Claude Code's agents."""

    def __init__(self, root: Path, url: str) -> None:
        self.directory = root / "agents"
        self.app_paths = AppPaths(root / "state", root / "cache")
        self.table = SourceTable(url=url, allow_http=True, allow_local=True, timeout=20)

    @property
    def mirror(self) -> Mirror:
        return mirror_of(self.app_paths, "team", self.table.url)

    @property
    def fetched_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.mirror.directory.rglob("*.pack"))

    def configure(self, **settings: object) -> None:
        self.table = SourceTable.model_validate(self.table.model_dump(exclude_unset=True) | settings)

    def run(self, fetches: Fetches | None = None, scope: Scope = Scope.APPLY) -> Report:
        config = Config(
            version=1,
            sources={"team": self.table},
            targets={"claude": TargetTable(path=self.directory, create=True)},
        )
        return run(Environment(config, self.app_paths, fetches=fetches or Fetches()), SyncRequest(scope))

    def error(self, fetches: Fetches | None = None) -> str:
        [source] = self.run(fetches).sources
        return str(source.error or "")

    @property
    def agents(self) -> set[str]:
        return {path.stem for path in self.directory.iterdir()}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A large source, with the settings of a server that filters."""
    source = Repository(tmp_path / "served" / "source.git")
    source.git("config", "uploadpack.allowFilter", "true")
    source.write({"agents/one.md": agent("one"), "large/x.bin": _NOISE})
    source.commit()
    return source


@pytest.fixture
def machine(tmp_path: Path, server: GitServer) -> Machine:
    return Machine(tmp_path / "machine", server.url("source.git"))


@pytest.mark.parametrize("subfolder", ["", "agents"])
@pytest.mark.parametrize(
    ("filters", "protocol_v2", "is_partial"),
    # The last server filters, and does not send what only an id leads to.
    [(True, True, True), (False, True, False), (True, False, False)],
)
def test_of_a_large_repository_only_what_is_read_is_fetched(
    repository: Repository,
    server: GitServer,
    machine: Machine,
    *,
    subfolder: str,
    filters: bool,
    protocol_v2: bool,
    is_partial: bool,
) -> None:
    server.protocol_v2 = protocol_v2
    repository.git("config", "uploadpack.allowFilter", str(filters).lower())
    # What the manifest names, and what settings take in, is found in what was fetched before.
    opencode = '{"agent": {"four": {"description": "4", "mode": "subagent", "prompt": "{file:./texts/4.txt}"}}}'
    five = '"five": {"mode": "subagent", "prompt": "{file:./texts/5.txt}"}'
    opencode = opencode.replace('"four"', f'{five}, "four"')
    repository.write({"agents/huge.md": agent("huge") + "x" * (1 << 20), "texts/5.txt": "x" * (1 << 21)})
    include = '["agents/**", "special/*.txt", "opencode.json"]' if not subfolder else '["*.md"]'
    repository.write({"agentsync.toml": f"version = 1\n[agents]\ninclude = {include}\n"})
    repository.write({"special/three.txt": agent("three"), "opencode.json": opencode, "texts/4.txt": "Four.\n"})
    modules = '[submodule "x"]\n\tpath = x\n\turl = https://example.org/x.git\n'  # which git wants to check
    repository.write({".gitmodules": modules})
    first = repository.commit()
    machine.configure(subfolder=subfolder)
    report = machine.run()
    assert not report.sources[0].error
    refused = {(one.code.id, one.path) for one in report.diagnostics if one.severity is Severity.ERROR}
    too_large = {("AS120", "agents/huge.md"), ("AS130", "opencode.json:five")}
    assert refused == {each for each in too_large if each[1].startswith(subfolder)}
    repository.write({"agents/two.md": agent("two"), "large/x.bin": _NOISE[::-1]})
    second = repository.commit()
    assert not machine.error()
    expected = {"one", "two"} if subfolder else {"one", "two", "three", "four"}
    assert machine.agents == expected
    assert machine.mirror.is_ancestor(first, second)
    assert (machine.fetched_bytes < 10_000) is is_partial
    git_dir = machine.mirror.directory
    BareRepository(git_dir, machine.app_paths.git_home).repack()
    assert len(list(git_dir.rglob("*.pack"))) == 1
    repository.path.rename(repository.path.with_name("away"))  # nothing that is read later needs the network
    shutil.rmtree(machine.directory)
    machine.directory.mkdir()
    aside = list(git_dir.parent.glob("*.corrupt-*"))
    assert machine.error()
    assert machine.agents == expected
    assert list(git_dir.parent.glob("*.corrupt-*")) == aside


def test_a_large_mirror_that_is_whole_gets_no_more_than_what_is_read(
    repository: Repository, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.git("config", "uploadpack.allowFilter", "false")
    assert not machine.error()
    assert not machine.mirror.is_partial
    assert not list(machine.mirror.directory.rglob("*.promisor"))
    (machine.mirror.directory / "agentsync-whole").unlink()  # as mirrors were before there were partial ones
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.write({"agents/two.md": agent("two"), "large/y.bin": _NOISE[::-1]})
    repository.commit()
    monkeypatch.setattr("agentsync.git.partial._SMALL_BYTES", 100_000)
    before = machine.fetched_bytes
    assert not machine.error()
    assert machine.agents == {"one", "two"}
    assert machine.fetched_bytes - before < 10_000


def test_other_settings_bring_what_was_left_out_although_nobody_is_asked(
    repository: Repository, machine: Machine
) -> None:
    repository.write({"other/two.txt": agent("two")})
    repository.commit()
    repository.write({"large/y.bin": "not read"})  # the newest commit changes nothing of what is read
    repository.commit()
    polling = Polling(clock=Clock())
    assert not machine.error(polling.fetches(FetchPolicy.DUE))
    assert machine.agents == {"one"}
    machine.configure(include=["other/*"])
    [source] = machine.run(scope=Scope.LOOK).sources
    assert "were not fetched yet" in str(source.error)
    assert not machine.error(polling.fetches(FetchPolicy.NONE))
    assert machine.agents == {"two"}


def test_content_that_does_not_arrive_backs_off_and_the_last_good_agents_stay(
    repository: Repository, server: GitServer, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    polling = Polling(clock=clock, chance=lambda: 1.0)
    assert not machine.error(polling.fetches(FetchPolicy.DUE))
    repository.write({"agents/two.md": agent("two")})
    repository.commit()
    monkeypatch.setattr("agentsync.sync.fetch._RETRIES", Retries(sleep=lambda _seconds: None))
    packs = server.packs

    def cut_content() -> None:
        server.mode = "cut" if server.packs > packs else "serve"

    server.on_request = cut_content
    waits = []
    for _ in range(3):
        assert machine.error(polling.fetches(FetchPolicy.DUE))
        assert machine.agents == {"one"}
        waits.append(polling.wait(machine.mirror) or 0)
        clock.now += waits[-1]
    assert waits == sorted(set(waits))
    server.on_request, server.mode = lambda: None, "serve"
    assert not machine.error(polling.fetches(FetchPolicy.DUE))
    assert machine.agents == {"one", "two"}


def test_a_defect_in_a_large_repository_has_all_of_it_fetched(repository: Repository, machine: Machine) -> None:
    repository.commit_in_a_bad_time_zone()
    repository.write({"agents/two.md": agent("two")})
    repository.commit()
    assert not machine.error()
    assert machine.agents == {"one", "two"}
    assert not machine.mirror.is_partial


def _pin(repository: Repository, modules: dict[str, tuple[str, str]]) -> str:
    """Commit submodules: the URL and the commit of each by its path."""
    texts = (f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, (url, _) in modules.items())
    repository.write({".gitmodules": "".join(texts)})
    for path, (_, commit) in modules.items():
        repository.submodule(path, commit)
    return repository.commit()


def _other(repository: Repository, name: str, *agents: str) -> Repository:
    other = Repository(repository.path.with_name(f"{name}.git"))
    other.write({f"agents/{each}.md": agent(each) for each in agents})
    other.commit()
    return other


@pytest.mark.parametrize("protocol_v2", [True, False])
def test_submodules_are_followed_where_the_configuration_allows(
    repository: Repository, server: GitServer, machine: Machine, *, protocol_v2: bool
) -> None:
    server.protocol_v2 = protocol_v2
    inner, shared = _other(repository, "inner", "deep"), _other(repository, "shared", "two", "README")
    pinned = _pin(shared, {"vendor/inner": ("../inner.git", inner.head)})
    shared.write({"agents/later.md": agent("later")})
    shared.commit()  # which the source does not have yet
    unread = {"docs/skills/more": ("./nowhere.git", "1" * 40), "none": ("../none.git", "2" * 40)}
    _pin(repository, {"shared": (server.url("shared.git"), pinned), **unread})
    assert not machine.error()
    assert machine.agents == {"one"}
    machine.configure(submodules="follow", exclude=["none/"])
    [source] = machine.run(scope=Scope.LOOK).sources
    assert "was not fetched yet" in str(source.error)
    report = machine.run()
    assert not machine.error()
    assert machine.agents == {"one", "two", "deep"}
    assert "AS224" not in {diagnostic.code.id for diagnostic in report.diagnostics}
    requests = len(server.seen)
    assert not machine.error()
    assert len(server.seen) - requests <= 2  # what is here is not asked for again
    _pin(repository, {"shared": ("../shared.git", shared.head), **unread})
    inner.path.rename(inner.path.with_name("away"))  # so this commit's files cannot be read
    shared.write({"vendor/more.md": "x"})
    _pin(shared, {"vendor/inner": ("../inner.git", "3" * 40)})
    _pin(repository, {"shared": ("../shared.git", shared.head), **unread})
    assert "inner.git" in machine.error()
    shutil.rmtree(machine.directory)
    machine.directory.mkdir()
    assert machine.error()
    assert machine.agents == {"one", "two", "deep"}


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("ext::sh -c touch% {}", "ext URLs are not allowed"),
        ("/{}", "local paths are not allowed"),
        ("file:///{}", "local paths are not allowed"),
        ("--upload-pack=touch {}", "local paths are not allowed"),
        ("ssh://-oProxyCommand=touch {}/x", "strange hostname"),
        ("http://127.0.0.1:1/x.git", "http URLs are not allowed"),
        ("../../../../x.git", "leads above the repository's host"),
        ("", "URL is empty"),
        ("x\n\tpath = elsewhere", "has no URL"),
    ],
)
def test_a_submodule_is_fetched_from_no_place_that_the_source_may_not_be_at(
    tmp_path: Path, repository: Repository, machine: Machine, url: str, cause: str
) -> None:
    mark = tmp_path / "mark"
    _pin(repository, {"shared": (url.format(mark), "1" * 40)})
    assert not machine.error()
    listed = {entry.path: entry.blob for entry in machine.mirror.tree(repository.head)}
    machine.mirror.fetch_content([listed[".gitmodules"]], machine.table.remote())
    over_https = replace(machine.table.remote(), allow_http=False)  # of which a test has no server
    files = FetchedFiles(machine.mirror.directory, machine.app_paths.git_home, over_https)
    files.tree(repository.head)
    with pytest.raises((SourceUnavailableError, SourceRefusedError), match=cause):
        files.tree(listed["shared"])
    assert not mark.exists()


def test_credentials_go_to_the_host_of_the_source_only(
    tmp_path: Path, repository: Repository, server: GitServer, machine: Machine
) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    machine.configure(submodules="follow", auth=AuthTable(token_file=token))
    server.authorization = basic("x-access-token", "secret")
    shared = _other(repository, "else", "three")
    with GitServer(repository.path.parent) as elsewhere:
        _pin(repository, {"a": ("../else.git", shared.head)})
        assert not machine.error()
        other = _other(repository, "other", "four")
        _pin(repository, {"b": (elsewhere.url("other.git"), other.head)})
        assert not machine.error()
        assert machine.agents == {"one", "three", "four"}
        assert set(elsewhere.seen) == {""}


@pytest.mark.parametrize("depth", [1, 5])
def test_submodules_without_end_are_refused(repository: Repository, machine: Machine, depth: int) -> None:
    machine.configure(submodules="follow")
    assert not machine.error()
    inner = _other(repository, "inner", "two")
    for number in range(depth - 1):
        outer = _other(repository, f"outer{number}", f"x{number}")
        _pin(outer, {"inner": (f"../{inner.path.name}", inner.head)})
        inner = outer
    number = 33 if depth == 1 else 1
    _pin(repository, {f"sub{each}": (f"../{inner.path.name}", inner.head) for each in range(number)})
    assert "more than" in machine.error()
    assert machine.agents == {"one"}
