"""Where the submodules of a repository are: what `.gitmodules` states, as git resolves it, and with which access."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from agentsync.core.errors import SourceRefusedError
from agentsync.core.urls import local_path, printable, scheme, split_credentials
from agentsync.git.remote import Auth, Remote

FILE_NAME = ".gitmodules"


def read_urls(settings: bytes) -> dict[str, str]:
    """Return the URL of each submodule by its path, from what `git config -z --get-regexp` puts out of `.gitmodules`.

    Nothing else that the file sets is honoured.
    """
    values: dict[str, dict[str, str]] = {}
    for record in settings.decode(errors="surrogateescape").split("\0")[:-1]:
        name, _, value = record.partition("\n")
        section, _, key = name.rpartition(".")
        values.setdefault(section, {})[key] = value
    return {one["path"].rstrip("/"): one["url"] for one in values.values() if one.keys() >= {"path", "url"}}


def remote_of_submodule(parent: Remote, path: str, url: str, commit: str) -> Remote:
    """Return what to fetch for a submodule.

    It may be local only where the source is. Credentials go with it to the host of the source, and to no other.

    Args:
        parent: the repository that names the submodule.
        path: of the submodule.
        url: as in `.gitmodules`; relative to the parent's where it begins with `./` or `../`.
        commit: that it is pinned to.

    Raises:
        SourceRefusedError: the relative URL leads above the parent's host.
    """
    resolved = _resolve(parent, path, url)
    own = parent.auth
    auth = (
        own
        if _host(resolved) == _host(parent.url)
        else Auth(ca_file=own.ca_file, ca_directory=own.ca_directory, proxy=own.proxy)
    )
    is_local = parent.allow_local and local_path(parent.url) is not None
    return replace(parent, url=resolved, ref=commit, auth=auth, allow_local=is_local)


def _resolve(parent: Remote, path: str, url: str) -> str:
    """Resolve a URL as git does: each `../` takes off the last part of the parent's URL."""
    if not url.startswith(("./", "../")):
        return url
    base, separator, rest = parent.url.rstrip("/"), "/", url
    while rest.startswith(("./", "../")):
        if rest.startswith("../"):
            before, separator, _ = base.rpartition("/" if "/" in base else ":")
            base = before
        rest = rest.partition("/")[2]
    resolved = f"{base}{separator}{rest}"
    if not base or not separator or _host(resolved) != _host(parent.url):
        message = f"the submodule `{printable(path)}` has a URL that leads above the repository's host"
        raise SourceRefusedError(message, place=parent.place, hint=f"correct {FILE_NAME} in the repository")
    return resolved


def _host(url: str) -> tuple[str, str]:
    """Transport and host of a URL, with the port, and for ssh with the user."""
    try:
        shown, _, _ = split_credentials(url)
        host = urlsplit(shown).netloc if "://" in shown else shown.partition(":")[0]
    except ValueError:
        return scheme(url), url
    return scheme(url), "" if local_path(url) is not None else host
