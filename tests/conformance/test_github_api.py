"""Every call to GitHub, and every answer that is read, against GitHub's own OpenAPI document."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from support.fleets import NEW, OLD, refusing, write_document
from support.githost import Host, git_host
from support.machine import Machine

_SECONDS: Final = 60
_PATHS: Final = (
    "/repos/{owner}/{repo}/commits/{ref}/statuses",
    "/repos/{owner}/{repo}/statuses/{sha}",
    "/repos/{owner}/{repo}/deployments",
    "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
)


@dataclass(frozen=True, slots=True)
class Validated:
    """A host behind a proxy that answers with an error where a call or an answer is not as documented."""

    host: Host
    url: str


@pytest.fixture(scope="module")
def document(tools: Path) -> dict[str, Any]:
    """What GitHub publishes of its API, as far as it is used here; skips where that is not installed."""
    installed = tools / "github-api/node_modules"
    path = installed / "@octokit/openapi/generated/api.github.com.json"
    if not (path.exists() and _prism(tools).exists()):
        pytest.skip(f"npm install --prefix {tools}/github-api @octokit/openapi @stoplight/prism-cli")
    whole: dict[str, Any] = json.loads(path.read_bytes())
    return {**whole, "paths": {path: whole["paths"][path] for path in _PATHS}}


@pytest.fixture
def validated(document: dict[str, Any], tools: Path, tmp_path: Path) -> Iterator[Validated]:
    examples = {name: one["value"] for name, one in document["components"]["examples"].items()}
    forms = {name: examples[name] for name in ("status", "deployment", "deployment-status")}
    specification = tmp_path / "github.json"
    specification.write_text(json.dumps(document))
    with git_host(forms) as host, _proxy(tools, specification, host.url) as url:
        yield Validated(host, url)


@contextmanager
def _proxy(tools: Path, specification: Path, upstream: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    where = ("--host=127.0.0.1", f"--port={port}")
    command = [str(_prism(tools)), "proxy", "--errors", *where, str(specification), upstream]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "Prism is listening" in line:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=_SECONDS)


def _prism(tools: Path) -> Path:
    return tools / "github-api/node_modules/.bin/prism"


def test_what_is_posted_as_a_rollout_goes_on_is_as_documented(tmp_path: Path, validated: Validated) -> None:
    machine, collected = Machine(tmp_path / "machine"), tmp_path / "collected"
    collected.mkdir()
    environment = {
        "GITHUB_TOKEN": "s3cret",
        "GITHUB_API_URL": validated.url,
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/agents",
        "GITHUB_RUN_ID": "7",
    }

    def post() -> int:
        validated.host.written.clear()
        result = machine.run("fleet", "--status", collected, "--github", "acme/agents", environment=environment)
        assert "not posted" not in result.stderr, result.stderr
        return len(validated.host.written)

    write_document(collected, "ada", OLD, "canary", "current")
    write_document(collected, "bob", OLD, "everyone", "waiting")
    assert post() == 5  # in progress
    assert post() == 0
    write_document(collected, "ada", NEW, "canary", "current", **refusing("reviewer"))
    assert post() == 2  # a failure
    write_document(collected, "ada", NEW, "canary", "current")
    assert post() == 2
    write_document(collected, "bob", NEW, "everyone", "current")
    assert post() == 3
    assert validated.host.statuses[0]["target_url"] == "https://github.com/acme/agents/actions/runs/7"


def test_a_call_that_is_not_as_documented_is_noticed(validated: Validated, tmp_path: Path) -> None:
    machine, collected = Machine(tmp_path / "machine"), tmp_path / "collected"
    collected.mkdir()
    write_document(collected, "ada", NEW, "canary", "current")
    validated.host.statuses.append({"sha": NEW, "state": 7})
    arguments = ("fleet", "--status", collected, "--github", "acme/agents", "--api", validated.url)
    result = machine.run(*arguments, environment={"GITHUB_TOKEN": "s3cret"})
    assert (result.code, "it answers 500" in result.stderr) == (3, True), result.stderr
