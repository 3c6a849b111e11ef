"""Where submodules are fetched from, and with which credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsync.core.errors import SourceRefusedError
from agentsync.git.remote import Auth, Remote
from agentsync.git.submodules import read_urls, remote_of_submodule

_AUTH = Auth(token_file=Path("/token"), ssh_key=Path("/key"), use_netrc=True, ca_file=Path("/ca"), proxy="http://p:1")
_PUBLIC = Auth(ca_file=Path("/ca"), proxy="http://p:1")


@pytest.mark.parametrize(
    ("parent", "url", "expected", "same_host"),
    [
        ("https://host/a/b.git", "../c.git", "https://host/a/c.git", True),
        ("https://host/a/b.git/", "./c", "https://host/a/b.git/c", True),
        ("https://u:p@host/a/b", ".././../c", "https://u:p@host/c", True),
        ("https://host/a", "https://other/c", "https://other/c", False),
        ("https://host/a", "https://host:8443/c", "https://host:8443/c", False),
        ("https://host/a", "https://host@other/c", "https://host@other/c", False),
        ("https://host/a", "ssh://host/c", "ssh://host/c", False),
        ("git@host:a/b.git", "../c.git", "git@host:a/c.git", True),
        ("git@host:a", "../c", "git@host:c", True),
        ("git@host:a", "git@other:c", "git@other:c", False),
        ("/srv/a", "../c", "/srv/c", True),
    ],
)
def test_a_url_is_resolved_as_git_does_and_credentials_stay_on_the_host(
    parent: str, url: str, expected: str, *, same_host: bool
) -> None:
    remote = remote_of_submodule(Remote(parent, auth=_AUTH, allow_local=True), "x", url, "1" * 40)
    assert (remote.url, remote.ref) == (expected, "1" * 40)
    assert remote.auth == (_AUTH if same_host else _PUBLIC)
    assert remote.allow_local is parent.startswith("/")


@pytest.mark.parametrize("parent", ["https://host/a", "ssh://git@host/a", "git@host:a", "/a"])
def test_no_relative_url_leads_above_the_host(parent: str) -> None:
    for depth in range(2, 6):
        for rest in ("other/x", "/other/x", "x:y", "evil@other/x"):
            with pytest.raises(SourceRefusedError, match="leads above"):
                remote_of_submodule(Remote(parent, auth=_AUTH), "x", "../" * depth + rest, "1" * 40)


def test_nothing_but_paths_and_urls_is_read() -> None:
    pairs = {
        "submodule.a.b.path": "x/",
        "submodule.a.b.url": "u\n2",
        "submodule.c.path": "y",
        "submodule.a.b.update": "!",
    }
    text = "".join(f"submodule.{name}\n{value}\0" for name, value in pairs.items())
    assert read_urls(text.encode()) == {"x": "u\n2"}
