"""`agentsync fleet`: documents and metrics of real runs, a server's answers as a real one gives them, hostile ones."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from agentsync.core.errors import ConfigError, ExitCode, SourceUnavailableError
from agentsync.fleet import http
from agentsync.fleet.http import Api
from agentsync.fleet.prometheus_api import Query
from agentsync.report.metrics.measures import Tally
from agentsync.report.metrics.prometheus import Metrics
from agentsync.report.service_status import CycleResult, ServiceStatus, SourceStatus, TargetStatus, Trigger
from agentsync.rollout.choose import Choice, Reason
from support.fleets import NEW, OLD, refusing, write_document
from support.machine import Machine
from support.repository import Repository

STAGED = """[rollout]
stages = [
  { name = "canary", share = 0 },
  { name = "everyone", share = 100, after = "1d" },
]
groups = { canary = ["platform"] }
"""


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    directory = tmp_path / "collected"
    directory.mkdir()
    return directory


def metrics(stage: str, reason: Reason, commit: str = NEW, *, refused: int = 0, ago: float = 60) -> str:
    """A text file as the service writes it."""
    now = time.time() - ago
    last = CycleResult("0123456789ab", Trigger.SCHEDULE, now, 0.2, ExitCode.OK, {}, {})
    date = now - (60 if commit == NEW else 86400)
    url, ref = "https://git.example/a", "refs/heads/main"
    source = SourceStatus("team", url, ref, commit, NEW, now, "", committed_at=round(date, -3))
    status = ServiceStatus(
        config="/etc/agentsync/config.toml",
        started_at=1.0,
        succeeded_at=now,
        last=last,
        cycles=1,
        sources=(source,),
        rollouts={"team": Choice(commit, NEW, reason, stage, due_at=now + 7200 if commit == OLD else None)},
        targets=(TargetStatus("codex", "codex", "/home/ada/.codex/agents", 7, 0, 0, {"team": refused}),),
    )
    collector = Metrics()
    collector.saw(Tally().read(status))
    return collector.text().decode()


def test_text_files_make_a_table_that_fits_and_obeys_nothing(machine: Machine, collected: Path) -> None:
    for number in range(12):
        (collected / f"laptop-{number:02}.prom").write_text(metrics("everyone", Reason.WAITING, OLD))
    (collected / "build.prom").write_text(metrics("canary", Reason.CURRENT, refused=2))
    (collected / "gone.prom").write_text(metrics("everyone", Reason.CURRENT, ago=10 * 86400))
    (collected / "es\x1b[2Jcape.prom").write_text(metrics("canary", Reason.CURRENT, refused=2))
    (collected / "bad.prom").write_text('agentsync_source_up{source="\x1b[2J|<b>"} 1\nnode_load1{{{{ 1\n')
    (collected / "long.prom").write_text("agentsync_source_up{" + 'a="",' * 5000 + "} 1\n")
    (collected / "other.prom").write_text("node_load1 1\n")
    (collected / "pipe.prom").symlink_to("/dev/zero")
    result = machine.run("fleet", "--textfiles", collected)
    assert result.code == 1
    assert "\x1b" not in result.stdout + result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "canary        2        2        -       -       -        2        -" in result.stdout
    assert "everyone     13        -       12       -       1        -        -" in result.stdout
    assert "12 machines: laptop-00, laptop-01, laptop-02," in result.stdout
    assert "laptop-07 and 4 more" in " ".join(result.stdout.split())
    assert "up to 2 agents (codex)\n    2 machines: build, es\\x1b[2Jcape" in result.stdout
    assert "over the limit: team, canary: 2 of 2 refused, 0 allowed" in result.stdout
    assert "gone (10 d ago)" in result.stdout
    for name, reason in {
        "long": "over 4,096",
        "other": "no metrics of agentsync",
        "pipe": "not a regular file",
    }.items():
        assert f"{name}.prom: " in result.stderr
        assert reason in result.stderr
    for number in range(30):  # one machine, or all of them, can claim any source and stage
        rows = "".join(f'agentsync_source_up{{source="s{number}-{each}"}} 1\n' for each in range(60))
        (collected / f"liar-{number}.prom").write_text(rows + metrics(f"stage-{number}", Reason.CURRENT))
    flooded = machine.run("fleet", "--textfiles", collected).stdout
    assert len(flooded.splitlines()) < 200
    assert "and 1794 more sources (-v shows all)" in flooded
    assert machine.run("fleet", "--textfiles", collected, "--source", "team").stdout.count("\nstage-") == 14  # of 16
    for number in range(30):
        (collected / f"liar-{number}.prom").unlink()
    page = machine.run("fleet", "--textfiles", collected, "--format", "markdown", "-v").stdout
    assert "laptop-11" in page
    assert "source `\\x1b[2J\\|<b>`" in page
    accepted = ("--max-refused", "2", "--max-failing", "100%", "--max-behind", "100%")
    within = machine.run("fleet", "--textfiles", collected, *accepted)
    assert (within.code, within.stdout.splitlines()[-1]) == (4, "16 machines, 1 silent; 3 documents of no use")
    (collected / "long.prom").unlink()
    (collected / "other.prom").unlink()
    (collected / "pipe.prom").unlink()
    within = machine.run("fleet", "--textfiles", collected, *accepted)
    assert (within.code, within.stdout.splitlines()[-1]) == (0, "16 machines, 1 silent; within the limits")
    assert machine.run("fleet", "--textfiles", collected, *accepted, "--quiet").stdout == ""
    assert "over the limit" in machine.run("fleet", "--textfiles", collected, "--quiet").stdout
    assert machine.run("fleet", "--textfiles", collected, "--source", "team", *accepted, "--max-silent", "5%").code == 1


def test_documents_of_real_runs_are_compared_with_a_clone(
    machine: Machine, repository: Repository, collected: Path
) -> None:
    repository.write({"agentsync.toml": STAGED})
    old = repository.commit("Roll out in stages")
    machine.follow(repository, 'rollout = { group = "platform" }')
    (collected / "late.json").write_text(machine.run("pull", "--format", "json").stdout)
    repository.write({"agents/bad.md": "---\nname: x\nname: y\n---\n"})
    new = repository.commit("A mistake")
    assert machine.run("pull").code == 4
    (collected / "ada.json").write_text(machine.run("status", "--format", "json").stdout)
    (collected / "broken.json").write_text("{")
    arguments = ("fleet", "--status", collected, "--max-refused", "100%", "--format", "json")
    shown = machine.run(*arguments)
    assert shown.code == 1  # one is behind
    (team,) = shown.json["sources"]
    assert team["goal"]["id"] == new
    assert [(group["machines"], group["commit"]["id"]) for group in team["behind"]] == [(["late"], old)]
    assert team["refused"] == [
        {
            "agent": "agents/bad.md",
            "targets": ["claude", "opencode"],
            "codes": ["AS116"],
            "most": 1,
            "since": team["refused"][0]["since"],
            "machines": ["ada"],
        }
    ]
    (collected / "odd.json").write_text('{"error": {"message": "its configuration has a mistake"}}')
    named = machine.run(*arguments, "--source", "team").json
    assert (named["machines"], [one["name"] for one in named["sources"]]) == (3, ["team", None])
    (collected / "odd.json").unlink()
    (broken,) = shown.json["unreadable"]
    assert broken["reason"].startswith("it is no status document: Invalid JSON: ")
    by_clone = machine.run(*arguments, "--clone", repository.path, "--max-behind", "1")
    assert by_clone.code == 4
    assert by_clone.json["sources"][0]["stages"][0]["expected"]["id"] == new
    (collected / "broken.json").unlink()
    side = repository.git("commit-tree", "-p", old, "-m", "Beside the branch", f"{old}^{{tree}}")
    repository.reset(repository.git("commit-tree", "-p", new, "-p", side, "-m", "Merge", f"{old}^{{tree}}"))
    repository.write({"agentsync.toml": f'{STAGED}hold_at = "{side[:12]}"\n'})
    repository.commit("Hold at what was merged")
    write_document(collected, "held", NEW, "canary", "held at")
    held = (collected / "held.json").read_text().replace(NEW, side)
    (collected / "held.json").write_text(held)
    (team,) = machine.run(*arguments, "--clone", repository.path).json["sources"]
    assert (team["goal"]["id"], team["held"], team["stages"][0]["current"]) == (side, True, 1)
    (collected / "held.json").unlink()
    repository.write({"agentsync.toml": "[rollout"})
    worse = repository.commit("A worse one")
    lenient = ("--max-refused", "100%", "--max-failing", "100%", "--clone", repository.path)
    judged = machine.run("fleet", "--status", collected, *lenient)
    assert judged.code == 1, judged.stderr
    assert judged.stdout.splitlines()[3].split() == ["canary", "2", "-", "2", "-", "-", "1", "-", new[:7]]
    assert "the clone's manifest cannot be used, so every machine stays where it is: agentsync.toml:" in judged.stdout
    assert "not all as they should be" in judged.stdout
    posted = machine.run(*arguments, *lenient, "--github", "acme/agents", "--dry-run")
    assert f'statuses/{worse} {{"state": "failure"' in posted.stderr
    assert posted.json["mistake"].startswith("agentsync.toml:")


def test_since_when_an_agent_is_refused_is_that_of_the_first_machine(machine: Machine, collected: Path) -> None:
    for name, days in {"ada": 2, "bob": 9}.items():
        since = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
        write_document(collected, name, NEW, "canary", "current", **refusing("reviewer", since=since))
    shown = machine.run("fleet", "--status", collected)
    assert "reviewer (codex) (first refused 9 d ago)\n    2 machines: ada, bob" in shown.stdout
    (group,) = machine.run("fleet", "--status", collected, "--format", "json").json["sources"][0]["refused"]
    assert group["since"] == datetime.fromisoformat(since).timestamp()


@dataclass
class Server:
    """A server on the loopback; it keeps what it was asked.

    Attributes:
        answers: by query, the labels and the value of each series.
    """

    url: str
    answers: dict[str, list[tuple[dict[str, str], str]]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        state: ClassVar[Server]

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query).get("query", [""])[0]
            self.state.asked.append((query, self.headers.get("Authorization")))
            if parts.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            # As Prometheus 2.53 answers.
            is_wrong = "nonsense" in query
            document: dict[str, Any] = {
                "status": "success",
                "data": {
                    "resultType": "vector",
                    "result": [
                        {"metric": labels, "value": [1796080947.015, value]}
                        for labels, value in self.state.answers.get(query, [])
                    ],
                },
            }
            if is_wrong:
                document = {"status": "error", "errorType": "bad_data", "error": "1:10: parse error: \x1b[31m"}
            body = json.dumps(document).encode()
            self.send_response(400 if is_wrong else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        Handler.state = Server(f"http://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Handler.state
        listener.shutdown()
        thread.join()


def labels(metric: str, instance: str, **more: str) -> dict[str, str]:
    return {"__name__": f"agentsync_{metric}", "instance": instance, "job": "agentsync", **more}


def test_prometheus_shows_machines_that_it_has_not_seen_lately_too(
    machine: Machine, server: Server, collected: Path
) -> None:
    now = str(time.time())
    selector = '{job="agentsync"}'
    server.answers = {
        f"agentsync_last_sync_timestamp_seconds{selector}": [(labels("last_sync_timestamp_seconds", "a:9417"), now)],
        f"agentsync_last_success_timestamp_seconds{selector}": [
            (labels("last_success_timestamp_seconds", "a:9417"), now)
        ],
        f"agentsync_source_commit_timestamp_seconds{selector}": [
            (labels("source_commit_timestamp_seconds", "a:9417", source="team"), "1796080856")
        ],
        f"agentsync_rollout_stage{selector}": [
            (labels("rollout_stage", "a:9417", source="team", stage="canary", reason="current"), "1")
        ],
        f"last_over_time(agentsync_last_sync_timestamp_seconds{selector}[86400s])": [
            (labels("last_sync_timestamp_seconds", "a:9417"), "1"),
            (labels("last_sync_timestamp_seconds", "b:9417"), str(time.time() - 90_000)),
        ],
        f"agentsync_source_up{selector}": [
            (labels("source_up", "a:9417", source="team"), "1"),
            (labels("source_up", "c:9417", source="team"), "0"),
            (labels("source_up", "d:9417", source="team"), "0"),
        ],
        f"last_over_time(agentsync_rollout_stage{selector}[86400s])": [
            (labels("rollout_stage", "a:9417", source="team", stage="early", reason="current"), "1"),
            (labels("rollout_stage", "c:9417", source="team", stage="early", reason="current"), "1"),
            (labels("rollout_stage", "c:9417", source="team", stage="early", reason="halted"), "1"),
        ],
        f"last_over_time(agentsync_source_commit_timestamp_seconds{selector}[86400s])": [
            (labels("source_commit_timestamp_seconds", "b:9417", source="team"), "1796000000")
        ],
    }
    token = collected / "token"
    token.write_text("s3cret\n")
    arguments = ("--match", 'job="agentsync"', "--lookback", "1d", "--token-file", token, "--format", "json")
    shown = machine.run("fleet", "--prometheus", f"{server.url}/", *arguments)
    assert shown.code == 1, shown.stderr  # two fail
    (team,) = shown.json["sources"]
    assert [(stage["stage"], stage["current"], stage["silent"], stage["failing"]) for stage in team["stages"]] == [
        ("canary", 1, 0, 0),
        ("early", 0, 0, 1),
        ("(unknown)", 0, 0, 1),
        (None, 0, 1, 0),
    ]
    assert (shown.json["machines"], shown.json["reporting"], team["halted"]) == (4, 3, None)
    assert team["silent"][0]["machine"] == "b:9417"
    assert {sent for _, sent in server.asked} == {"Bearer s3cret"}


def test_a_server_that_fails_or_leads_elsewhere_ends_with_its_reason(machine: Machine, server: Server) -> None:
    wrong = machine.run("fleet", "--prometheus", server.url, "--match", 'job="nonsense"')
    assert (wrong.code, "it answers 400 Bad Request: 1:10: parse error: \\x1b[31m" in wrong.stderr) == (3, True)
    moved = machine.run("fleet", "--prometheus", f"{server.url}/moved")
    assert (moved.code, "it redirects" in moved.stderr) == (3, True)
    assert machine.run("fleet", "--prometheus", "http://127.0.0.1:1").code == 3
    empty = machine.run("fleet", "--prometheus", server.url)
    assert (empty.code, empty.stdout) == (1, "no machine reports\n")
    server.answers = {"agentsync_source_up{}": [(labels("source_up", "a:9417", source="team"), "1")] * 3}
    nameless = machine.run("fleet", "--prometheus", server.url, "--machine-label", "host")
    assert (nameless.code, nameless.stdout) == (1, "no machine reports\n")
    assert f"{server.url}: 3 samples have no label `host` with a machine's name" in nameless.stderr
    with pytest.raises(SourceUnavailableError, match="over 10 bytes"):
        Api(server.url, largest=10).get("/")


def test_an_answer_that_trickles_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_SECONDS", 2.0)
    monkeypatch.setattr(http, "_LONGEST_SECONDS", -1.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
                connection.recv(1)  # until the client gives up

        thread = threading.Thread(target=trickle)
        thread.start()
        with pytest.raises(SourceUnavailableError, match="it took over"):
            Api(f"http://127.0.0.1:{listener.getsockname()[1]}").get("/")
        thread.join()


@pytest.mark.parametrize("match", ["}", 'a="b"} or up{c="d"', 'a="b" or', "a=b", 'a="\n"', 'a="b",,'])
def test_matchers_cannot_become_another_query(match: str) -> None:
    with pytest.raises(ConfigError, match="label matchers"):
        Query(match)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://prometheus.example", "over https only"),
        ("ftp://127.0.0.1", "no address"),
        ("https://user@example", "no address"),
        ("https://[", "no address"),
        ("", "no address"),
    ],
)
def test_a_token_goes_nowhere_without_protection(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Api(url, {"Authorization": "Bearer s3cret"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of"),
        (["--status", ".", "--textfiles", "."], "give one of"),
        (["--status", ".", "--max-behind", "lots"], "neither a number of machines nor a share"),
        (["--status", ".", "--silent-after", "soon"], "is no duration"),
        (["--status", ".", "--clone", "."], "not a git repository"),
        (["--status", ".", "--source", "tea"], "no machine follows a source `tea` (they follow team)"),
        (["--status", ".", "--match", ""], "--match is for --prometheus"),
        (["--status", ".", "--machine-label", "instance"], "--machine-label is for --prometheus"),
        (["--textfiles", ".", "--lookback", "1d"], "--lookback is for --prometheus"),
        (["--textfiles", ".", "--token-file", "x"], "--token-file is for --prometheus"),
        (["--textfiles", "."], "no file of a machine here, `MACHINE.prom`"),
    ],
)
def test_wrong_usage_is_named(machine: Machine, collected: Path, arguments: list[str], message: str) -> None:
    write_document(collected, "ada", NEW, "canary", "current")
    result = machine.run("fleet", *(str(collected) if one == "." else one for one in arguments))
    assert (result.code, message in result.stderr) == (2, True), result.stderr
    assert result.stdout == ""
