"""Addresses of the health endpoint: valid ones, mistakes, and those that need an explicit permission."""

from __future__ import annotations

import pytest

from agentsync.config import Config
from agentsync.config.tables import HealthTable
from agentsync.core.address import Address, is_loopback, parse_address
from agentsync.core.errors import ConfigError
from agentsync.formats.validated_toml import validate


def table(**health: object) -> HealthTable:
    return validate({"version": 1, "health": health}, Config, "config.toml").health


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9417", Address("127.0.0.1", 9417)),
        ("[::1]:9417", Address("::1", 9417)),
        ("localhost:0", Address("127.0.0.1", 0)),
        ("192.0.2.1:65535", Address("192.0.2.1", 65535)),
        ("unix:/run/agentsync/health.sock", Address(path="/run/agentsync/health.sock")),
    ],
)
def test_an_address_is_read_and_printed_again(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9417", "is not ADDRESS:PORT"),
        (":9417", "is not ADDRESS:PORT"),
        ("machine.example:9417", "is not ADDRESS:PORT"),
        ("127.0.0.1:", "must be a number"),
        ("127.0.0.1:http", "must be a number"),
        ("127.0.0.1:65536", "must be a number"),
        ("127.0.0.1:-1", "must be a number"),
        ("127.0.0.1:٣", "must be a number"),
        ("::1:9417", "must be in brackets"),
        ("[::1:9417", "must be in brackets"),
        ("unix:health.sock", "must be absolute"),
        ("unix:", "must be absolute"),
        ("", "is not ADDRESS:PORT"),
    ],
)
def test_an_invalid_address_is_a_mistake_with_a_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        table(listen=text)
    assert "`health.listen`" in caught.value.message


@pytest.mark.parametrize("text", ["0.0.0.0:9417", "[::]:9417", "192.0.2.1:9417"])
def test_others_are_let_in_on_purpose_only(text: str) -> None:
    with pytest.raises(ConfigError, match="`allow_remote = true`"):
        table(listen=text)
    assert table(listen=text, allow_remote=True).address == parse_address(text)


@pytest.mark.parametrize("text", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1", "unix:/run/health.sock"])
def test_this_machine_is_always_let_in(text: str) -> None:
    address = table(listen=text).address
    assert address is not None
    assert address.is_local


@pytest.mark.parametrize("host", ["localhost.example", "127.0.0.1.example", "::1.example", "", "192.0.2.1", "[::]"])
def test_a_name_that_looks_like_this_machine_is_not_it(host: str) -> None:
    assert not is_loopback(host)


def test_the_path_of_a_socket_may_hold_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert table(listen="unix:$XDG_RUNTIME_DIR/agentsync.sock").listen == "unix:/run/user/1000/agentsync.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with pytest.raises(ConfigError, match="XDG_RUNTIME_DIR is not set"):
        table(listen="unix:$XDG_RUNTIME_DIR/agentsync.sock")


@pytest.mark.parametrize("url", ["collector:4318", "ftp://collector", "http://", "grpc://collector:4317", ""])
def test_a_collector_is_named_by_its_url(url: str) -> None:
    with pytest.raises(ConfigError, match="must be an address such as"):
        table(otlp=url)
    assert table(otlp="https://collector.example:4318/").otlp == "https://collector.example:4318"
