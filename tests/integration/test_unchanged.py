"""The short way to "nothing changed": it says what a whole run would, or leaves the answer to one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from filelock import FileLock

from agentsync.cli import cli
from agentsync.config import Config
from agentsync.core.errors import ExitCode
from agentsync.core.paths import AppPaths
from agentsync.dialects import dialects
from agentsync.formats.validated_toml import load
from agentsync.git.mirror import Mirror, Remote
from agentsync.git.objects import CommitFacts
from agentsync.state.records import RACY_NS
from agentsync.state.store import SourceState, State
from agentsync.sync.cycle import run
from agentsync.sync.fetch import Fetches
from agentsync.sync.report import Report, Scope
from agentsync.sync.up_to_date import UpToDate, find_up_to_date
from support.machine import agent
from support.repository import Repository
from support.signing import allowed, ssh_key

MOVING = sorted({moved.variable for dialect in dialects().values() for moved in dialect.environment})
BROKEN = "---\nname: broken\ndescription: One.\ndescription: Or the other?\n---\nYou help.\n"


class Installation:
    """A source with two agents and three targets, of which one stands below a variable."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.first = self.home / ".claude/agents"
        self.second = root / "elsewhere/agents"
        self.beside = root / "beside"
        self.app_paths = AppPaths(root / "state", root / "cache")
        self.source = Repository(root / "served" / "team.git")
        self.source.write({"agents/tester.md": agent("tester"), "agents/writer.md": agent("writer")})
        self.source.commit()
        self.text = f"""version = 1
[sources.team]
url = "{self.source.path}"
branch = "main"
allow_local = true
[targets.claude]
create = true
[targets.codex]
create = true
[targets.opencode]
path = "$ELSEWHERE/agents"
create = true
"""

    def pull(self, fetches: Fetches | None = None) -> Report:
        """A whole run."""
        config = load(self.text, Config, "config.toml")
        return run(config, self.app_paths, Scope.APPLY, text=self.text, inputs=[self.beside], fetches=fetches)

    def find(self, fetches: Fetches | None = None) -> UpToDate | None:
        """The short way."""
        return find_up_to_date(self.text, self.app_paths, fetches or Fetches())

    def publish(self, name: str = "reader") -> None:
        self.source.write({f"agents/{name}.md": agent(name)})
        self.source.commit()


class Silence(Fetches):
    """Asks nobody, and says what was applied last."""

    def _answer(
        self, mirror: Mirror, name: str, remote: Remote, *, previous: str | None, allow_rewrite: bool
    ) -> CommitFacts:
        assert (name, remote.ref, allow_rewrite) == ("team", "refs/heads/main", False)
        assert previous
        return mirror.commit_facts(previous)


def known(installation: Installation) -> SourceState:
    with State.open(installation.app_paths.database) as state:
        found = state.source("team", str(installation.source.path), "refs/heads/main")
    assert found
    return found


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """One whose files are old enough to be known by their stat, as of now."""
    monkeypatch.setenv("ELSEWHERE", str(tmp_path / "elsewhere"))
    for variable in MOVING:
        monkeypatch.delenv(variable, raising=False)
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 10 * RACY_NS)
    return Installation(tmp_path)


@pytest.fixture
def resting(installation: Installation) -> Installation:
    """One that was pulled, and pulled again with nothing to do."""
    installation.pull()
    installation.pull()
    return installation


def test_it_says_what_a_whole_run_says(resting: Installation) -> None:
    short = resting.find()
    long = resting.pull()
    assert short is not None
    assert long.exit_code is ExitCode.OK
    assert short.commits == {source.name: source.commit for source in long.sources}
    assert (short.files, short.targets, short.counts) == (6, len(long.targets), long.counts)


def test_it_is_written_down_that_the_source_was_asked(resting: Installation) -> None:
    with State.open(resting.app_paths.database) as state:
        (before,) = [state.source("team", str(resting.source.path), "refs/heads/main")]
    assert resting.find()
    with State.open(resting.app_paths.database) as state:
        after = state.source("team", str(resting.source.path), "refs/heads/main")
        assert state.syncs(10)[1:] == []
    assert before
    assert after
    assert before.fetched_at
    assert after.fetched_at
    assert after.fetched_at > before.fetched_at
    assert after.commit == before.commit


def test_a_run_that_changed_something_is_not_at_rest(installation: Installation) -> None:
    assert installation.find() is None
    installation.pull()
    assert installation.find() is None


def edit(installation: Installation) -> None:
    """As many bytes and the same time: only the change time tells."""
    path = installation.first / "tester.md"
    found = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def delete(installation: Installation) -> None:
    (installation.second / "writer.md").unlink()


def link(installation: Installation) -> None:
    path = installation.first / "tester.md"
    path.rename(installation.root / "moved.md")
    path.symlink_to(installation.root / "moved.md")


def swap_directory(installation: Installation) -> None:
    installation.first.rename(installation.root / "moved")
    installation.first.symlink_to(installation.root / "moved")


def remove_directory(installation: Installation) -> None:
    shutil.rmtree(installation.second)


def publish(installation: Installation) -> None:
    installation.publish()


def rewrite(installation: Installation) -> None:
    installation.source.rewrite()


def lose_remote(installation: Installation) -> None:
    installation.source.path.rename(installation.root / "gone.git")


def configure(installation: Installation) -> None:
    installation.text += 'approval = "allow"\n'


def write_beside(installation: Installation) -> None:
    installation.beside.mkdir()
    (installation.beside / "tester.toml").write_text("model = 1\n")


def damage(installation: Installation) -> None:
    data = installation.app_paths.database.read_bytes()
    installation.app_paths.database.write_bytes(data[:4096] + os.urandom(len(data) - 4096))


def apply_another(installation: Installation) -> None:
    """Another configuration of the same installation takes the files over."""
    text = installation.text
    installation.publish()
    installation.text = text.replace("[targets.opencode]", '[targets.other]\ndialect = "claude"')
    installation.pull()
    installation.text = text


@pytest.mark.parametrize(
    "differ",
    [
        edit,
        delete,
        link,
        swap_directory,
        remove_directory,
        publish,
        rewrite,
        lose_remote,
        configure,
        write_beside,
        damage,
        apply_another,
    ],
)
def test_whatever_differs_is_left_to_a_whole_run(resting: Installation, differ: Callable[[Installation], None]) -> None:
    assert resting.find()
    differ(resting)
    assert resting.find() is None


@pytest.mark.parametrize("variable", ["HOME", "ELSEWHERE", *MOVING])
def test_what_a_variable_stands_for_counts(
    resting: Installation, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(resting.root / "other"))
    assert resting.find() is None


def test_another_code_decides_anew(resting: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsync.sync.up_to_date.engine", lambda: "another")
    assert resting.find() is None


@pytest.mark.parametrize("file", ["allowed_signers", "revoked"])
def test_what_is_in_the_files_of_keys_counts(installation: Installation, file: str) -> None:
    keys = installation.root / "keys"
    key = ssh_key(keys)
    key.commit(installation.source)
    (keys / "allowed_signers").write_text(allowed(key))
    (keys / "revoked").write_text("")
    paths = ", ".join(f'{name} = "{keys / name}"' for name in ("allowed_signers", "revoked"))
    installation.text = installation.text.replace("allow_local", f"signed = {{ {paths} }}\nallow_local", 1)
    for _ in range(2):
        assert installation.pull().exit_code is ExitCode.OK
    assert installation.find()
    (keys / file).write_text(allowed(ssh_key(keys, "bob")) if file == "allowed_signers" else f"{key.public}\n")
    assert installation.find() is None
    assert installation.pull().exit_code is ExitCode.OK
    assert installation.find()
    (keys / file).unlink()
    assert installation.find() is None
    assert installation.pull().exit_code is ExitCode.INCOMPLETE
    assert installation.find() is None


def test_a_commit_that_was_refused_stays_told_until_the_remote_is_asked_again(resting: Installation) -> None:
    good = resting.source.head
    resting.source.write({"agentsync.toml": "[agents]\nexlude = []\n"})
    bad = resting.source.commit()
    resting.pull()
    for ask in (lambda: resting.pull(Silence()), lambda: resting.find(Silence()), lambda: resting.pull(Silence())):
        ask()
        assert known(resting).rejected_commit == bad
        assert "exlude" in known(resting).rejected_reason
    resting.source.reset(good)
    assert resting.find()
    assert (known(resting).commit, known(resting).rejected_commit, known(resting).rejected_reason) == (good, "", "")


def test_a_commit_that_is_held_is_the_one_that_was_rejected(resting: Installation) -> None:
    resting.source.remove("agents/tester.md", "agents/writer.md")
    empty = resting.source.commit()
    good = known(resting).commit
    resting.pull()
    assert (known(resting).commit, known(resting).rejected_commit) == (good, empty)
    assert "held" in known(resting).rejected_reason
    resting.publish()
    resting.pull()
    assert (known(resting).commit, known(resting).rejected_commit) == (resting.source.head, "")


def test_a_commit_that_is_held_vouches_for_no_other(resting: Installation) -> None:
    """What is applied was never verified, and another commit that was does not change that."""
    key = ssh_key(resting.root / "keys")
    signers = resting.root / "keys" / "allowed_signers"
    signers.write_text(allowed(key))
    resting.source.remove("agents/tester.md", "agents/writer.md")
    resting.source.commit()
    empty = key.commit(resting.source)
    resting.text = resting.text.replace("allow_local", f'signed = {{ allowed_signers = "{signers}" }}\nallow_local', 1)
    assert resting.pull().exit_code is ExitCode.INCOMPLETE
    assert (known(resting).rejected_commit, known(resting).verified_by) == (empty, "")


def test_a_run_that_is_under_way_is_left_alone(resting: Installation) -> None:
    with FileLock(resting.app_paths.lock):
        assert resting.find() is None


def test_a_damaged_state_is_still_told(resting: Installation) -> None:
    damage(resting)
    assert resting.find() is None
    assert resting.pull().recovered


def keep_own(installation: Installation) -> None:
    installation.first.mkdir(parents=True)
    (installation.first / "tester.md").write_text("mine\n")


def break_agent(installation: Installation) -> None:
    installation.source.write({"agents/broken.md": BROKEN})
    installation.source.commit()


def miss_target(installation: Installation) -> None:
    installation.text = installation.text.replace("[targets.claude]\ncreate = true", "[targets.claude]")


def keep_secret(installation: Installation) -> None:
    installation.text = installation.text.replace(
        "allow_local = true", 'allow_local = true\nauth.proxy = "http://ada:s3cret@localhost:1"'
    )


@pytest.mark.parametrize("trouble", [keep_own, break_agent, miss_target, keep_secret])
def test_what_must_be_told_each_time_or_be_kept_secret_is_not_remembered(
    installation: Installation, trouble: Callable[[Installation], None]
) -> None:
    trouble(installation)
    for _ in range(3):
        installation.pull()
    assert installation.find() is None
    assert b"s3cret" not in installation.app_paths.database.read_bytes()


def test_a_file_that_is_no_agent_needs_no_word(installation: Installation) -> None:
    installation.source.write({"notes/plan.md": "# Plan\n"})
    installation.source.commit()
    installation.pull()
    assert installation.pull().diagnostics
    assert installation.find()


def test_a_whole_run_makes_no_fetch_again(resting: Installation) -> None:
    resting.publish()
    fetches = Fetches()
    assert resting.find(fetches) is None
    lose_remote(resting)
    report = resting.pull(fetches)
    assert report.exit_code is ExitCode.OK
    assert {change.agent for change in report.changes} == {"reader"}


def test_a_whole_run_does_not_wait_for_a_lost_remote_again(resting: Installation) -> None:
    lose_remote(resting)
    fetches = Fetches()
    assert resting.find(fetches) is None
    (resting.root / "gone.git").rename(resting.source.path)
    assert resting.pull(fetches).exit_code is ExitCode.SOURCE_UNAVAILABLE


@pytest.fixture
def log() -> Iterator[None]:
    """Lets go of the stream that a command sends its events to."""
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("log")
def test_the_command_says_the_same_either_way(
    resting: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config, elsewhere = resting.root / "config.toml", resting.root / "elsewhere.toml"
    for path in (config, elsewhere):
        path.write_text(resting.text)
    monkeypatch.setenv("STATE_DIRECTORY", str(resting.app_paths.state))
    monkeypatch.setenv("CACHE_DIRECTORY", str(resting.app_paths.cache))

    def declared(*options: str, config: Path = config) -> tuple[object, str, list[dict[str, Any]]]:
        code = cli.main(["--config", str(config), "pull", *options], standalone_mode=False)
        out, err = capsys.readouterr()
        events = [json.loads(line) for line in err.splitlines()]
        changing = ("sync_id", "seconds", "timestamp")
        assert all(event[key] for event in events for key in changing)
        kept = [{key: value for key, value in event.items() if key not in changing} for event in events]
        return code, out.partition(" (")[0], kept

    declared()
    started: list[str] = []
    monkeypatch.setattr("agentsync.sync.cycle._Cycle.run", _counting(started))
    short = declared()
    assert started == []
    long = declared("--allow-deletions")
    assert started == ["run"]
    assert short == long
    assert short[1] == "up to date: 6 files in 3 targets"
    declared(config=elsewhere)  # it would have overlays of its own
    assert started == ["run", "run"]


def _counting(started: list[str]) -> Callable[..., Report]:
    from agentsync.sync.cycle import _Cycle  # noqa: PLC0415

    real = _Cycle.run

    def counted(cycle: _Cycle) -> Report:
        started.append("run")
        return real(cycle)

    return counted


def test_the_short_way_imports_nothing_that_reads_configurations_or_agents() -> None:
    heavy = "{'pydantic', 'structlog', 'yaml', 'frontmatter', 'git', 'agentsync.config', 'agentsync.dialects'}"
    code = f"import sys, agentsync.cli.pull; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
