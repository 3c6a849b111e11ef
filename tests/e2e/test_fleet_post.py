"""`agentsync fleet --github` and `--gitlab`: what is posted as a rollout goes on, and that nothing is posted twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fleets import NEW, OLD, refusing, write_document
from support.githost import Host, git_host
from support.machine import Machine, Result

TOKENS = {"GITHUB_TOKEN": "s3cret", "GITLAB_TOKEN": "s3cret"}


@pytest.fixture
def host() -> Iterator[Host]:
    with git_host() as host:
        yield host


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    """Two stages, of which only the first has the newest commit."""
    directory = tmp_path / "collected"
    directory.mkdir()
    write_document(directory, "ada", NEW, "canary", "current")
    write_document(directory, "bob", OLD, "everyone", "waiting")
    return directory


def post(machine: Machine, host: Host, collected: Path, kind: str, *arguments: str) -> tuple[Result, list[str]]:
    """The result of a run, and the states that it posted, each with its place."""
    host.written.clear()
    where = (f"--{kind}", "acme/agents", "--api", host.url)
    result = machine.run("fleet", "--status", collected, *where, *arguments, environment=TOKENS)
    states = [
        f"{path.rpartition('/acme/agents/')[2]} {body.get('state') or body.get('status') or body['environment']}"
        for path, body in host.written
    ]
    return result, [state.replace(NEW, "NEW").replace(OLD, "OLD") for state in states]


def test_github_shows_each_stage_once(machine: Machine, host: Host, collected: Path) -> None:
    write_document(collected, "carl", OLD, "canary", "current")
    assert post(machine, host, collected, "github")[1] == [
        "statuses/NEW pending",
        "deployments canary",
        "deployments/1/statuses in_progress",
        "deployments everyone",
        "deployments/2/statuses success",
    ]
    (collected / "carl.json").unlink()
    result, posted = post(machine, host, collected, "github")
    assert (result.code, posted) == (0, ["statuses/NEW pending", "deployments/1/statuses success"])
    assert [one["sha"] for one in host.deployments] == [OLD, NEW]
    assert host.statuses[0]["description"] == "canary 1/1, everyone 0/1"
    assert "posted deployment of dddddddddddd to canary: success, 1 of 1 on the right commit" in result.stderr
    assert host.tokens == {"Bearer s3cret"}
    assert post(machine, host, collected, "github")[1] == []
    write_document(collected, "eve", NEW, "canary", "current", **refusing("reviewer"))
    result, posted = post(machine, host, collected, "github")
    assert (result.code, posted) == (1, ["statuses/NEW failure", "deployments/1/statuses failure"])
    assert host.statuses[0]["description"] == "canary 2/2, everyone 0/1, 1 refused"
    assert post(machine, host, collected, "github", "--max-refused", "50%")[1] == [
        "statuses/NEW pending",
        "deployments/1/statuses success",
    ]
    (collected / "eve.json").unlink()
    write_document(collected, "bob", NEW, "everyone", "current")
    assert post(machine, host, collected, "github")[1] == [
        "statuses/NEW success",
        "deployments/1/statuses success",  # with other numbers
        "deployments everyone",
        "deployments/3/statuses success",
    ]
    write_document(collected, "late", OLD, "everyone", "current")
    assert post(machine, host, collected, "github")[1] == []  # a success stays one


def test_gitlab_shows_each_stage_once(machine: Machine, host: Host, collected: Path) -> None:
    write_document(collected, "carl", OLD, "canary", "current")
    assert post(machine, host, collected, "gitlab")[1] == [
        "statuses/NEW running",
        "deployments running",
        "deployments success",
    ]
    assert [(one["environment"]["name"], one["sha"], one["ref"]) for one in host.deployments] == [
        ("everyone", OLD, "main"),
        ("canary", NEW, "main"),
    ]
    assert host.tokens == {"s3cret"}
    assert post(machine, host, collected, "gitlab")[1] == []
    write_document(collected, "carl", NEW, "canary", "current", **refusing("reviewer"))
    assert post(machine, host, collected, "gitlab")[1] == ["statuses/NEW failed", "deployments/1 failed"]
    write_document(collected, "carl", OLD, "canary", "current")
    assert post(machine, host, collected, "gitlab")[1] == ["statuses/NEW running"]  # what is finished stays
    for name, stage in {"carl": "canary", "bob": "everyone", "dan": "everyone"}.items():
        write_document(collected, name, NEW, stage, "current")
    assert post(machine, host, collected, "gitlab")[1] == [
        "statuses/NEW success",
        "deployments/1 success",
        "deployments success",
    ]
    assert post(machine, host, collected, "gitlab")[1] == []


def test_a_host_that_refuses_leaves_the_table(machine: Machine, host: Host, collected: Path) -> None:
    where = ("--github", "acme/other", "--api", host.url, "--format", "json")
    result = machine.run("fleet", "--status", collected, *where, environment=TOKENS)
    assert (result.code, result.json["exit_code"], result.json["machines"]) == (3, 3, 2)
    assert "not posted: " in result.stderr
    assert "404 Not Found: Not Found (the address or the name is wrong, or the token may not see it)" in result.stderr


def test_a_dry_run_needs_no_token_and_asks_nobody(machine: Machine, collected: Path) -> None:
    shown = machine.run("fleet", "--status", collected, "--gitlab", "17", "--dry-run")
    assert shown.code == 0
    first, second, third = shown.stderr.splitlines()
    assert first.startswith(f"POST /projects/17/statuses/{NEW} {{")
    assert json.loads(second.removeprefix("POST /projects/17/deployments "))["environment"] == "canary"
    assert json.loads(third.removeprefix("POST /projects/17/deployments "))["environment"] == "everyone"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--github", "acme/agents"], "there is no token in GITHUB_TOKEN"),
        (["--github", "acme/..", "--dry-run"], "is not OWNER/REPO"),
        (["--github", "acme/agents", "--gitlab", "17"], "exclude each other"),
        (["--dry-run"], "--api and --dry-run are for"),
    ],
)
def test_wrong_usage_is_named(machine: Machine, collected: Path, arguments: list[str], message: str) -> None:
    result = machine.run("fleet", "--status", collected, *arguments)
    assert (result.code, message in result.stderr) == (2, True), result.stderr


def test_what_a_machine_reports_makes_no_environments(machine: Machine, collected: Path) -> None:
    write_document(collected, "mallory", NEW, "prod/../x", "current")
    result = machine.run("fleet", "--status", collected, "--github", "acme/agents", "--dry-run")
    assert (result.code, "are no stages of a rollout" in result.stderr, "POST" in result.stderr) == (2, True, False)
