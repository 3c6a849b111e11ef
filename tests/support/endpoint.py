"""A service with its health endpoint: real repositories, targets and state, and cycles that a test runs itself."""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from agentsync.config import Config
from agentsync.core.errors import AgentsyncError
from agentsync.core.log import logged
from agentsync.core.paths import AppPaths
from agentsync.formats.validated_toml import validate
from agentsync.report.service_status import ServiceStatus, Trigger
from agentsync.service.control_socket import Answer
from agentsync.service.current_status import service_status_of, status_after
from agentsync.service.health import Health
from agentsync.service.local_work import LocalWork, settings_of
from agentsync.service.polling import Polling
from agentsync.sync.cycle import cycle
from agentsync.sync.request import Environment, Scope, SyncRequest
from support.machine import agent
from support.repository import Repository

_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Response:
    """A response of the endpoint."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Watched:
    """A source, `team`, for Claude Code, OpenCode and Codex, and the health endpoint of its service.

    Attributes:
        directory: of Claude Code's agents.
        service_status: the status that was published last.
        now: the time by the endpoint's clock; None for the real one.
        awake: the time by its timer; None for the real one.
    """

    def __init__(self, root: Path, **health: object) -> None:
        self.root = root
        self.app_paths = AppPaths(root / "state", root / "cache")
        self.source = Repository(root / "served" / "team.git")
        self.source.write({"agents/reviewer.md": agent("reviewer", color="blue"), "agents/tester.md": agent("tester")})
        self.source.commit("Two agents")
        self.directory = root / "claude"
        self.config = self.configured(**health)
        self.now: float | None = None
        self.awake: float | None = None
        self.health = Health(
            self.app_paths,
            LocalWork(lambda *_: Answer()),
            clock=lambda: self.now or time.time(),
            timer=lambda: self.awake or time.monotonic(),
        )
        self.service_status = ServiceStatus(config=str(root / "config.toml"), started_at=time.time())
        self._polling = Polling()

    def configured(self, **health: object) -> Config:
        """The configuration with this table of health; it listens at a port of the system's choice."""
        document = {
            "version": 1,
            "sources": {"team": {"url": str(self.source.path), "branch": "main", "allow_local": True}},
            "targets": {
                name: {"path": str(self.root / name), "create": True} for name in ("claude", "opencode", "codex")
            },
            "health": {"listen": "127.0.0.1:0"} | health,
        }
        return validate(document, Config, "config.toml")

    def follow(self, config: Config) -> None:
        """Apply a configuration."""
        self.health.follow(settings_of(config))

    def __enter__(self) -> Self:
        self.follow(self.config)
        return self

    def __exit__(self, *_: object) -> None:
        self.health.close()

    def cycle(self, trigger: Trigger = Trigger.SCHEDULE) -> ServiceStatus:
        """Run a cycle and publish its result."""
        began = time.monotonic()
        try:
            result = logged(cycle(Environment(self.config, self.app_paths), SyncRequest(Scope.APPLY)))
        except AgentsyncError as error:
            raise AssertionError(error) from error
        service_status = status_after(result, self.service_status, trigger, time.monotonic() - began)
        service_status = replace(service_status, next_run_at=time.time() + 300)
        sources = settings_of(self.config).sources
        return self.publish(service_status_of(service_status, sources, self.app_paths, self._polling))

    def publish(self, service_status: ServiceStatus) -> ServiceStatus:
        """Publish a status as it is."""
        self.service_status = service_status
        self.health.saw(service_status)
        return service_status

    def get(self, path: str, method: str = "GET", **headers: str) -> Response:
        """Send a request to the endpoint; `Host` among the headers is sent instead of the address."""
        connection = _Connection(self.health.address)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return Response(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    """A connection to an address as the configuration has it."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__("localhost" if address.startswith("unix:") else address, timeout=_SECONDS)

    def connect(self) -> None:
        self.sock = connect(self._address)


def connect(address: str) -> socket.socket:
    """A connection to an address as the configuration has it."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_SECONDS)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS)
