"""Liveness, readiness, status.json and the status page of a service with real repositories."""

from __future__ import annotations

import json
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agentsync.report.json_output import status_record
from agentsync.sync.cycle import run
from agentsync.sync.request import Environment, Scope, SyncRequest
from support.endpoint import Watched
from support.machine import agent

# Alive and ready


def test_ready_means_a_good_sync_that_is_not_too_old(tmp_path: Path) -> None:
    with Watched(tmp_path, stale_after=600) as service:
        assert (service.get("/readyz").status, service.get("/readyz").text) == (503, "starting\n")
        service.publish(service.service_status)
        assert service.get("/readyz").text == "not every source could be fetched and applied yet\n"
        fetched_at = service.cycle().succeeded_at
        assert fetched_at is not None
        assert service.get("/readyz").text == "ready\n"
        service.now = fetched_at + 601
        response = service.get("/readyz")
        assert (response.status, response.text) == (
            503,
            "the last good sync was 10 min ago, and 10 min are allowed\n",
        )


def test_refused_agents_are_counted_by_all_answers_and_make_nothing_unready(watched: Watched) -> None:
    watched.source.write({"agents/served.md": agent("served", hooks="{}", mcpServers="{a: {command: b}}")})
    watched.source.commit()
    status = watched.cycle()
    assert [target.refused for target in status.targets] == [{"team": 1}, {}, {}]
    assert (watched.get("/readyz").status, watched.get("/readyz").text) == (200, "ready; 1 agent is refused\n")
    page = watched.get("/").text
    assert "1 agent refused" in page
    assert "1 refused" in page
    assert json.loads(watched.get("/status.json").text)["targets"][0]["refused"] == 1


def test_alive_means_that_the_service_makes_progress_in_time(watched: Watched) -> None:
    watched.awake = 1000.0
    service_status = watched.cycle()
    assert service_status.next_run_at is not None
    allowed = 300 + 60 + 600  # until the next cycle, for its fetch and for its work
    watched.awake += allowed - 5
    assert watched.get("/healthz").status == 200
    watched.awake += 10
    response = watched.get("/healthz")
    assert (response.status, response.text) == (503, "there was no sign of progress for 16 min\n")
    watched.cycle()
    assert watched.get("/healthz").status == 200


def test_a_first_cycle_that_never_ends_is_not_alive(tmp_path: Path) -> None:
    service = Watched(tmp_path)
    service.awake = 1000.0
    with service:
        assert service.get("/healthz").status == 200
        service.awake += 60 + 600 + 1
        assert service.get("/healthz").status == 503


# status.json and the page


def test_status_json_has_the_output_of_status_and_the_status_of_the_service(watched: Watched) -> None:
    (watched.directory / "tester.md").write_text("mine\n")
    printed = watched.get("/status.json").json
    service = printed.pop("service")
    known = status_record(run(Environment(watched.config, watched.app_paths), SyncRequest(Scope.LOOK)))
    passing = ("sync_id", "seconds")
    assert {key: value for key, value in printed.items() if key not in passing} == {
        key: value for key, value in known.items() if key not in passing
    }
    assert printed["targets"][0]["drifted"] == 1
    assert service["sources"][0]["applied"] == service["sources"][0]["desired"] == watched.source.head
    assert (service["last"]["trigger"], service["last"]["exit_code"]) == ("schedule", 0)
    assert (service["cycles"], service["unready"], service["config_error"]) == (1, None, None)


def test_the_sample_on_the_page_of_json_has_these_keys(watched: Watched) -> None:
    page = (Path(__file__).parents[2] / "docs/json.md").read_text()
    [sample] = re.findall(r"## status\.json\n.*?```json\n(.*?)```", page, re.DOTALL)
    served = watched.get("/status.json").json["service"]
    documented = json.loads(sample)["service"]
    assert documented.keys() == served.keys()
    assert documented["last"].keys() == served["last"].keys()
    assert documented["sources"][0].keys() == served["sources"][0].keys()


def test_many_clients_at_once_share_one_look(watched: Watched) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: watched.get("/status.json").json["sync_id"], range(12)))
    assert len(set(answers)) == 1


def test_a_new_cycle_is_seen_at_once(watched: Watched) -> None:
    before = watched.get("/status.json").json
    watched.cycle()
    after = watched.get("/status.json").json
    assert (before["service"]["cycles"], after["service"]["cycles"]) == (1, 2)
    assert before["sync_id"] != after["sync_id"]


def test_the_page_shows_the_file_beside_the_wanted_one(watched: Watched) -> None:
    (watched.directory / "tester.md").write_text(agent("tester", "You <script>alert(1)</script> help."))
    page = watched.get("/").text
    assert "1 thing needs attention" in page
    assert "-You &lt;script&gt;alert(1)&lt;/script&gt; help." in page
    assert page.count("<script") == 1  # its own


def test_a_file_that_is_too_large_is_not_compared(watched: Watched) -> None:
    (watched.directory / "tester.md").write_text("mine\n" * 100_000)
    page = watched.get("/").text
    assert "There is nothing to compare, or too much:" in page
    assert len(page) < 100_000


def test_the_page_on_an_address_that_others_reach_shows_no_content(tmp_path: Path) -> None:
    with Watched(tmp_path, listen="0.0.0.0:0", allow_remote=True) as service:
        service.cycle()
        (service.directory / "tester.md").write_text("my secret\n")
        response = service.get("/", Host="machine.example:9417")
        assert response.status == 200
        assert "in conflict" in response.text
        assert "my secret" not in response.text
        assert "on this machine only" in response.text


def test_a_state_that_cannot_be_used_is_reported_and_the_rest_is_shown(watched: Watched) -> None:
    with sqlite3.connect(watched.app_paths.database) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    response = watched.get("/status.json")
    assert response.status == 503
    assert "version 99" in response.json["error"]["message"]
    assert response.json["service"]["cycles"] == 1
    page = watched.get("/")
    assert page.status == 200
    assert "version 99" in page.text
    assert watched.get("/healthz").status == 200
