"""Rows 5, 22 and 24: inherited settings, a broken git, runs that meet, and runs that are ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest
from filelock import FileLock

from agentsync.git.mirror import Mirror
from support.gitserver import GitServer
from support.machine import Machine, agent
from support.mirror import failure, local
from support.processes import descendants
from support.repository import Repository
from support.trial import Trial

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals and scripts")


# 5: inherited settings


@pytest.fixture
def traps(trial: Trial, repository: Repository, tmp_path: Path) -> dict[str, str]:
    """Variables and a user's configuration that would each lead git astray; a trap that snaps leaves a file."""
    other = Repository(repository.path.with_name("other.git"))
    other.write({"agents/evil.md": agent("evil")})
    other.commit()
    snapped = tmp_path / "snapped"
    snapped.mkdir()
    script = tmp_path / "trap"
    script.write_text(f"#!/bin/sh\ntouch '{snapped}/ran'\necho x\n")
    script.chmod(0o700)
    redirect = f'[url "{other.url}"]\n\tinsteadOf = {trial.url}\n'
    for path in (trial.machine.home / ".gitconfig", trial.machine.home / ".config/git/config"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{redirect}[core]\n\tfsmonitor = {script}\n\thooksPath = {tmp_path}\n\taskPass = {script}\n")
    (tmp_path / "post-checkout").symlink_to(script)
    (tmp_path / "reference-transaction").symlink_to(script)
    return {
        "GIT_DIR": str(other.path),
        "GIT_OBJECT_DIRECTORY": str(snapped / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(other.path / "objects"),
        "GIT_INDEX_FILE": str(snapped / "index"),
        "GIT_NAMESPACE": "elsewhere",
        "GIT_ASKPASS": str(script),
        "SSH_ASKPASS": str(script),
        "SSH_ASKPASS_REQUIRE": "force",
        "GIT_SSH": str(script),
        "GIT_SSH_COMMAND": str(script),
        "GIT_PROXY_COMMAND": str(script),
        "GIT_EXTERNAL_DIFF": str(script),
        "GIT_EXEC_PATH": str(tmp_path),
        "GIT_TEMPLATE_DIR": str(tmp_path),
        "GIT_TRACE": str(snapped / "trace"),
        "GIT_TRACE2_EVENT": str(snapped / "trace2"),
        "GIT_CURL_VERBOSE": "1",
        "GIT_SSL_NO_VERIFY": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{other.url}.insteadOf",
        "GIT_CONFIG_VALUE_0": trial.url,
        "GIT_CONFIG_PARAMETERS": f"'url.{other.url}.insteadof'='{trial.url}'",
        "GIT_CONFIG_GLOBAL": str(trial.machine.home / ".gitconfig"),
        "http_proxy": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
        "SNAPPED": str(snapped),
    }


def test_05_inherited_and_user_settings_have_no_effect(trial: Trial, server: GitServer, traps: dict[str, str]) -> None:
    trial.converges(environment=traps)
    trial.push()
    server.authorization = "Bearer x"
    trial.holds(3, "the server refused the credentials", environment=traps)
    server.authorization = ""
    trial.converges(environment=traps)
    assert not list(Path(traps["SNAPPED"]).iterdir())


# A broken git


def stand_in(directory: Path, script: str) -> dict[str, str]:
    """A PATH on which a script comes before git; `"$@"` are its arguments and `$git` is the real one."""
    directory.mkdir(exist_ok=True)
    program = directory / "git"
    program.write_text(f'#!/bin/sh\ngit="{shutil.which("git")}"\n{script}\nexec "$git" "$@"\n')
    program.chmod(0o700)
    return {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}


FETCHING = 'case "$1" in fetch)'


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (f"{FETCHING} sleep 60;; esac", "there was no answer within 0.7 seconds"),
        (f"{FETCHING} sleep 60 & wait;; esac", "there was no answer within 0.7 seconds"),
        (f"{FETCHING} exit 0;; esac", "git reported success and fetched nothing"),
        ('case "$1" in log) echo what; exit 0;; esac', "git gave an unexpected answer"),
        (f"{FETCHING} exit 77;; esac", "git exited with status 77"),
        (f"{FETCHING} kill -KILL $$;; esac", "git exited with status -9"),
        ('[ "$1" = version ] && echo git version 2.17.1 && exit', "git 2.17 is too old"),
        ("exit 1", "git does not report its version"),
    ],
)
def test_02_a_git_that_sleeps_or_ends_oddly(pulled: Trial, tmp_path: Path, script: str, words: str) -> None:
    pulled.follow("timeout = 0.7" if "0.7" in words else "")
    pulled.push()
    before = descendants(os.getpid())
    pulled.holds(3, words, environment=stand_in(tmp_path / "bin", script))
    assert descendants(os.getpid()) <= before
    pulled.follow()
    pulled.converges()


def test_02_a_git_that_does_not_even_print_its_version(
    machine: Machine, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentsync.git.process._VERSION_SECONDS", 0.5)
    monkeypatch.setenv("PATH", stand_in(tmp_path / "bin", "sleep 60")["PATH"])
    error = failure(Mirror(machine.cache / "mirror", machine.cache / "home"), local(repository))
    assert error.message == "git does not answer"


# 22: runs that meet


def test_22_of_runs_at_once_each_succeeds_or_reports_that_another_one_is_in_progress(trial: Trial) -> None:
    runs = [trial.machine.start("pull") for _ in range(4)]
    for run in runs:
        run.communicate(timeout=30)
    codes = {run.returncode for run in runs}
    assert 0 in codes
    assert codes <= {0, 75}
    trial.converges()


def test_22_a_run_that_is_soon_over_is_waited_for(trial: Trial) -> None:
    trial.machine.state.mkdir(parents=True)
    lock = FileLock(trial.machine.state / "run.lock", thread_local=False)
    with lock:
        Timer(1.0, lock.release).start()
        assert trial.machine.run("pull").code == 0
    trial.converges()


# 24: ended in mid-run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_24_a_run_that_is_ended_in_the_middle_of_a_pack(
    pulled: Trial, server: GitServer, number: signal.Signals
) -> None:
    """SIGKILL leaves git to itself, which then works beside the next run until its server lets it go."""
    pulled.push("Better, and much longer. " * 40)
    server.mode = "stall"
    before = pulled.machine.files()
    with pulled.machine.start("pull") as process:
        assert server.stalled.wait(timeout=20)
        below = descendants(process.pid)
        assert below
        process.send_signal(number)
        _, stderr = process.communicate(timeout=20)
        assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[number]
        assert "Traceback" not in stderr
    if number is not signal.SIGKILL:
        assert not [one for one in below if is_alive(one)]
    assert pulled.machine.files() == before
    server.mode = "serve"
    pulled.converges()


def is_alive(process: int) -> bool:
    """Whether it runs; one that has ended and waits to be buried does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return done.stdout.strip()[:1] not in {"", "Z"}
