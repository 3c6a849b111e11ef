"""`agentsync health`: asks the service that runs here how it is, for monitors that can only run a command."""

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
@click.option("--ready", is_flag=True, help="Ask whether everything was synced lately, not only whether it lives.")
@common_options
def command(*, ready: bool) -> int:
    """Ask the service whether it lives, where `[health] listen` says that it answers.

    Exits with 1 where it does not, or does not answer: for a container's health check, or a probe.
    """
    options = common()
    address = read_config(options).health.address
    if address is None:
        raise ConfigError("the service answers nobody", hint='set `listen = "127.0.0.1:9417"` under [health]')
    path = "/readyz" if ready else "/healthz"
    try:
        with closing(_Connection(address)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            good, declared = response.status == HTTPStatus.OK, response.read().decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        good, declared = False, f"no answer at {address}: {why(error) or type(error).__name__}"
    options.status = ExitCode.OK if good else ExitCode.FINDINGS
    click.echo(json.dumps({"good": good, "message": declared}) if options.json else printable(declared))
    return options.status


class _Connection(HTTPConnection):
    """To a port or a Unix socket, and never by way of a proxy."""

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
