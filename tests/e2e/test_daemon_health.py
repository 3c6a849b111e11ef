"""The health endpoint of the service as a process of its own, through reloads, mistakes and its end."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support.machine import Machine
from support.repository import Repository
from support.service import Service

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

_SECONDS = 20


@pytest.fixture
def configured(machine: Machine, repository: Repository) -> Machine:
    machine.follow(repository)
    return machine


@pytest.fixture
def service(configured: Machine) -> Iterator[Service]:
    """A service that listens at a port of the system's choice and has ended its first cycle."""
    health(configured, 'listen = "127.0.0.1:0"')
    running = Service(configured)
    running.wait_for("sync.finished")
    yield running
    running.kill()


def health(machine: Machine, settings: str) -> None:
    text = machine.config.read_text().partition("[health]")[0].rstrip()
    machine.config.write_text(f"{text}\n[health]\n{settings}\n")


def ask(address: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def address_of(service: Service) -> str:
    [*_, listening] = [event for event in service.events if event["event"] == "health.listening"]
    return str(listening["address"])


def lasting(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ("sync_id", "seconds", "service")}


def test_it_reports_the_same_as_status(service: Service, configured: Machine) -> None:
    address = address_of(service)
    until_ready(service, address)
    (configured.opencode / "tester.md").write_text("mine\n")
    service.wait_for("agent.conflict")
    reported = json.loads(ask(address, "/status.json")[1])
    assert lasting(reported) == lasting(configured.run("status", "--format", "json").json)
    assert {target["name"]: target["drifted"] for target in reported["targets"]} == {"claude": 0, "opencode": 1}
    assert "in conflict" in ask(address, "/")[1]
    assert 'agentsync_syncs_total{result="ok",trigger="start"} 1.0' in ask(address, "/metrics")[1]


def until_ready(service: Service, address: str) -> None:
    """Wait until it is ready: the first cycle is logged before it is reported here."""
    service.until(lambda: ask(address, "/readyz")[0] == 200)


def test_a_port_in_use_ends_it_at_the_start_and_is_reported_later_on(service: Service, configured: Machine) -> None:
    before = address_of(service)
    until_ready(service, before)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        health(configured, f'listen = "{address}"')
        service.process.send_signal(signal.SIGHUP)
        refused = service.wait_for("config.refused")
        assert address in refused["error"]
        service.until(lambda: "agentsync_config_valid 0.0" in ask(before, "/metrics")[1])
        assert f"cannot listen at {address}" in ask(before, "/")[1]
        assert ask(before, "/readyz") == (200, "ready\n")
        service.end()
        result = configured.run("daemon")
        assert result.code == 2
        assert "another program listens there" in result.stderr


def test_a_reload_moves_it_and_the_end_closes_it(service: Service, configured: Machine) -> None:
    before = address_of(service)
    path = configured.root / "h.sock"
    health(configured, f'listen = "unix:{path}"')
    service.process.send_signal(signal.SIGHUP)
    service.wait_for("health.listening", address=f"unix:{path}")
    assert path.is_socket()
    with pytest.raises(ConnectionRefusedError):
        ask(before, "/healthz")
    assert service.end() == 0
    assert not path.exists()
