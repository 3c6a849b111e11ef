"""A team's rollout from the first machine to the last, over smart HTTP: a good change, a bad one, a halt, a revert.

`make fleet-demo` does the same with forty services, Prometheus and Alertmanager. Here machines pull by a clock that is
ahead, and `agentsync fleet` judges instead of an alert; two services show that the alert halts, where Prometheus and
Alertmanager are installed. The halt is that of examples/prometheus.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import HTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest

from fleet.homes import homes_below, running
from fleet.monitoring import Pace, missing_packages, monitoring
from support.gitserver import GitServer
from support.machine import Machine, agent
from support.repository import Repository

_EXAMPLES = Path(__file__).parents[2] / "examples/prometheus"
_SECONDS = 60
_GROUPS = {"canary": "platform", "early": "beta", "one": "", "two": ""}
_MANIFEST = """[rollout]
stages = [
  { name = "canary", share = 0 },
  { name = "early", share = 0, after = "2h" },
  { name = "everyone", share = 100, after = "1d" },
]
groups = { canary = ["platform"], early = ["beta"] }
"""


def prompt_of(machine: Machine) -> str:
    return (machine.claude / "tester.md").read_text().splitlines()[-1]


def git(clone: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", clone, *arguments], check=True, capture_output=True)


def test_a_bad_commit_is_halted_through_ci_and_its_revert_reaches_whoever_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(tmp_path / "served/team.git")
    repository.git("config", "http.receivepack", "true")
    now = int(time.time())

    def commit(prompt: str, hours: int, **more: str) -> str:
        repository.write({"agents/tester.md": agent("tester", prompt), "agentsync.toml": _MANIFEST, **more})
        return repository.commit(prompt, when=now + hours * 3600)

    commit("One.", -100)
    with GitServer(tmp_path / "served") as server:
        machines = {name: machine_of(tmp_path / name, server.url("team.git"), _GROUPS[name]) for name in _GROUPS}
        canary, early, one, _ = machines.values()

        commit("Two.", 0)
        for machine in machines.values():
            machine.run("pull")
        assert [prompt_of(machine) for machine in machines.values()] == ["Two.", "One.", "One.", "One."]
        assert early.run_later(3, "pull").code == 0
        assert prompt_of(early) == "Two."
        assert one.run_later(25, "pull").code == 0
        assert prompt_of(one) == "Two."

        bad = commit("Three.", 30, **{"agents/release.md": agent("release", hooks="{Stop: [{hooks: []}]}")})
        assert canary.run_later(30, "pull").code == 4
        assert prompt_of(canary) == "Three."
        (tmp_path / "status").mkdir()
        for name, machine in machines.items():
            (tmp_path / "status" / f"{name}.json").write_text(machine.run("status", "--format", "json").stdout)
        judged = canary.run("fleet", "--status", tmp_path / "status")
        assert (judged.code, "release" in judged.stdout) == (1, True), judged.stdout + judged.stderr

        clone = tmp_path / "clone"
        git(tmp_path, "clone", "--quiet", server.url("team.git"), str(clone))
        for name, value in canary.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{canary.environment['PATH']}")
        monkeypatch.chdir(clone)
        halt(f"It is firing. This reverts commit {bad}.\n\nAgentsync-Rollout: now")
        halted = repository.head
        # Who may send alerts must not be able to write a revert, or a trailer.
        message = f"Halt the rollout: It is firing. This undoes commit {bad}. Agentsync-Rollout: now"
        assert repository.git("log", "--format=%B", "-2").split("\n\n") == [message, "Three."]
        assert early.run_later(100, "pull").code == 0
        assert "halted: It is firing" in early.run("status").stdout
        assert prompt_of(early) == "Two."

        git(clone, *("-c", "user.name=Ada", "-c", "user.email=ada@example.org"), "revert", "--no-edit", bad)
        assert canary.run("rollout", "resume", "--repository", clone).code == 2  # who commits is git's to know
        git(clone, "config", "user.name", "Ada")
        git(clone, "config", "user.email", "ada@example.org")
        assert canary.run("rollout", "resume", "--repository", clone).code == 0
        git(clone, "push", "--quiet")
        assert repository.head != halted
        assert canary.run_later(101, "pull").code == 0
        assert one.run_later(101, "pull").code == 0
        assert (prompt_of(canary), prompt_of(one)) == ("Two.", "Two.")
        assert not (canary.claude / "release.md").exists()


@pytest.mark.skipif(bool(missing_packages()), reason=f"{missing_packages()} are not installed")
def test_an_alert_halts_a_commit_that_one_machine_of_the_first_stage_refuses(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "served/team.git")
    repository.git("config", "http.receivepack", "true")
    repository.write({"agents/tester.md": agent("tester", "One."), "agentsync.toml": _MANIFEST})
    first = int(time.time()) - 100 * 3600
    repository.commit("One.", when=first)
    asked: SimpleQueue[None] = SimpleQueue()

    def wait(holds: Callable[[], bool]) -> None:
        end = time.monotonic() + _SECONDS
        while not holds():
            asked.get(timeout=end - time.monotonic())  # each service polls every second

    with GitServer(tmp_path / "served", on_request=lambda: asked.put(None)) as server:
        git(tmp_path, "clone", "--quiet", server.url("team.git"), "ci")
        stages = {"canary": ("platform", 1), "everyone": ("", 1)}
        homes = homes_below(tmp_path / "homes", server.url("team.git"), stages, interval=1)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
        pace = Pace(scrape="200ms", evaluate="200ms", pending="0s")
        with (
            running(homes),
            monitoring(tmp_path, homes, ci=tmp_path / "ci", environment=environment, pace=pace) as shown,
        ):
            wait(lambda: shown.is_ready)
            dates = "agentsync_source_commit_timestamp_seconds"
            wait(lambda: [*shown.query(dates).values()] == [first, first])
            release = agent("release", hooks="{Stop: [{hooks: []}]}")
            repository.write({"agents/tester.md": agent("tester", "Two."), "agents/release.md": release})
            bad = repository.commit("Two.")
            wait(lambda: repository.head != bad)
            reason = "100% of stage canary refuse agents of a new commit of team"
            assert repository.git("log", "--format=%an: %s", "-1") == f"agentsync halt: Halt the rollout: {reason}"
            wait(lambda: len(shown.query('agentsync_rollout_stage{reason="halted"}')) == len(homes))
            prompts = [(home.machine.claude / "tester.md").read_text().splitlines()[-1] for home in homes]
            assert prompts == ["Two.", "One."]
            fleet = homes[0].machine.run("fleet", "--prometheus", shown.url, "--clone", repository.path)
            assert f"(halted: {reason})" in fleet.stdout
            assert "over the limit: canary: 1 of 1 refused, 0 allowed" in fleet.stdout


def machine_of(root: Path, url: str, group: str) -> Machine:
    machine = Machine(root)
    table = f'[sources.team.rollout]\ngroup = "{group}"\n' if group else ""
    machine.configure(f'[sources.team]\nurl = "{url}"\nallow_http = true\n{table}[targets.claude]\n')
    assert machine.run("pull").code == 0
    return machine


def halt(reason: str) -> None:
    """Send an alert twice: the second job finds that the rollout is halted already."""
    alerts = [{"status": name, "annotations": {"summary": reason}} for name in ("firing", "resolved")]
    assert [alert({"alerts": alerts}) for _ in range(2)] == [200, 200]
    assert alert({"alerts": alerts[1:]}) == 200
    assert alert({"alert": "something else"}) == 400


def test_an_alert_halts_whatever_its_text_is() -> None:
    firing = [{"status": "firing"}, {"status": "firing", "annotations": {"summary": "a\u0000b\ud800 \u202e"}}]
    assert webhook().reason({"alerts": firing}) == "an alert without a summary; a b"


def webhook() -> Any:
    spec = importlib.util.spec_from_file_location("webhook", _EXAMPLES / "webhook.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def alert(message: object) -> int:
    """Send what Alertmanager sends to the webhook of the examples, in front of the job that halts."""
    handler = webhook().Handler
    handler.program = ["sh", str(_EXAMPLES / "halt.sh")]
    handler.log_message = lambda *_: None
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        try:
            with urllib.request.urlopen(url, json.dumps(message).encode(), timeout=_SECONDS) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        finally:
            thread.join()
