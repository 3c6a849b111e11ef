"""What a Git URL says, and how to show text that may hold one: no secrets, no control characters."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

REDACTED = "***"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(://|::)")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://\S+")
# The second form is a password with a raw slash in it; digits and a slash after the colon are a port instead.
_USERINFO = re.compile(r"(?<=://)(?:[^\s/?#]*@|[^\s/?#:@]*:(?!\d+(?:[/?#]|$))\S*@)")
_QUERY_VALUE = re.compile(r"([?&#][^=&#\s]*=)[^&#\s'\"]+")


def redact(text: str) -> str:
    """Any text with the credentials of the URLs in it made unreadable.

    Passwords go, and so do the user names of http(s), where a token often stands in for one; other schemes
    keep the user (`ssh://git@host`). The values of a query or fragment go too.
    """
    return _URL.sub(_redact_url, text)


def _redact_url(match: re.Match[str]) -> str:
    keeps_user = not match[1].lower().startswith("http")
    url = _USERINFO.sub(lambda userinfo: _redact_userinfo(userinfo[0], keeps_user=keeps_user), match[0], count=1)
    return _QUERY_VALUE.sub(rf"\1{REDACTED}", url)


def _redact_userinfo(userinfo: str, *, keeps_user: bool) -> str:
    user, colon, _ = userinfo.removesuffix("@").partition(":")
    if keeps_user:
        return f"{user}:{REDACTED}@" if colon else f"{user}@"
    return f"{REDACTED}@"


def printable(text: str) -> str:
    """Any text with the characters escaped that a terminal would act on or not show."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def scheme(url: str) -> str:
    """The transport that git would use: `https`, `ssh`, `file` and so on, in lower case.

    A path is `file`, `host:path` is `ssh`, and `helper::address` is the helper's name.
    """
    if match := _SCHEME.match(url):
        return match[1].lower()
    before_slash = url.partition("/")[0]
    return "ssh" if ":" in before_slash and not _DRIVE.match(url) else "file"


def local_path(url: str) -> str | None:
    """The path that a path or a `file://` URL names, or None for what is on another machine."""
    if scheme(url) != "file" or url.lower().startswith("file::"):
        return None
    if not url.lower().startswith("file://"):
        return url
    path = unquote(url[len("file://") :])
    return path[1:] if _DRIVE.match(path[1:]) else path


def split_credentials(url: str) -> tuple[str, str, str]:
    """An http(s) URL with a password as (URL without credentials, user, password).

    Other URLs come back as they are, with an empty user and password. An http(s) URL with a user alone is
    taken for a token in the user's place.
    """
    if scheme(url) not in {"http", "https"}:
        return url, "", ""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, "", ""
    user, _, password = userinfo.partition(":")
    return parts._replace(netloc=host).geturl(), unquote(user), unquote(password)


def origin(url: str) -> str:
    """Scheme, host and port of a URL without credentials: the scope of a header that is sent to it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"
