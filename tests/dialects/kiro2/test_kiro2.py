"""JSON that is refused, and prompts that are names of files."""

from __future__ import annotations

import pytest

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read

KIRO2 = dialects()["kiro2"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("{", Code.JSON_INVALID, id="cut short"),
        pytest.param('{"name": "a", "name": "b"}', Code.JSON_INVALID, id="a key twice"),
        pytest.param('{"name": "a", "hooks": {"x": 1, "x": 2}}', Code.JSON_INVALID, id="a key twice below"),
        pytest.param('{"name": NaN}', Code.JSON_INVALID, id="no number"),
        pytest.param('{"name": 1e999}', Code.JSON_INVALID, id="a number too large"),
        pytest.param('{"name": 18446744073709551616}', Code.JSON_INVALID, id="an integer too large"),
        pytest.param('{"name": "\\ud800"}', Code.JSON_INVALID, id="half a character"),
        pytest.param('{"name": "a",}', Code.JSON_INVALID, id="a comma too many"),
        pytest.param('["a"]', Code.NOT_A_MAPPING, id="no object"),
        pytest.param('{"name": ' + "[" * 40 + "]" * 40 + "}", Code.TOO_DEEP, id="too deep"),
        pytest.param('{"name": ' + "[" * 200_000 + "}", Code.TOO_DEEP, id="far too deep"),
    ],
)
def test_invalid_json_is_refused(text: str, code: Code) -> None:
    result = read_agent("x.json", text.encode(), "kiro2")
    assert isinstance(result, NoAgent)
    assert code in [diagnostic.code for diagnostic in result.diagnostics]


@pytest.mark.parametrize(
    "lines", ['"tools": "read"', '"tools": null', '"tools": [1]', '"prompt": "file://./prompt.md"']
)
def test_a_value_that_kiro_does_not_take_is_refused(lines: str) -> None:
    result = read_agent("x.json", f"{{{lines}}}".encode(), "kiro2")
    assert isinstance(result, NoAgent), lines


def test_a_diagnostic_has_the_line_of_its_key() -> None:
    result = read_agent("x.json", b'{\n  "name": "x",\n  "tools": ["Read"]\n}', "kiro2")
    assert (Code.UNKNOWN_TOOL, 3) in [(diagnostic.code, diagnostic.line) for diagnostic in result.diagnostics]


def test_instructions_that_begin_like_a_file_name_are_not_read_as_one() -> None:
    source = b"---\nname: x\ndescription: d\ntools: Read\n---\nfile:///etc/passwd\n"
    file = render(read("x.md", source, "claude"), KIRO2, WriteOptions())
    assert file.data is not None
    assert b'"prompt": "\\nfile:///etc/passwd\\n"' in file.data
