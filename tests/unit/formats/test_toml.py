"""Reading of TOML files."""

from __future__ import annotations

import pytest

from agentsync.core.codes import Code
from agentsync.formats.document import UnreadableError, decode
from agentsync.formats.toml import parse_toml
from support.documents import PATH, diagnostics_of, refusal

TOML = '''name = "scout"
when = 2025-01-02
weight = inf

developer_instructions = """
model = "not a key"
"""
model = "m"

[mcp_servers.github]
command = "x"
'''


def test_toml_is_read_with_the_lines_of_its_keys() -> None:
    document = parse_toml(TOML.encode(), PATH)
    assert document.metadata == {
        "name": "scout",
        "when": "2025-01-02",
        "weight": "inf",
        "developer_instructions": 'model = "not a key"\n',
        "model": "m",
        "mcp_servers": {"github": {"command": "x"}},
    }
    assert document.lines == {
        "name": 1,
        "when": 2,
        "weight": 3,
        "developer_instructions": 5,
        "model": 8,
        "mcp_servers": 10,
    }
    assert (document.body, document.repaired, document.diagnostics) == ("", False, ())


def test_toml_with_a_byte_order_mark_is_repaired() -> None:
    document = parse_toml(b"\xef\xbb\xbf" + TOML.encode(), PATH)
    assert diagnostics_of(document) == [(Code.BYTE_ORDER_MARK, 1)]
    assert document.repaired


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", Code.EMPTY, 0),
        ("name = 'a'\nname = 'b'\n", Code.TOML_INVALID, 2),
        ("name = ", Code.TOML_INVALID, 0),
        (f"a = {'9' * 5_000}", Code.TOML_INVALID, 0),
        (f"a = {1 << 64}", Code.TOML_INVALID, 0),
        (f"a = {'[' * 60_000}", Code.TOO_DEEP, 0),
        (f"a = {'[' * 17}{']' * 17}", Code.TOO_DEEP, 0),
        ("a." * 20_000 + "a = 1", Code.TOO_DEEP, 0),
        ('x = {y = """b""""", ' + "a." * 6_000 + "c = 1}", Code.TOO_DEEP, 0),
        (f"[{'a.' * 400}a]\n" + f"{'b.' * 50}c = 1\n" * 200, Code.TOO_DEEP, 0),
    ],
)
def test_toml_that_is_broken_or_unsafe_is_refused(text: str, code: Code, line: int) -> None:
    assert refusal(text, toml=True) == (code, line)


def test_a_toml_error_has_its_column() -> None:
    with pytest.raises(UnreadableError) as raised:
        parse_toml(b"a = 1\nb = = 2\n", PATH)
    assert (raised.value.diagnostic.line, raised.value.diagnostic.column) == (2, 5)


def test_decode_reports_and_repairs() -> None:
    text, diagnostics, repaired = decode(b"\xef\xbb\xbfa\rb", PATH)
    assert (text, [diagnostic.code for diagnostic in diagnostics]) == ("a\nb", [Code.BYTE_ORDER_MARK, Code.LINE_ENDS])
    assert repaired
