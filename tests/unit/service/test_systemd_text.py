"""Files for systemd: the seal that marks our own, and words that systemd reads as intended."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsync.core.errors import ConfigError
from agentsync.service.systemd.text import bind, command, drop_in, is_ours, sealed, word


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_sealed_file_is_ours(text: str) -> None:
    assert is_ours(sealed(text).encode())


@pytest.mark.parametrize(
    "edited",
    [
        sealed("[Service]\n") + "Nice=5\n",
        sealed("[Service]\n").replace("[Service]", "[Unit]"),
        sealed("[Service]\n").replace("Written", "written"),
        "\n" + sealed("[Service]\n"),
        "[Service]\n",
        "",
    ],
)
def test_an_edited_or_unsealed_file_is_not(edited: str) -> None:
    assert not is_ours(edited.encode())


def test_bytes_that_are_no_text_are_not_ours() -> None:
    assert not is_ours(sealed("[Service]\n").encode() + b"\xff")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("/home/alice/.claude/agents", "/home/alice/.claude/agents"),
        ("/a b", '"/a b"'),
        ("/100%", "/100%%"),
        ('/say "hi"\\', '"/say \\"hi\\"\\\\"'),
        ("/ü", '"/ü"'),
        ("", '""'),
    ],
)
def test_a_word_is_quoted_where_it_must_be(text: str, written: str) -> None:
    assert word(text) == written


def test_a_command_line_has_no_variables() -> None:
    assert command(["/opt/a b/agentsync", "$HOME", "daemon"]) == '"/opt/a b/agentsync" "$$HOME" daemon'


def test_a_path_is_bound_to_itself_alone() -> None:
    assert bind("/a:b") == '"/a\\:b"'
    assert bind("/a b", optional=True) == '"-/a b"'


def test_no_setting_has_two_lines() -> None:
    with pytest.raises(ConfigError, match="line break"):
        word("/a\n[Service]\nUser=root")


def test_a_drop_in_may_empty_a_list_first() -> None:
    assert drop_in([("ExecStart", ""), ("ExecStart", "/a daemon")]) == "[Service]\nExecStart=\nExecStart=/a daemon\n"
