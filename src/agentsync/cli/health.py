"""`agentsync health`: asks the local service for its health, for monitors that can only run a command."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final

import click

from agentsync.cli.cycle import read_config
from agentsync.cli.options import common, common_options
from agentsync.core.address import Address
from agentsync.core.errors import ConfigError, ExitCode, why
from agentsync.core.urls import printable

_EPILOG = """\b
Examples:
  agentsync health
  agentsync health --ready
"""
_SECONDS: Final = 5  # that the service may take to answer


@click.command("health", epilog=_EPILOG)
@click.option("--ready", is_flag=True, help="Check whether everything was synced lately, not only whether it is alive.")
@common_options
def command(*, ready: bool) -> int:
    """Check whether the service is alive, at the address set by `[health] listen`.

    Exits with 1 if it is not, or does not answer: for a container's health check, or a probe.
    """
    options = common()
    address = read_config(options).health.address
    if address is None:
        raise ConfigError("the service has no health endpoint", hint='set `listen = "127.0.0.1:9417"` under [health]')
    path = "/readyz" if ready else "/healthz"
    try:
        with closing(_Connection(address)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            good, message = response.status == HTTPStatus.OK, response.read().decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        good, message = False, f"no answer at {address}: {why(error) or type(error).__name__}"
    options.status = ExitCode.OK if good else ExitCode.FINDINGS
    click.echo(json.dumps({"good": good, "message": message}) if options.json else printable(message))
    return options.status


class _Connection(HTTPConnection):
    """A connection to a port or a Unix socket, never through a proxy."""

    def __init__(self, address: Address) -> None:
        super().__init__(address.host or "localhost", address.port, timeout=_SECONDS)
        self._path = address.path

    def connect(self) -> None:
        if not self._path:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)
