"""Authentication by token, password, key or the user's own helpers, and never by one that is not allowed."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentsync.core.errors import ConfigError, SourceUnavailableError
from agentsync.git import process as git_process
from agentsync.git.access import access, ssh_command
from agentsync.git.mirror import Auth, Mirror, Remote, TransientError
from support.gitserver import GitServer, NotStartedError, SshServer, basic, certificate_of, find_sshd
from support.mirror import failure, over_http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.repository import Repository


def test_a_token_is_sent_at_once_and_its_file_is_read_each_time(
    tmp_path: Path, mirror: Mirror, server: GitServer
) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    server.authorization = basic("x-access-token", "new")
    remote = over_http(server, auth=Auth(token_file=token))
    error = failure(mirror, remote)
    assert error.message.startswith("the server refused the credentials, or wants some: ")
    assert not isinstance(error, TransientError)
    token.write_text("new\n")
    server.seen.clear()
    mirror.fetch(remote)
    assert set(server.seen) == {server.authorization}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
@pytest.mark.parametrize(
    "auth_of",
    [
        lambda path: Auth(token_file=path),
        lambda path: Auth(ssh_key=path),
        lambda path: Auth(known_hosts=path),
        lambda path: Auth(ca_file=path),
        lambda path: Auth(client_key=path),
    ],
)
def test_no_pipe_and_no_device_is_opened(tmp_path: Path, auth_of: Callable[[Path], Auth]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(SourceUnavailableError, match="it is not a regular file") as raised:
            access(Remote("https://host.example/x.git", auth=auth_of(path)), {})
        assert raised.value.place == str(path)


def test_missing_credentials_fail_at_once_without_a_prompt(mirror: Mirror, server: GitServer) -> None:
    server.authorization = "Bearer x"
    start = time.monotonic()
    assert "credentials" in failure(mirror, over_http(server)).message
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("content", [None, b"", b"two\nlines", b"\xff"])
def test_a_token_file_that_cannot_be_used_is_named_and_its_content_is_not(
    tmp_path: Path, mirror: Mirror, server: GitServer, content: bytes | None
) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    error = failure(mirror, over_http(server, auth=Auth(token_file=token)))
    assert error.place == str(token)
    assert "lines" not in str(error)


def test_a_password_in_the_url_works_and_is_never_shown(
    mirror: Mirror, server: GitServer, repository: Repository
) -> None:
    server.authorization = basic("ada", "s3cr:t/")
    assert mirror.fetch(over_http(server, userinfo="ada:s3cr%3At%2F@")).id == repository.head
    for secret in ("wr0ng", "wr0ng/x"):
        remote = over_http(server, userinfo=f"ada:{secret}@")
        with pytest.raises((SourceUnavailableError, ConfigError)) as caught:
            mirror.fetch(remote)
        assert "wr0ng" not in f"{caught.value} {caught.value.hint} {caught.value.place} {remote!r}"


def test_a_secret_is_in_no_command_line(mirror: Mirror, server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    start = git_process._start

    def record(command: list[str], *arguments: object, **options: object) -> object:
        started.extend(command)
        return start(command, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(git_process, "_start", record)
    server.authorization = basic("ada", "s3cret")
    mirror.fetch(over_http(server, userinfo="ada:s3cret@"))
    assert "fetch" in started
    assert not [part for part in started if "s3cret" in part or server.authorization in part]


def test_a_service_of_the_machine_runs_no_credential_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/agentsync/ada")
    with pytest.raises(SourceUnavailableError, match="runs no credential helper of a user") as raised:
        access(Remote("https://host.example/x.git", auth=Auth(use_credential_helper=True)), {})
    assert "token_file" in raised.value.hint


def test_the_users_netrc_and_credential_helper_count_only_where_they_may_and_nothing_else_of_theirs(
    home: Path, mirror: Mirror, server: GitServer, repository: Repository
) -> None:
    server.authorization = basic("ada", "pw")
    (home / ".netrc").write_text("machine 127.0.0.1 login ada password pw\n")
    (home / ".gitconfig").write_text(
        '[credential]\n\thelper = "!f() { echo username=ada; echo password=pw; }; f"\n'
        f'[url "https://nowhere.invalid/"]\n\tinsteadOf = {server.url("")}\n'
    )
    assert "credentials" in failure(mirror, over_http(server)).message
    assert mirror.fetch(over_http(server, auth=Auth(use_netrc=True))).id == repository.head
    (home / ".netrc").unlink()
    assert mirror.fetch(over_http(server, auth=Auth(use_credential_helper=True))).id == repository.head


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    sshd = find_sshd()
    if sshd is None:
        pytest.skip("OpenSSH's server is not installed")
    with ExitStack() as stack:
        try:
            running = stack.enter_context(SshServer(tmp_path / "ssh", sshd))
        except NotStartedError as error:
            pytest.skip(f"OpenSSH's server does not start: {error}")
        yield running


def test_ssh_lets_in_with_a_key_and_refuses_a_host_that_is_not_the_known_one(
    repository: Repository, mirror: Mirror, ssh_server: SshServer
) -> None:
    auth = Auth(ssh_key=ssh_server.key, known_hosts=ssh_server.known_hosts)
    remote = Remote(ssh_server.url(repository.path), auth=auth)
    assert mirror.fetch(remote).id == repository.head
    ssh_server.introduce(ssh_server.key.with_suffix(".pub").read_text())
    assert failure(mirror, remote).message.startswith("the server's host key is not the known one: ")
    ssh_server.known_hosts.write_text("")
    assert failure(mirror, remote).message.startswith("the server's host key is unknown: ")


def test_ssh_never_asks_and_uses_only_configured_keys() -> None:
    plain = ssh_command(Auth(known_hosts=Path("/etc/known hosts")))
    assert plain.startswith("ssh -F none ")
    assert {"-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oIdentityAgent=none"} <= set(plain.split())
    assert "'-oUserKnownHostsFile=\"/etc/known hosts\"'" in plain
    free = ssh_command(Auth(use_ssh_config=True, use_ssh_agent=True))
    assert "-F" not in free
    assert "IdentityAgent" not in free


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certificate_of(tmp_path)


def test_https_trusts_the_configured_authority_and_no_other(
    repository: Repository, mirror: Mirror, certificate: Path
) -> None:
    token = certificate.with_name("token")
    token.write_text("let-me-in")
    authority = certificate.with_name("certificate.pem")
    with GitServer(repository.path.parent, certificate=certificate) as server:
        url = server.url(repository.path.name)
        assert mirror.fetch(Remote(url, auth=Auth(ca_file=authority, token_file=token))).id == repository.head
        assert server.seen[-1].startswith("Basic ")
        assert failure(mirror, Remote(url)).message.startswith(
            "the server's certificate is from an unknown authority: "
        )


@pytest.mark.parametrize(
    ("host", "days", "message"),
    [
        ("IP:127.0.0.1", -1, "the server's certificate has expired, or is not valid yet: "),
        ("DNS:example.org", 2, "the server's certificate is for another host: "),
    ],
)
def test_what_is_wrong_with_a_certificate_is_reported(
    repository: Repository, mirror: Mirror, tmp_path: Path, *, host: str, days: int, message: str
) -> None:
    certificate = certificate_of(tmp_path, host, days)
    with GitServer(repository.path.parent, certificate=certificate) as server:
        remote = Remote(server.url(repository.path.name), auth=Auth(ca_file=tmp_path / "certificate.pem"))
        assert failure(mirror, remote).message.startswith(message)
