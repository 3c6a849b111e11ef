"""Reading of broken frontmatter: each repair, and damage that is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentsync.core.codes import Code
from agentsync.formats.frontmatter import parse_markdown

if TYPE_CHECKING:
    from pydantic import JsonValue
from support.documents import BODY, FILE, HEAD, METADATA, PATH, diagnostics_of, parse, read, refusal

# Each way in which bytes are repaired: the file, its diagnostics with their lines, and the remaining body.
REPAIRS: dict[str, tuple[bytes, list[tuple[Code, int]], str]] = {
    "byte order mark": (b"\xef\xbb\xbf" + FILE.encode(), [(Code.BYTE_ORDER_MARK, 1)], BODY),
    "UTF-16 with mark": (FILE.encode("utf-16"), [(Code.UTF16, 1)], BODY),
    "UTF-16 without": (FILE.encode("utf-16-be"), [(Code.UTF16, 1)], BODY),
    "carriage returns": (FILE.replace("\n", "\r").encode(), [(Code.LINE_ENDS, 1)], BODY),
    "one carriage return": (
        FILE.replace("tools", "x: y\rtools").encode(),
        [(Code.LINE_ENDS, 4)],
        BODY,
    ),
    "dots": (f"---\n{HEAD}...\n{BODY}".encode(), [(Code.CLOSING_FENCE, 5)], BODY),
    "long rule": (f"---\n{HEAD}----------\n{BODY}".encode(), [(Code.CLOSING_FENCE, 5)], BODY),
    "drawn rule": (f"---\n{HEAD}———\n{BODY}".encode(), [(Code.CLOSING_FENCE, 5)], BODY),
    "blank lines": (f"\n \n{FILE}".encode(), [(Code.LEADING_BLANK, 1)], BODY),
    "indented": (
        "".join(f"    {line}" if line.strip() else line for line in FILE.splitlines(keepends=True)).encode(),
        [(Code.INDENTED, 1)],
        BODY,
    ),
    "code fence": (
        f"# Scout\n\n```yaml\n---\n{HEAD}---\n```\n{BODY}".encode(),
        [(Code.CODE_FENCED, 3)],
        f"# Scout\n\n{BODY}",
    ),
    "unclosed": (f"---\n{HEAD}\nYou look around.\n".encode(), [(Code.UNCLOSED, 4)], "\nYou look around.\n"),
    "unclosed above a rule": (f"---\n{HEAD}{BODY}".encode(), [(Code.UNCLOSED, 4)], BODY),
    "unclosed to the end": (f"---\n{HEAD}".encode(), [(Code.UNCLOSED, 4)], ""),
    "flattened frontmatter": (
        f"--- {HEAD.replace(chr(10), ' ')}---\n{BODY}".encode(),
        [(Code.FLATTENED, 1)],
        BODY,
    ),
    "flattened file": (
        f"--- {HEAD.replace(chr(10), ' ')}--- You look around. Then --- report.".encode(),
        [(Code.FLATTENED, 1)],
        "You look around. Then --- report.\n",
    ),
}


@pytest.mark.parametrize(("data", "diagnostics", "body"), REPAIRS.values(), ids=REPAIRS)
def test_damage_around_the_frontmatter_is_repaired(data: bytes, diagnostics: list[tuple[Code, int]], body: str) -> None:
    document = parse_markdown(data, PATH)
    assert diagnostics_of(document) == diagnostics
    assert {key: document.metadata[key] for key in METADATA} == METADATA
    assert document.body == body
    assert document.repaired
    assert document.data == data


def test_lines_count_from_the_top_of_the_file() -> None:
    assert parse(f"\n\n{FILE}").lines == {"name": 4, "description": 5, "tools": 6}
    assert parse(f"# Scout\n\n```\n---\n{HEAD}---\n```\n{BODY}").lines == {"name": 5, "description": 6, "tools": 7}
    assert parse_markdown(REPAIRS["flattened file"][0], PATH).lines == {"name": 1, "description": 1, "tools": 1}


# A cut that could hide a key is not made: a lost `tools` would grant every tool.
@pytest.mark.parametrize(
    "text",
    [
        "---\nname: a\ndescription: d\n\n<example>\n\ntools: Read\n\nBody.\n",
        "--- name: a description: Looks --- see notes. tools: Read --- body",
        "--- name: a description: Lists tools: all of them. tools: Read --- body",
    ],
)
def test_frontmatter_whose_end_is_not_certain_is_refused(text: str) -> None:
    assert refusal(text) == (Code.NO_FRONTMATTER, 1)


def test_dots_inside_a_description_do_not_hide_the_tools_below() -> None:
    document = read("name: a\ndescription: Looks: well\n...\ntools: Read")
    assert document.metadata == {"name": "a", "description": "Looks: well\n...", "tools": "Read"}


def test_a_document_that_shows_frontmatter_is_no_agent() -> None:
    assert refusal(f"# Guide\n\nWrite this:\n\n```yaml\n{FILE}```\n") == (Code.NO_FRONTMATTER, 1)


# Frontmatter that is not YAML: the head, the intended metadata, and the lines that were taken literally.
LENIENT: dict[str, tuple[str, dict[str, JsonValue], list[int]]] = {
    "colon": (
        "name: a\ndescription: Covers: APIs, and more: all.\nmodel: opus",
        {"name": "a", "description": "Covers: APIs, and more: all.", "model": "opus"},
        [3],
    ),
    "unindented examples": (
        'name: a\ndescription: See. Examples:\n\n<example>\nuser: "Now: go"\n</example>\n\ncolor: red\ntools: [Read]',
        {
            "name": "a",
            "description": 'See. Examples:\n\n<example>\nuser: "Now: go"\n</example>',
            "color": "red",
            "tools": ["Read"],
        },
        [3],
    ),
    "indented examples": (
        "name: a\ndescription: Use: now.\n  <example>\n    deeper\n  </example>\nmodel: opus",
        {"name": "a", "description": "Use: now.\n<example>\n  deeper\n</example>", "model": "opus"},
        [3],
    ),
    "block that loses its indentation": (
        "description: |\n  Use: now.\nuser: hi\n<b>\nmodel: opus",
        {"description": "Use: now.\nuser: hi\n<b>", "model": "opus"},
        [2],
    ),
    "quotes in quotes": (
        'description: "Looks for "x" well"\nname: \'it\'s\'',
        {"description": 'Looks for "x" well', "name": "it's"},
        [2, 3],
    ),
    "star": ("name: a\ntools: *\nmodel: opus", {"name": "a", "tools": "*", "model": "opus"}, [3]),
    "star in a map": (
        "mode: all\npermission:\n  task:\n    *: deny\n    build: *\nmodel: a/b",
        {"mode": "all", "permission": {"task": {"*": "deny", "build": "*"}}, "model": "a/b"},
        [3],
    ),
    "tabs": ("name: a\ntools:\n\t- Read\n\t- Grep", {"name": "a", "tools": ["Read", "Grep"]}, [3]),
    "tabs among spaces": (
        "name: a\ntools:\n  - Read\n\t- Grep",
        {"name": "a", "tools": "- Read\n\t- Grep"},
        [3],
    ),
    "template": ("name: {{ name }}\nmodel: opus", {"name": "{{ name }}", "model": "opus"}, [2]),
    "control character": ("name: a\x04b\nmodel: opus", {"name": "a\x04b", "model": "opus"}, [2]),
    "unknown key before the description": (
        "loop: a: b\nname: a\ndescription: d",
        {"loop": "a: b", "name": "a", "description": "d"},
        [2],
    ),
    "examples to the end": (
        "name: a\ndescription: Use: it.\n\n<example>\nuser: hi\n</example>",
        {"name": "a", "description": "Use: it.\n\n<example>\nuser: hi\n</example>"},
        [3],
    ),
    "what looks like a key after the description": (
        "model: a: b\ndescription: Looks.\nuser: hi\ntools: Read",
        {"model": "a: b", "description": "Looks.\nuser: hi", "tools": "Read"},
        [2, 3],
    ),
    "odd key among the entries": (
        'name: a: b\nmodel: opus\n"my key": v',
        {"name": "a: b", "model": "opus", "my key": "v"},
        [2],
    ),
    "no space after the colon": (
        "name: a\ndescription: Use: x\ntools:Read",
        {"name": "a", "description": "Use: x", "tools": "Read"},
        [3, 4],
    ),
}


@pytest.mark.parametrize(("head", "metadata", "lines"), LENIENT.values(), ids=LENIENT)
def test_broken_yaml_is_read_entry_by_entry(head: str, metadata: dict[str, JsonValue], lines: list[int]) -> None:
    document = read(head)
    assert document.metadata == metadata
    assert list(document.metadata) == list(metadata)
    assert [line for code, line in diagnostics_of(document) if code is Code.YAML_REPAIRED] == lines
    assert document.repaired
    assert document.body == BODY
    head_lines = ["---", *head.split("\n")]
    assert all(key in head_lines[line - 1] for key, line in document.lines.items())


@pytest.mark.parametrize("closing", ["...", "--------"])
def test_broken_yaml_and_a_wrong_fence_are_both_repaired(closing: str) -> None:
    document = parse(f"---\nname: a\ndescription: Use: now\n{closing}\nBody.\n")
    assert document.metadata == {"name": "a", "description": "Use: now"}
    assert diagnostics_of(document) == [(Code.CLOSING_FENCE, 4), (Code.YAML_REPAIRED, 3)]
    assert document.body == "Body.\n"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("description: Handles #1 to #9", "Handles #1 to #9"),
        ("description: Handles ä #1", "Handles ä #1"),
        ("description: #1 of all", "#1 of all"),
        ("color: #FF0000", "#FF0000"),
    ],
)
def test_a_hash_that_cuts_a_value_is_part_of_it(line: str, value: str) -> None:
    document = read(f"name: a\n{line}\nmodel: opus # the best")
    assert document.metadata == {"name": "a", line.partition(":")[0]: value, "model": "opus"}
    assert diagnostics_of(document) == [(Code.COMMENT_IN_VALUE, 3)]
    assert document.repaired


def test_a_comment_is_a_comment_where_no_prose_is_expected() -> None:
    document = read("tools: Read # , Bash\ncolor: # none yet\nname: 'a' # b\ndescription: 'd' # e")
    assert document.metadata == {"tools": "Read", "color": None, "name": "a", "description": "d"}
    assert diagnostics_of(document) == []


@pytest.mark.parametrize("value", [r"One.\nTwo.", r'"One.\\nTwo."', r"'One.\nTwo.'", r"One.\nTwo: more."])
def test_a_literal_newline_in_a_description_is_a_line_end(value: str) -> None:
    document = read(f"description: {value}")
    assert str(document.metadata["description"]).startswith("One.\nTwo")
    assert (Code.LITERAL_NEWLINE, 2) in diagnostics_of(document)
    assert document.repaired == ("more" in value)


def test_a_control_character_is_reported_and_kept() -> None:
    document = parse(FILE + "a\x00b\n")
    assert diagnostics_of(document) == [(Code.CONTROL_CHARACTER, 12)]
    assert document.body.endswith("a\x00b\n")
    assert not document.repaired
