"""Inputs that once took minutes or the whole stack: each is read, or refused, quickly.

They are as large as a file may be. The bound is a safety net far above what they take, and far below what they took.
"""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from agentsync.core.codes import Code
from agentsync.core.errors import ConfigError
from agentsync.core.globs import path_matches
from agentsync.dialects import dialects
from agentsync.formats.document import UnreadableError
from agentsync.git.objects import Entry
from agentsync.repository.dialect_detection import NoAgent, read_agent
from agentsync.repository.manifest import read_manifest
from agentsync.repository.selection import Selection, select

_SECONDS = 4.0
_MANY = 60_000
_HEAD = b"---\nname: a\ndescription: d\n"
_CODEX = b'name = "a"\ndescription = "d"\ndeveloper_instructions = "x"\n'
_LONG_LINE = b"---\nname: a\ndescription: 1" + b" " * _MANY + b"q\n---\np\n"


def _quickly(path: str, data: bytes, dialect: str) -> list[Code]:
    started = time.process_time()
    read = read_agent(path, data, dialect)
    assert time.process_time() - started < _SECONDS
    return [diagnostic.code for diagnostic in read.diagnostics] if isinstance(read, NoAgent) else []


@pytest.mark.parametrize(
    ("dialect", "data"),
    [
        ("claude", b"\n" + _HEAD + b"k" + b"-" * _MANY + b"\n---\np\n"),
        ("kilo", _HEAD + b"---\n" + b"{env:" * 200_000),
        ("copilot", _HEAD + b"model: 'a" + b" " * _MANY + b"'\n---\np\n"),
        ("copilot", _HEAD + b"tools: ['*', 'a" + b" " * _MANY + b"b']\n---\np\n"),
        ("auggie", b"---\n" + b"\n" * _MANY + b"name: a\ndescription: d\n---"),
        *((dialect, _LONG_LINE) for dialect in ("auggie", "cline", "factory", "gemini", "opencode")),
    ],
)
def test_a_pattern_takes_time_that_grows_with_its_text(dialect: str, data: bytes) -> None:
    _quickly("x.yaml" if dialect == "cline" else "x.md", data, dialect)


_LONGEST = 900_000
_LINES = {
    "blanks": b" " * _LONGEST,
    "tabs": b"\t" * _LONGEST,
    "blanks and a bracket": b" " * (_LONGEST // 2) + b"[" + b" " * (_LONGEST // 2),
    "blanks and a quote": b" " * (_LONGEST // 2) + b'"' + b" " * (_LONGEST // 2),
    "brackets": b"[" * _LONGEST,
    "braces": b"{ " * (_LONGEST // 2),
    "quotes": b'"' * _LONGEST,
    "colons": b": " * (_LONGEST // 2),
    "words": b"a " * (_LONGEST // 2),
    "dashes": b"- " * (_LONGEST // 2),
    "one word": b"a" * _LONGEST,
}


@pytest.mark.parametrize("line", _LINES.values(), ids=_LINES)
def test_one_long_line_takes_time_that_grows_with_it(line: bytes) -> None:
    """In TOML, JSON and Markdown, as prose and between keys."""
    for path, dialect, data in (
        ("x.toml", "codex", _CODEX + line + b"\n"),
        ("x.toml", "vibe", b"description = 'd'\ninstructions = '''\n" + line + b"\n'''\n"),
        ("x.json", "kiro2", b'{"name": "a",\n' + line + b'\n"prompt": "p"}'),
        ("x.md", "claude", _HEAD + b"---\n" + line + b"\n"),
        ("x.md", "claude", b"---\nname: a\ndescription: b: c\n" + line[:60_000] + b"\n---\np\n"),
        ("x.md", "claude", _HEAD + b"\n" + line + b"\ntools: Read\n"),
        ("x.md", "claude", b"--- name: a description: d " + line + b" --- p\n"),
    ):
        _quickly(path, data, dialect)


@pytest.mark.parametrize(
    ("path", "dialect", "data", "code"),
    [
        ("x.toml", "codex", _CODEX + b"[a" + b".a" * 4_000 + b"]\n" + b"b.c = 1\n" * 1_000, Code.TOO_DEEP),
        ("x.toml", "codex", _CODEX + b"".join(b"k%d = 1\n" % key for key in range(70_000)), Code.TOO_LARGE),
        (
            "x.toml",
            "vibe",
            b"enabled_tools = [" + b",".join(b'"t%d*"' % name for name in range(70_000)) + b"]",
            Code.TOO_LARGE,
        ),
        ("x.json", "kiro2", b'{"a": ' + b"[" * 600 + b"]" * 600 + b"}", Code.TOO_DEEP),
        ("x.json", "kiro2", b'{"a": ' * 900 + b"1" + b"}" * 900, Code.TOO_DEEP),
        ("x.json", "kiro2", b"{" + b",".join(b'"k%d": 1' % key for key in range(70_000)) + b"}", Code.TOO_LARGE),
    ],
)
def test_a_file_that_would_take_too_much_is_refused(path: str, dialect: str, data: bytes, code: Code) -> None:
    assert _quickly(path, data, dialect) == [code]


@pytest.mark.parametrize("quotes", [b"'", b'"', b"'''", b'"""'])
def test_instructions_full_of_dots_are_no_nested_keys(quotes: bytes) -> None:
    text = quotes + b"." * 500_000 + quotes
    assert _quickly("x.toml", _CODEX.replace(b'"x"', text), "codex") == []
    assert _quickly("x.toml", b"description = 'd'\ninstructions = " + text, "vibe") == []


@pytest.mark.parametrize("dialect", ["factory", "junie"])
def test_a_server_that_cannot_be_compared_refuses_its_file_alone(dialect: str) -> None:
    data = b"---\nname: a\ndescription: d\nmcpServers: [" + b"a" * 24_000 + b"]\n---\np\n"
    assert _quickly("x.md", data, dialect) == [Code.TOO_MANY_PATTERNS]


def test_long_instructions_are_not_too_much() -> None:
    assert _quickly("x.toml", _CODEX.replace(b'"x"', b'"%s"' % (b"x" * 900_000)), "codex") == []
    assert _quickly("x.json", b'{"name": "a", "prompt": "%s"}' % (b"\\u4e00" * 150_000), "kiro2") == []


@pytest.mark.parametrize(
    "text",
    [
        b"version = 2\nx = '''\n[" + b" " * _MANY + b"\n'''\n",
        b"version = " + b"1" * 5_000,
        b"x = " + b"[" * _MANY,
        b"[agents]\nexclude = [" + b",".join(b'"a%d"' % number for number in range(257)) + b"]",
        b'[agents]\nexclude = ["' + b"**/" * 100 + b'"]',
        b"".join(b"[overrides.a%d]\ncolor = 'red'\n" % number for number in range(257)),
    ],
)
def test_a_manifest_that_would_take_too_much_is_refused(text: bytes) -> None:
    started = time.process_time()
    with pytest.raises(ConfigError):
        read_manifest(text)
    assert time.process_time() - started < _SECONDS


def test_a_name_of_a_million_marks_is_not_even_compared() -> None:
    selected = select([Entry("a" + "\u0300\u0327" * 500_000 + ".md", "100644", "", 1)], Selection())
    assert (selected.entries, [one.code for one in selected.diagnostics]) == ([], [Code.PATH_UNSAFE])
    assert len(selected.diagnostics[0].path) < 100_000


@pytest.mark.parametrize("text", ["/*", '"', ",", ", \n", "//", '\\"', "[", '{"a":'])
def test_settings_with_comments_take_time_that_grows_with_their_text(text: str) -> None:
    data = f'{{"agent": {{}}, {text * (_LONGEST // len(text))}'.encode()
    for dialect in dialects().values():
        started = time.process_time()
        if dialect.settings:
            with suppress(UnreadableError):
                dialect.settings.agents(data, "x")
        if dialect.shared:
            dialect.shared.readable(data)
        assert time.process_time() - started < _SECONDS


def test_stars_in_a_row_are_one() -> None:
    started = time.process_time()
    assert path_matches("**/" * 5_000 + "x", "a/" * 1_000 + "x")
    assert not path_matches("**/" * 5_000 + "b/x", "a/" * 1_000 + "x")
    assert time.process_time() - started < _SECONDS


def test_a_mode_that_is_too_large_in_its_own_form_is_refused() -> None:
    """Its text has one line in the file, and many with indentation in the form that is read."""
    frame = 'customModes:\n  - slug: a\n    name: A\n    groups:\n      - read\n    roleDefinition: "%s"\n'
    data = (frame % ("a\\n" * 300_000)).encode()
    assert _quickly(".roomodes:a", data, "roo") == [Code.TOO_LARGE]
