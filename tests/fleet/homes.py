"""Homes on this machine, each with a service of its own: forty in the demonstration."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.machine import Machine

STAGES: Final = {"canary": ("platform", 4), "early": ("beta", 8), "everyone": ("", 28)}
"""By stage: the group of its machines in their configuration, and how many there are."""

_AT_ONCE: Final = 4  # services that start together: each takes half a second of processor time
_SECONDS: Final = 60.0
_CONFIG: Final = """[sources.team]
url = "{url}"
allow_http = true
{group}
[targets.claude]
[targets.opencode]

[daemon]
interval = {interval}
jitter = 1 # all homes have one machine id, so chance spreads them
watch = false

[health]
listen = "127.0.0.1:{port}"
"""


@dataclass(frozen=True, slots=True)
class Home:
    """A home, as one machine of the team.

    Attributes:
        name: as Prometheus calls it.
        port: where its service serves metrics.
    """

    name: str
    stage: str
    machine: Machine
    port: int

    @property
    def prompt(self) -> str:
        """The last line of the reviewer that is installed here; empty where there is none."""
        path = self.machine.claude / "reviewer.md"
        return path.read_text(encoding="utf-8").splitlines()[-1] if path.exists() else ""


def homes_below(
    root: Path, url: str, stages: Mapping[str, tuple[str, int]] = STAGES, *, interval: int = 6
) -> Sequence[Home]:
    """Make and configure the homes of some stages, which follow a repository and poll it every `interval` seconds."""
    names = [(stage, f"{stage}-{number:02}") for stage, (_, size) in stages.items() for number in range(1, size + 1)]
    ports = free_ports(len(names))
    homes = [Home(name, stage, Machine(root / name), port) for (stage, name), port in zip(names, ports, strict=True)]
    for home in homes:
        group = stages[home.stage][0]
        table = f'[sources.team.rollout]\ngroup = "{group}"\n' if group else ""
        home.machine.configure(_CONFIG.format(url=url, group=table, port=home.port, interval=interval))
    return homes


@contextmanager
def running(homes: Sequence[Home]) -> Iterator[None]:
    """Run the service of each home, a few of them starting at a time."""
    services = []
    with ExitStack() as stack:
        for first in range(0, len(homes), _AT_ONCE):
            lot = homes[first : first + _AT_ONCE]
            for home in lot:
                log = stack.enter_context((home.machine.root / "log.jsonl").open("wb"))
                command, variables = home.machine.command("daemon"), home.machine.environment
                started = process(command, log=log.fileno(), cwd=home.machine.root, env=variables)
                services.append(stack.enter_context(started))
            for home in lot:
                wait_for_port(home.port)
        yield
        for service in services:  # all at once: each needs a moment to end
            service.terminate()


@contextmanager
def process(
    command: Sequence[str], *, log: int, cwd: Path, env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, whose output goes to a file, until the end of the context."""
    started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd, env=env)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def free_ports(number: int) -> Sequence[int]:
    """Return ports of loopback that are free now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [one.getsockname()[1] for one in sockets]


def wait_for_port(port: int) -> None:
    """Wait until something listens.

    Raises:
        TimeoutError: nothing did within a minute.
    """
    end = time.monotonic() + _SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > end:
                raise TimeoutError(f"nothing listens at port {port}") from None
            time.sleep(0.05)
        else:
            return
