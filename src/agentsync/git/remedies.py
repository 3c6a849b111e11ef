"""What to do about a server that lets nobody in, by what was used to get in."""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit

from agentsync.core.paths import shorten
from agentsync.core.urls import printable, scheme, split_credentials
from agentsync.git.remote import Remote


def credentials_hint(remote: Remote) -> str:
    """What to do about credentials that were refused, or are missing."""
    remedy = _over_ssh(remote) if scheme(remote.url) == "ssh" else _over_http(remote)
    return f"{remedy}; a host may report the same for a repository that does not exist"


def host_key_hint(remote: Remote) -> str:
    """What to do about a host whose key is not known."""
    if remote.auth.known_hosts:
        return "add it to the known_hosts file, after comparing it with what the host publishes"
    return f"`{_ssh_login(remote.url)}` shows it: accept it there if it is what the host publishes"


def _over_http(remote: Remote) -> str:
    auth = remote.auth
    url, user, password = split_credentials(remote.url)
    if auth.token_file:
        return f"check the token file {shorten(str(auth.token_file))}"
    if user or password:
        return "correct the password or token in the source's `url`"
    if auth.use_credential_helper:
        return f"log in with `git ls-remote {printable(url)}`, after which your credential helper knows the password"
    if auth.use_netrc:
        return "correct this host's password in ~/.netrc"
    return "set `token_file` under the source's `auth`"


def _over_ssh(remote: Remote) -> str:
    auth = remote.auth
    if auth.ssh_key:
        return f"check that the host knows the ssh key {shorten(str(auth.ssh_key))}, and that it is not encrypted"
    if auth.use_ssh_agent:
        return "add a key to the ssh agent (`ssh-add`) that the host knows"
    return "set `ssh_key` under the source's `auth`"


def _ssh_login(url: str) -> str:
    """The command that connects to the host of a URL as git does."""
    if "://" in url:
        parts = urlsplit(url)
        user = f"{parts.username}@" if parts.username else ""
        port = ["-p", str(parts.port)] if parts.port else []
        return shlex.join(["ssh", *port, printable(f"{user}{parts.hostname}")])
    return shlex.join(["ssh", printable(url.partition(":")[0])])
