"""URLs: their parts, and what is shown of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsync.core.urls import local_path, printable, redact, scheme, split_credentials

_SECRETS = st.text(
    st.characters(codec="ascii", exclude_characters="@/?#*", categories=["L", "N", "P", "S"]), min_size=6
)


@given(secret=_SECRETS, used=st.sampled_from(["https", "ssh", "HTTP", "git+ssh"]))
def test_a_password_is_redacted_wherever_the_url_is(secret: str, used: str) -> None:
    shown = redact(f"fatal: unable to access '{used}://ada:{secret}@example.org/x.git/': 401")
    assert secret not in shown
    assert "example.org/x.git" in shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://token@host/x", "https://***@host/x"),
        ("https://u:p/w@host/x", "https://***@host/x"),
        ("https://u:p@w@host/x", "https://***@host/x"),
        ("https://host/x?token=abc&b=c#d=e", "https://host/x?token=***&b=***#d=***"),
        ("ssh://git:pw@host/x", "ssh://git:***@host/x"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("https://host:8443/x@v1", "https://host:8443/x@v1"),
        ("git@host:x.git", "git@host:x.git"),
        ("/srv/x", "/srv/x"),
    ],
)
def test_a_url_without_a_secret_stays(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    ("url", "used", "path"),
    [
        ("https://host/x", "https", None),
        ("git@host:x", "ssh", None),
        ("host:x", "ssh", None),
        ("./a:b", "file", "./a:b"),
        ("/srv/a%20b", "file", "/srv/a%20b"),
        ("file:///srv/a%20b", "file", "/srv/a b"),
        ("file:///C:/x", "file", "C:/x"),
        (r"C:\x", "file", r"C:\x"),
        ("ext::sh -c id", "ext", None),
        ("file::x", "file", None),
    ],
)
def test_a_url_is_read_as_git_reads_it(url: str, used: str, path: str | None) -> None:
    assert scheme(url) == used
    assert local_path(url) == path


def test_credentials_are_taken_out_of_http_urls_only() -> None:
    assert split_credentials("https://ada:p%40w@host:1/x?y=z") == ("https://host:1/x?y=z", "ada", "p@w")
    assert split_credentials("https://host/x") == ("https://host/x", "", "")
    assert split_credentials("ssh://git@host/x") == ("ssh://git@host/x", "", "")


def test_control_characters_are_escaped() -> None:
    assert printable("café\x1b[2J\n\u202e") == "café\\x1b[2J\\n\\u202e"
