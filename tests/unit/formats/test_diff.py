"""Diffs are for people: text or binary, with nothing that a terminal would obey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsync.formats.diff import unified


def test_equal_bytes_have_no_diff() -> None:
    assert unified(b"\0same", b"\0same", path="x") == ""


def test_a_changed_line_is_shown_in_its_context() -> None:
    assert unified(b"one\ntwo\n", b"one\n2\n", path="x.md") == (
        "--- a/x.md\n+++ b/x.md\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    )


def test_new_and_deleted_files_are_compared_with_nothing() -> None:
    assert unified(None, b"one\n", path="x").startswith("--- /dev/null\n+++ b/x\n")
    assert unified(b"one\n", None, path="x").startswith("--- a/x\n+++ /dev/null\n")


def test_a_lost_final_line_end_is_a_difference() -> None:
    assert unified(b"one\n", b"one", path="x").endswith("-one\n+one\n\\ No newline at end of file\n")


@pytest.mark.parametrize("data", [b"a\0b", b"\xff\xfe"], ids=["NUL", "not UTF-8"])
def test_a_binary_file_is_not_printed(data: bytes) -> None:
    assert unified(b"text", data, path="x") == "Binary files a/x and b/x differ\n"


@pytest.mark.parametrize(
    ("data", "shown"),
    [(b"\x1b[2J", "\\x1b[2J"), ("\u202e".encode(), "\\u202e"), (b"a\r\n", "+a\\r\n"), (b"a\x0cb\n", "+a\\x0cb\n")],
    ids=["escape", "bidirectional", "carriage return", "form feed"],
)
def test_control_characters_are_escaped(data: bytes, shown: str) -> None:
    assert shown in unified(b"", data, path="x")


@given(st.binary(), st.binary())
def test_any_two_files_give_printable_lines(old: bytes, new: bytes) -> None:
    text = unified(old, new, path="x\n\x1b")
    assert bool(text) is (old != new)
    assert all(character.isprintable() or character in "\n\t" for character in text)
