"""Remotes and their authentication: values from the configuration, refused where git could misread them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from agentsync.core.errors import ConfigError, SourceUnavailableError
from agentsync.core.urls import printable, redact, scheme, split_credentials
from agentsync.git.object_ids import is_object_id

# Compiled where it is used, since most runs poll a remote that was checked before.
_REF = r"HEAD|refs/(?!.*(?:\.\.|//|@\{))[^\x00-\x20\x7f~^:?*\[\\]+[^\x00-\x20\x7f~^:?*\[\\/.]"


@dataclass(frozen=True, slots=True)
class Auth:
    """Authentication and proxy settings; every file is read again at each fetch.

    Attributes:
        token_file, username: an https token, sent as the password of basic authentication.
        ssh_key, known_hosts: used instead of the user's own keys and known hosts.
        use_ssh_config, use_ssh_agent: whether the user's own ssh configuration and agent are used.
        ca_file, ca_directory: certificates to trust instead of the system's.
        client_cert, client_key: the certificate that this machine presents, and its key, which has no passphrase.
        proxy: for http and https; without it none is used, whatever the environment sets.
        use_netrc, use_credential_helper: whether the user's `.netrc` and git credential helpers are used.
    """

    token_file: Path | None = None
    username: str = "x-access-token"
    ssh_key: Path | None = None
    known_hosts: Path | None = None
    use_ssh_config: bool = False
    use_ssh_agent: bool = False
    ca_file: Path | None = None
    ca_directory: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    use_netrc: bool = False
    use_credential_helper: bool = False


@dataclass(frozen=True, slots=True)
class Remote:
    """A ref to fetch, and where from.

    Attributes:
        url: https or ssh, `host:path` included; a password in it never reaches git's arguments.
        ref: a full ref: `HEAD`, `refs/heads/x`, `refs/tags/x` or a pattern of tags with one asterisk; or a commit id of
            40 or 64 hexadecimal digits.
        auth: the authentication.
        allow_local: whether the URL may be a path or `file://`.
        allow_http: whether it may be http without TLS.
        deadline: seconds of wall-clock time that a fetch may take.
        max_bytes: the largest pack that may be fetched, and the largest mirror before a fetch.
        accept_defects: git's names of rules that its objects may break, such as `badTimezone`.
    """

    url: str = field(repr=False)
    ref: str = "HEAD"
    auth: Auth = field(default_factory=Auth)
    allow_local: bool = False
    allow_http: bool = False
    deadline: float = 60.0
    max_bytes: int = 1 << 30
    accept_defects: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """URL without its secrets."""
        return redact(self.url)

    @property
    def is_commit(self) -> bool:
        """Whether the ref is a commit id."""
        return is_object_id(self.ref)

    @property
    def is_pattern(self) -> bool:
        """Whether the ref is a pattern of tags, of which the newest one is followed."""
        return self.ref.startswith("refs/tags/") and self.ref.count("*") == 1

    @property
    def is_fixed(self) -> bool:
        """Whether the ref must not move, since it is one tag."""
        return self.ref.startswith("refs/tags/") and not self.is_pattern

    @property
    def title(self) -> str:
        """Readable form of the ref: `branch x`, `tag x`, or the ref itself."""
        for prefix, kind in (("refs/heads/", "branch"), ("refs/tags/", "tag")):
            if self.ref.startswith(prefix):
                return f"{kind} {self.ref.removeprefix(prefix)}"
        return self.ref

    @property
    def protocols(self) -> tuple[str, ...]:
        """Transports that git may use."""
        return ("https", "ssh", *(["file"] if self.allow_local else []), *(["http"] if self.allow_http else []))

    def check(self) -> None:
        """Refuse refs that are not full and URLs that are not allowed.

        Raises:
            ConfigError: the ref or URL has a form that cannot be fetched.
            SourceUnavailableError: the URL's transport is not allowed.
        """
        ref = self.ref.replace("*", "x") if self.is_pattern else self.ref
        if not (self.is_commit or re.fullmatch(_REF, ref)) or self.ref.endswith(".lock"):
            hint = "write HEAD, refs/heads/…, refs/tags/… or a whole commit id"
            raise ConfigError(f"{self.ref!r} is not a full ref", place=self.place, hint=hint)
        if not self.url or not self.url.isprintable():
            raise ConfigError("the URL is empty or holds a control character", place=printable(self.place))
        try:
            shown, _, _ = split_credentials(self.url)
        except ValueError as error:
            raise ConfigError(f"this URL cannot be read: {error}", place=self.place) from error
        if redact(shown) != shown:
            hint = "give a password or token by `auth.token_file`, and a key by `auth.ssh_key`"
            raise ConfigError("what this URL holds would be seen in the list of processes", place=self.place, hint=hint)
        used = scheme(self.url)
        if used not in self.protocols:
            message = "local paths are not allowed" if used == "file" else f"{used} URLs are not allowed"
            hints = {"file": "set allow_local = true", "http": "use https, or set allow_http = true"}
            raise SourceUnavailableError(message, place=self.place, hint=hints.get(used, "use https or ssh"))
