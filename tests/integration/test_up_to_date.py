"""The up-to-date check: it gives the same result as a whole run, or leaves the decision to one."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog
from filelock import FileLock

from agentsync.cli import cli
from agentsync.core.codes import Code
from agentsync.core.errors import ExitCode
from agentsync.core.log import Event
from agentsync.state.store import State
from agentsync.sync import up_to_date
from agentsync.sync.cycle import cycle
from agentsync.sync.fetch import Fetches
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, SyncRequest
from support.installation import Installation, NoFetches, damage, known, lose_remote
from support.machine import agent

BROKEN = "---\nname: broken\ndescription: One.\ndescription: Or the other?\n---\nYou help.\n"


def test_it_has_the_result_of_a_whole_run(resting: Installation) -> None:
    checked = resting.find()
    whole = resting.pull()
    assert checked is not None
    assert whole.exit_code is ExitCode.OK
    assert checked.commits == {source.name: source.commit for source in whole.sources}
    assert (checked.files, checked.targets, checked.counts) == (6, len(whole.targets), whole.counts)


def test_the_time_of_the_fetch_is_recorded(resting: Installation) -> None:
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


def test_after_a_run_that_changed_something_the_next_one_is_up_to_date(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installation.find() is None
    assert installation.pull().changes
    checked = installation.find()
    assert checked
    assert checked.counts["keep"] == checked.files == 6
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 10 * 10**9)
    assert [installation.find() is not None for _ in range(2)] == [True, True]
    installation.publish()
    assert installation.pull().changes
    assert installation.find()
    installation.pull()
    assert not installation.pull().changes


def stored_fingerprint(installation: Installation) -> str:
    with closing(sqlite3.connect(installation.app_paths.database)) as connection:
        [(value,)] = connection.execute("SELECT value FROM fingerprint")
    return str(value)


def test_an_edit_that_no_stat_shows_is_found_right_after_a_run(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a file system's times are too coarse for two writes within one tick."""
    installation.pull()
    coarse = json.loads(stored_fingerprint(installation))["stats"]
    monkeypatch.setattr(up_to_date, "digest_on_disk", lambda _targets: coarse)
    written = installation.first / "tester.md"
    written.write_text(written.read_text().swapcase())
    assert installation.find() is None
    assert [one.code for one in installation.pull().diagnostics if one.path == str(written)] == [Code.CONFLICT_EDITED]


def test_what_a_run_says_of_its_changes_is_not_said_again(installation: Installation) -> None:
    installation.source.write({"agents/tester.md": agent("tester").replace("---\n", "---\ntools: Read\n", 1)})
    installation.source.commit()
    installation.pull()
    installation.source.write({"agents/tester.md": agent("tester")})
    installation.source.commit()
    assert Code.GROWN in {one.code for one in installation.pull().diagnostics}
    assert installation.find() is None
    assert Code.GROWN not in {one.code for one in installation.pull().diagnostics}
    assert installation.find()


def test_a_run_in_progress_is_left_alone(resting: Installation) -> None:
    with FileLock(resting.app_paths.lock):
        assert resting.find() is None


def test_a_damaged_state_is_still_reported(resting: Installation) -> None:
    damage(resting)
    assert resting.find() is None
    assert resting.pull().recovered


def test_a_damaged_fingerprint_leaves_the_decision_to_a_whole_run(resting: Installation) -> None:
    with closing(sqlite3.connect(resting.app_paths.database)) as connection, connection:
        connection.execute("UPDATE fingerprint SET value = substr(value, 2)")
    assert resting.find() is None


def test_what_waits_for_a_stage_is_up_to_date_until_it_is_due(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = '[rollout]\nstages = [{ name = "all", share = 100, after = "1d" }]\n'
    installation.source.write({"agentsync.toml": stages})
    installation.source.commit()
    installation.pull()
    applied = known(installation).commit
    installation.publish()
    for _ in range(2):
        installation.pull()
    assert known(installation).commit == applied
    checked = installation.find()
    assert checked
    assert checked.commits == {"team": applied}
    assert installation.find(NoFetches())
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 23 * 3600)
    assert installation.find()
    monkeypatch.setattr(time, "time", lambda: real() + 25 * 3600)
    assert installation.find() is None
    assert installation.pull().changes


def test_each_fetch_counts_for_the_age_of_the_next_commit(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit with an old date is as young as the last fetch without it, also where that one found nothing to do."""
    stages = '[rollout]\nstages = [{ name = "all", share = 100, after = "1d" }]\n'
    installation.source.write({"agentsync.toml": stages})
    installation.source.commit()
    for _ in range(2):
        installation.pull()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 48 * 3600)
    assert installation.find()
    installation.publish()
    assert not installation.pull().changes
    monkeypatch.setattr(time, "time", lambda: real() + 73 * 3600)
    assert installation.pull().changes


def keep_own(installation: Installation) -> None:
    installation.first.mkdir(parents=True)
    (installation.first / "tester.md").write_text("mine\n")


def miss_target(installation: Installation) -> None:
    installation.text = installation.text.replace("[targets.claude]\ncreate = true", "[targets.claude]")


def keep_secret(installation: Installation) -> None:
    installation.text = installation.text.replace(
        "allow_local = true", 'allow_local = true\nauth.proxy = "http://ada:s3cret@localhost:1"'
    )


def test_refused_agents_are_counted_by_each_later_pull_until_they_are_corrected(installation: Installation) -> None:
    installation.source.write({"agents/broken.md": BROKEN})
    installation.source.commit()
    whole = [installation.pull() for _ in range(2)]
    assert [report.exit_code for report in whole] == [ExitCode.INCOMPLETE] * 2
    for _ in range(2):
        found = installation.find()
        assert found
        assert (found.exit_code, found.counts["refused"], found.files) == (ExitCode.INCOMPLETE, 1, 6)
    installation.source.remove("agents/broken.md")
    installation.source.commit()
    assert installation.find() is None
    assert [installation.pull().exit_code for _ in range(2)] == [ExitCode.OK] * 2
    found = installation.find()
    assert found
    assert (found.exit_code, found.refused) == (ExitCode.OK, 0)


@pytest.mark.parametrize("trouble", [keep_own, miss_target, keep_secret])
def test_a_repeated_report_or_a_secret_leaves_no_fingerprint(
    installation: Installation, trouble: Callable[[Installation], None]
) -> None:
    trouble(installation)
    for _ in range(3):
        installation.pull()
    assert installation.find() is None
    assert b"s3cret" not in installation.app_paths.database.read_bytes()


def test_a_file_that_is_not_an_agent_does_not_matter(installation: Installation) -> None:
    installation.source.write({"notes/plan.md": "# Plan\n"})
    installation.source.commit()
    installation.pull()
    assert installation.pull().diagnostics
    assert installation.find()


def test_a_whole_run_repeats_no_fetch(resting: Installation) -> None:
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
    """Reset the log, which holds the stream that a command wrote its events to."""
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("log")
def test_the_command_prints_the_same_either_way(
    resting: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config, elsewhere = resting.root / "config.toml", resting.root / "elsewhere.toml"
    for path in (config, elsewhere):
        path.write_text(resting.text)
    monkeypatch.setenv("STATE_DIRECTORY", str(resting.app_paths.state))
    monkeypatch.setenv("CACHE_DIRECTORY", str(resting.app_paths.cache))

    def pull(*options: str, config: Path = config) -> tuple[object, str, list[dict[str, Any]]]:
        code = cli.main(["--config", str(config), "pull", *options], standalone_mode=False)
        out, err = capsys.readouterr()
        events = [json.loads(line) for line in err.splitlines()]
        changing = ("sync_id", "seconds", "timestamp")
        assert all(event[key] for event in events for key in changing)
        lasting = [{key: value for key, value in event.items() if key not in changing} for event in events]
        return code, out.partition(" (")[0], lasting

    pull()
    started: list[str] = []
    monkeypatch.setattr("agentsync.cli.cycle.cycle", _counting(started))
    checked = pull()
    assert started == []
    whole = pull("--allow-deletions")
    assert started == ["run"]
    assert checked == whole
    assert checked[1] == "up to date: 6 files in 3 targets"
    pull(config=elsewhere)  # it would have overlays of its own
    assert started == ["run", "run"]


def _counting(started: list[str]) -> Callable[[Environment, SyncRequest], Generator[Event, None, Report]]:
    def counted(environment: Environment, request: SyncRequest) -> Generator[Event, None, Report]:
        started.append("run")
        return cycle(environment, request)

    return counted


def test_the_check_imports_nothing_that_reads_configurations_or_agents() -> None:
    heavy = "{'pydantic', 'structlog', 'yaml', 'frontmatter', 'git', 'agentsync.config', 'agentsync.dialects'}"
    code = f"import sys, agentsync.cli.pull; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
