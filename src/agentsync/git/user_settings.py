"""What of a user's own setup `git clone URL` would use: single settings, read by their names, and nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from agentsync.core.paths import home
from agentsync.core.urls import scheme, split_credentials
from agentsync.git.environment import base_environment
from agentsync.git.process import READ_SECONDS, executable, run

_ISOLATED = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")
# By key of `auth`: git's setting, and the variable that git prefers to it.
_FILES = {
    "ca_file": ("http.sslCAInfo", "GIT_SSL_CAINFO"),
    "ca_directory": ("http.sslCAPath", "GIT_SSL_CAPATH"),
    "client_cert": ("http.sslCert", "GIT_SSL_CERT"),
    "client_key": ("http.sslKey", "GIT_SSL_KEY"),
}
_NOT_VERIFIED = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True)
class Used:
    """A key of `auth` that lets a source be reached as git would, with its value and where that is from."""

    key: str
    value: str | bool = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True)
class UserSettings:
    """What git would use for a URL.

    Attributes:
        used: what a source can use too.
        unused: what it cannot, or must not, each as a sentence.
        rewritten: the URL that `insteadOf` makes of it; empty where it stays the same.
    """

    used: tuple[Used, ...] = ()
    unused: tuple[str, ...] = ()
    rewritten: str = ""


def user_settings(url: str) -> UserSettings:
    """Read what git would use for a URL; nothing is run and no remote is asked.

    Raises:
        SourceUnavailableError: git is missing, too old, or does not answer.
    """
    url = split_credentials(url)[0]
    used: Iterable[Used] = ()
    unused: Iterable[str] = ()
    if scheme(url) in {"http", "https"}:
        used, unused = _over_http(url), _unused_over_http(url)
    elif scheme(url) == "ssh" and not url.startswith("-"):
        used, unused = _over_ssh(), _unused_over_ssh()
    return UserSettings(tuple(used), tuple(unused), _rewritten(url))


def credential_settings() -> list[tuple[str, str]]:
    """Read the `credential.*` settings of the user and the system."""
    return [*_matching(r"^credential\.")]


def _over_http(url: str) -> Iterator[Used]:
    if helper := _value("credential.helper", url):
        yield Used("use_credential_helper", value=True, origin=f"git's credential.helper, {helper}")
    if not _is_direct(url):
        proxy = _value("http.proxy", url)
        if proxy is not None:
            yield from [Used("proxy", proxy, "git's http.proxy")] if proxy else []
        else:
            yield from _proxy_of_environment(scheme(url))
    for key, (name, variable) in _FILES.items():
        path = os.environ.get(variable) or _value(name, url, "--type=path")
        if path and Path(path).is_absolute():
            yield Used(key, path, variable if os.environ.get(variable) else f"git's {name}")


def _unused_over_http(url: str) -> Iterator[str]:
    if (_value("http.sslVerify", url) or "").lower() in _NOT_VERIFIED or "GIT_SSL_NO_VERIFY" in os.environ:
        yield "git checks no certificate of this server (http.sslVerify); agentsync does: set `ca_file` if it needs one"
    if _value("http.extraHeader", url):
        yield "git sends a header of yours (http.extraHeader); agentsync does not: put the token into a `token_file`"


def _over_ssh() -> Iterator[Used]:
    yield Used("use_ssh_config", value=True, origin="~/.ssh/config, and the known hosts")
    yield Used("use_ssh_agent", value=True, origin="the keys of the agent at $SSH_AUTH_SOCK")


def _unused_over_ssh() -> Iterator[str]:
    named = next((name for name in ("GIT_SSH_COMMAND", "GIT_SSH") if os.environ.get(name)), "")
    if named or not _config("--get", "core.sshCommand")[0]:
        name = named or "core.sshCommand"
        yield f"git runs an ssh of yours ({name}); agentsync does not: move its options to ~/.ssh/config"


def _is_direct(url: str) -> bool:
    """Whether no proxy is used for the host, by `no_proxy`."""
    # Slow to import, and needed once; typeshed does not have it.
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # noqa: PLC0415

    return bool(proxy_bypass_environment(urlsplit(url).hostname or ""))


def _proxy_of_environment(transport: str) -> Iterator[Used]:
    """The proxy of libcurl's variables; `HTTP_PROXY` is none of them, since a web server sets it by a header."""
    names = ["http_proxy"] if transport == "http" else ["https_proxy", "HTTPS_PROXY"]
    for name in (*names, "all_proxy", "ALL_PROXY"):
        if proxy := os.environ.get(name):
            yield Used("proxy", proxy, f"${name}")
            return


def _rewritten(url: str) -> str:
    """The URL as the longest `url.<base>.insteadOf` that it begins with rewrites it, by git-config(1); else empty."""
    prefixes = {value: name for name, value in _matching(r"^url\..*\.insteadof$") if value and url.startswith(value)}
    if not prefixes:
        return ""
    prefix = max(prefixes, key=len)
    base = prefixes[prefix].removeprefix("url.")[: -len(".insteadof")]
    return "" if base == prefix else base + url[len(prefix) :]


def _value(name: str, url: str, *options: str) -> str | None:
    """Value of a setting for a URL, which is that of the most specific section; None where it is not set."""
    status, output = _config(*options, "--get-urlmatch", name, url)
    return None if status else output.removesuffix("\0").removesuffix("\n")


def _matching(pattern: str) -> Iterator[tuple[str, str]]:
    _, output = _config("--get-regexp", pattern)
    for record in output.split("\0")[:-1]:
        name, _, value = record.partition("\n")
        yield name, value


def _config(*arguments: str) -> tuple[int, str]:
    """Run `git config` on the user's and the system's files, and on those of no repository."""
    variables = {name: value for name, value in base_environment().items() if name not in _ISOLATED}
    variables |= {"HOME": str(home()), "GIT_DIR": os.devnull}
    variables |= {name: os.environ[name] for name in ("XDG_CONFIG_HOME",) if name in os.environ}
    command = [executable(), "config", "-z", *arguments]
    done = run(command, home(), variables, time.monotonic() + READ_SECONDS)
    return done.status, done.output.decode(errors="surrogateescape")
