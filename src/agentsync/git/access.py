"""Settings that only a fetch needs: the allowed protocols, and the authentication."""

from __future__ import annotations

import base64
import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from agentsync.core.errors import SourceUnavailableError, why
from agentsync.core.files import check_regular, read_regular
from agentsync.core.paths import home, runs_for_machine
from agentsync.core.urls import REDACTED, local_path, origin, scheme, split_credentials
from agentsync.git.environment import with_settings
from agentsync.git.process import Done
from agentsync.git.remote import Auth, Remote

_SESSION = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "USER", "LOGNAME", "GNUPGHOME")
"""Variables by which a credential helper reaches a keyring."""

_DIRECTORIES = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
"""Variables by which it finds its own files."""


def access(remote: Remote, base: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Build the URL and the environment of a fetch; secrets are in the environment, since `ps` shows arguments.

    Args:
        remote: the ref to fetch, and its repository.
        base: the environment of every other command.

    Raises:
        SourceUnavailableError: the token file cannot be read, another file is not a regular one, or a service of the
            machine would run a credential helper.
    """
    auth = remote.auth
    url, user, password = split_credentials(remote.url)
    is_ssh, is_web = scheme(url) == "ssh", scheme(url) in {"http", "https"}
    if path := local_path(remote.url):
        url = str(Path(path).expanduser().absolute())
    environment = dict(base) | {"GIT_ALLOW_PROTOCOL": ":".join(remote.protocols), "GIT_SSH_COMMAND": ssh_command(auth)}
    _check_files(auth)
    settings = [("http.proxy", auth.proxy or "")]
    certificates = {
        "http.sslCAInfo": auth.ca_file,
        "http.sslCAPath": auth.ca_directory,
        "http.sslCert": auth.client_cert,
        "http.sslKey": auth.client_key,
    }
    settings += [(name, str(path)) for name, path in certificates.items() if path]
    if auth.token_file and is_web:
        user, password = auth.username, _token(auth.token_file)
    if is_web:
        # The trace is the only place where git reports the headers of an answer; it leaves credentials out.
        environment |= {"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}
    if user or password:
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        settings.append((f"http.{origin(url)}.extraHeader", f"Authorization: Basic {basic}"))
    if auth.use_ssh_agent and (agent := os.environ.get("SSH_AUTH_SOCK")):
        environment["SSH_AUTH_SOCK"] = agent
    if auth.use_netrc or auth.use_credential_helper or (is_ssh and auth.use_ssh_config):
        environment["HOME"] = str(home())  # programs that an ssh configuration names look there as well
    if auth.use_credential_helper and is_web:
        _check_personal(remote)
        environment = {name: value for name, value in environment.items() if name not in _DIRECTORIES}
        environment |= {name: os.environ[name] for name in (*_SESSION, *_DIRECTORIES) if name in os.environ}
        from agentsync.git.user_settings import credential_settings  # noqa: PLC0415 - few sources need it

        settings += credential_settings()
    return url, with_settings(environment, settings)


def _check_personal(remote: Remote) -> None:
    if runs_for_machine():
        message = "a service of the machine runs no credential helper of a user"
        raise SourceUnavailableError(message, place=remote.place, hint="set `token_file` instead")


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
    files = {
        "the ssh key": auth.ssh_key,
        "known_hosts": auth.known_hosts,
        "ca_file": auth.ca_file,
        "client_cert": auth.client_cert,
        "client_key": auth.client_key,
    }
    for title, path in files.items():
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
