"""`agentsync health`, against the endpoint that the service has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import pytest

from agentsync.core.address import parse_address
from agentsync.service.http_endpoint import Answer, Endpoint
from support.machine import Machine

_ANSWERS = {
    "/healthz": Answer.text(HTTPStatus.OK, "alive"),
    "/readyz": Answer(HTTPStatus.SERVICE_UNAVAILABLE, b"star\x1bting\n"),
}


@pytest.fixture(params=["port", "socket"])
def listen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a service that is alive and not ready."""
    address = parse_address({"port": "127.0.0.1:0", "socket": f"unix:{tmp_path}/health"}[request.param])
    with closing(Endpoint(address, _ANSWERS.__getitem__)) as endpoint:
        endpoint.start()
        yield f"unix:{address.path}" if address.path else f"127.0.0.1:{endpoint.address.port}"


def test_a_service_is_asked_at_its_configured_address(machine: Machine, listen: str) -> None:
    machine.configure(f'[health]\nlisten = "{listen}"\n')
    alive = machine.run("health", environment={"http_proxy": "http://127.0.0.1:1"})
    assert (alive.code, alive.stdout) == (0, "alive\n")
    ready = machine.run("health", "--ready")
    assert (ready.code, ready.stdout) == (1, "star\\x1bting\n")
    assert machine.run("health", "--format", "json").json == {"good": True, "message": "alive"}


@pytest.mark.parametrize("listen", ["unix:/nowhere/health", "127.0.0.1:1"])
def test_a_service_that_does_not_answer_is_not_healthy(machine: Machine, listen: str) -> None:
    machine.configure(f'[health]\nlisten = "{listen}"\n')
    result = machine.run("health", "--format", "json")
    assert (result.code, result.json["good"]) == (1, False)
    assert result.json["message"].startswith(f"no answer at {listen}: ")
    assert "Errno" not in result.json["message"]


def test_without_an_address_there_is_no_service_to_ask(machine: Machine) -> None:
    machine.configure("")
    result = machine.run("health")
    assert result.code == 2
    assert "under [health]" in result.stderr
