"""Settings that only a fetch needs: the allowed protocols, and the authentication."""

from __future__ import annotations

import base64
import os
import shlex
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from agentsync.core.errors import SourceUnavailableError, why
from agentsync.core.files import check_regular, read_regular
from agentsync.core.paths import home
from agentsync.core.urls import REDACTED, local_path, origin, scheme, split_credentials
from agentsync.git.environment import with_settings
from agentsync.git.process import READ_SECONDS, Done, executable, run
from agentsync.git.remote import Auth, Remote


def access(remote: Remote, base: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Build the URL and the environment of a fetch; secrets are in the environment, since `ps` shows arguments.

    Args:
        remote: the ref to fetch, and its repository.
        base: the environment of every other command.

    Raises:
        SourceUnavailableError: the token file cannot be read, or another file is not a regular one.
    """
    auth = remote.auth
    url, user, password = split_credentials(remote.url)
    if path := local_path(remote.url):
        url = str(Path(path).expanduser().absolute())
    environment = dict(base) | {"GIT_ALLOW_PROTOCOL": ":".join(remote.protocols), "GIT_SSH_COMMAND": ssh_command(auth)}
    _check_files(auth)
    settings = [("http.proxy", auth.proxy or "")]
    if auth.ca_file:
        settings.append(("http.sslCAInfo", str(auth.ca_file)))
    if auth.token_file and scheme(url) in {"http", "https"}:
        user, password = auth.username, _token(auth.token_file)
    if scheme(url) in {"http", "https"}:
        # The trace is the only place where git reports the headers of an answer; it leaves credentials out.
        environment |= {"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}
    if user or password:
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        settings.append((f"http.{origin(url)}.extraHeader", f"Authorization: Basic {basic}"))
    if auth.use_ssh_agent and (agent := os.environ.get("SSH_AUTH_SOCK")):
        environment["SSH_AUTH_SOCK"] = agent
    if auth.use_netrc or auth.use_credential_helper:
        environment["HOME"] = str(home())
    if auth.use_credential_helper:
        session = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")  # needed to reach a keyring
        environment |= {name: os.environ[name] for name in session if name in os.environ}
        settings += _credential_settings(environment)
    return url, with_settings(environment, settings)


def hide_secrets(done: Done, remote: Remote) -> Done:
    """Mask the secrets of a fetch in its output: a server may repeat what it was sent."""
    _, user, password = split_credentials(remote.url)
    secrets = {password or user}  # a user without a password is a token
    if remote.auth.token_file:
        with suppress(SourceUnavailableError):
            secrets.add(_token(remote.auth.token_file))
    stderr = done.stderr
    for secret in secrets - {""}:
        stderr = stderr.replace(secret, REDACTED)
    return replace(done, stderr=stderr)


def _check_files(auth: Auth) -> None:
    """Check the files that git and ssh will open."""
    for title, path in (("the ssh key", auth.ssh_key), ("known_hosts", auth.known_hosts), ("ca_file", auth.ca_file)):
        try:
            if path:
                check_regular(path.expanduser())
        except OSError as error:
            raise SourceUnavailableError(f"{title} cannot be used: {why(error)}", place=str(path)) from error


def _token(path: Path) -> str:
    """Read a token file, which must have one printable line."""
    try:
        token = read_regular(path).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnavailableError(f"the token file cannot be read: {why(error)}", place=str(path)) from error
    if not token or not token.isprintable():
        raise SourceUnavailableError("the token file must hold one line", place=str(path), hint="write a new token")
    return token


def ssh_command(auth: Auth) -> str:
    """Build the ssh command, with the files that it may use.

    OpenSSH takes the user's home from the password database and not from HOME, so each file is named or excluded.
    """
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=10", "ServerAliveInterval=15"]
    # A shared connection would outlive the fetch, and keep its pipes open.
    options += ["ControlMaster=no", "ControlPath=none"]
    if not auth.use_ssh_agent:
        options.append("IdentityAgent=none")
    if auth.ssh_key:
        options += ["IdentitiesOnly=yes", f"IdentityFile={_ssh_quoted(auth.ssh_key)}"]
    if auth.known_hosts:
        options += [f"UserKnownHostsFile={_ssh_quoted(auth.known_hosts)}", "GlobalKnownHostsFile=none"]
    configuration = [] if auth.use_ssh_config else ["-F", "none"]
    return shlex.join(["ssh", *configuration, *(f"-o{option}" for option in options)])


def _ssh_quoted(path: Path) -> str:
    return f'"{path.expanduser().absolute()}"'.replace("%", "%%")


def _credential_settings(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Read the `credential.*` settings of the user and the system, and none of their other settings."""
    isolated = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT", "XDG_CONFIG_HOME")
    theirs = {name: value for name, value in environment.items() if name not in isolated}
    theirs |= {name: os.environ[name] for name in ("XDG_CONFIG_HOME",) if name in os.environ}
    until = time.monotonic() + READ_SECONDS
    command = [executable(), "config", "-z", "--get-regexp", r"^credential\."]
    records = run(command, home(), theirs, until).output.decode(errors="surrogateescape").split("\0")[:-1]
    pairs = (record.partition("\n") for record in records)
    return [(name, value) for name, _, value in pairs]
