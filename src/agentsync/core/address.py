"""Addresses to listen on: an IP address and a port, or the path of a Unix socket."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

_UNIX: Final = "unix:"
_LOCALHOST: Final = "localhost"
_LAST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address and port, or a Unix socket; the fields of the other form are empty.

    Attributes:
        host: an IP address, never a name, so that no lookup is needed.
        port: 0 lets the system choose.
        path: the path of a Unix socket.
    """

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return bool(self.path) or is_loopback(self.host)

    def __str__(self) -> str:
        if self.path:
            return f"{_UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Parse an address: `127.0.0.1:9417`, `[::1]:9417`, `localhost:9417` or `unix:/path`.

    Raises:
        ValueError: the text has none of these forms.
    """
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if not path.startswith("/") or "\0" in path:
            raise ValueError(f"`{text}`: the path of a socket must be absolute")
        return Address(path=path)
    name, _, port = text.rpartition(":")
    host = "127.0.0.1" if name == _LOCALHOST else name
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"`{text}`: an IPv6 address must be in brackets, as in [::1]:9417")
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise ValueError(f"`{text}` is not ADDRESS:PORT, such as 127.0.0.1:9417, nor unix:/path") from error
    if not (port.isascii() and port.isdigit() and int(port) <= _LAST_PORT):
        raise ValueError(f"`{text}`: the port must be a number up to {_LAST_PORT}")
    return Address(host, int(port))


def is_loopback(host: str) -> bool:
    """Whether a host, as written in a URL or a Host header, can only be this machine."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if bare.lower() == _LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
