"""Parse Git URLs, and make text that may contain one safe to show: no secrets, no control characters."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

REDACTED = "***"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(://|::)")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
# A run of characters is tried from its start only, so the scheme may have digits and dots before it.
_URL = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z0-9+.-]++)://\S+")
_NO_LETTERS = "0123456789+.-"
# The second form is a password with a raw slash in it; digits and a slash after the colon are a port instead. The third
# is what follows where no `@` does: there is none for a later start either.
_USERINFO = re.compile(r"(?<=://)(?:[^\s/?#]*@|[^\s/?#:@]*+:(?!\d++(?:[/?#]|$))(?:\S*@|\S*+))")
# Without a value, what could be a name is passed over as a whole.
_QUERY_VALUE = re.compile(r"([?&#][^=&#\s]*+)(?:=([^&#\s'\"]++))?")


def redact(text: str) -> str:
    """Mask the credentials in all URLs of a text.

    This covers passwords, the user names of http(s), which are often tokens, and the values of a query or
    fragment. Other schemes keep the user (`ssh://git@host`).
    """
    return _URL.sub(_redact_url, text)


def _redact_url(match: re.Match[str]) -> str:
    scheme = match[1].lstrip(_NO_LETTERS).lower()
    keeps_user = bool(scheme) and not scheme.startswith("http")
    url = _USERINFO.sub(lambda userinfo: _redact_userinfo(userinfo[0], keeps_user=keeps_user), match[0], count=1)
    return _QUERY_VALUE.sub(lambda value: f"{value[1]}={REDACTED}" if value[2] else value[0], url)


def _redact_userinfo(userinfo: str, *, keeps_user: bool) -> str:
    if not userinfo.endswith("@"):
        return userinfo
    user, colon, _ = userinfo.removesuffix("@").partition(":")
    if keeps_user:
        return f"{user}:{REDACTED}@" if colon else f"{user}@"
    return f"{REDACTED}@"


def printable(text: str) -> str:
    """Escape the characters that a terminal would obey or not show."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def scheme(url: str) -> str:
    """Return the transport that git would use: `https`, `ssh`, `file` and so on, in lower case.

    A path is `file`, `host:path` is `ssh`, and `helper::address` is the helper's name.
    """
    if match := _SCHEME.match(url):
        return match[1].lower()
    before_slash = url.partition("/")[0]
    return "ssh" if ":" in before_slash and not _DRIVE.match(url) else "file"


def local_path(url: str) -> str | None:
    """Path of a local repository, given as a path or a `file://` URL; None for one on another machine."""
    if scheme(url) != "file" or url.lower().startswith("file::"):
        return None
    if not url.lower().startswith("file://"):
        return url
    path = unquote(url[len("file://") :])
    return path[1:] if _DRIVE.match(path[1:]) else path


def split_credentials(url: str) -> tuple[str, str, str]:
    """Split an http(s) URL into the URL without credentials, the user and the password.

    Other URLs are returned unchanged, with an empty user and password. A user without a password is taken to be
    a token.
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
    """Scheme, host and port of a URL without credentials: the scope of a header sent to it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"
