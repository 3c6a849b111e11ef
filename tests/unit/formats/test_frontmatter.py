"""What becomes of a file's bytes, whatever is wrong with them, and that what is written reads back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import frontmatter as python_frontmatter
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentsync.core.codes import Code
from agentsync.formats import frontmatter
from agentsync.formats.document import MAX_DEPTH, MAX_FILE_BYTES, MAX_HEAD_BYTES, Document, UnreadableError, decode
from agentsync.formats.frontmatter import AgentHandler, format_markdown, parse_markdown
from agentsync.formats.toml import parse_toml

if TYPE_CHECKING:
    from pydantic import JsonValue

PATH = "agents/scout.md"
HEAD = "name: scout\ndescription: Looks around.\ntools: Read, Grep\n"
BODY = "\nYou look around.\n\n---\n\nThen you report.\n"
FILE = f"---\n{HEAD}---\n{BODY}"
METADATA = {"name": "scout", "description": "Looks around.", "tools": "Read, Grep"}


def parse(text: str) -> Document:
    return parse_markdown(text.encode(), PATH)


def read(head: str) -> Document:
    return parse(f"---\n{head}\n---\n{BODY}")


def found(document: Document) -> list[tuple[Code, int]]:
    return [(diagnostic.code, diagnostic.line) for diagnostic in document.diagnostics]


def refusal(data: bytes | str, *, toml: bool = False) -> tuple[Code, int]:
    parser = parse_toml if toml else parse_markdown
    with pytest.raises(UnreadableError) as raised:
        parser(data if isinstance(data, bytes) else data.encode(), PATH)
    assert raised.value.diagnostic.path == PATH
    assert str(raised.value).startswith(PATH)
    return raised.value.diagnostic.code, raised.value.diagnostic.line


def test_a_sound_file_is_read_without_a_finding() -> None:
    document = parse(FILE)
    assert document == Document(
        path=PATH,
        metadata=METADATA,
        body=BODY,
        lines={"name": 2, "description": 3, "tools": 4},
        repaired=False,
        diagnostics=(),
        data=FILE.encode(),
    )
    assert list(document.metadata) == ["name", "description", "tools"]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        (FILE.replace("\n", "\r\n"), BODY.replace("\n", "\r\n")),
        (f"--- \n{HEAD}---\t\n{BODY}", BODY),
        (f"---\n{HEAD}---", ""),
        (f"---\n{HEAD}---\n", ""),
        (f"---\n{HEAD}---\nends in spaces  \n\n\n", "ends in spaces  \n\n\n"),
        (f"---\n{HEAD}---\none\rtwo\n", "one\rtwo\n"),
    ],
)
def test_the_body_keeps_every_byte(text: str, body: str) -> None:
    document = parse(text)
    assert (document.metadata, document.body, found(document), document.repaired) == (METADATA, body, [], False)


def test_a_rule_inside_a_description_is_no_fence() -> None:
    assert read("name: a\ndescription: Looks. --- see notes\ntools: Read").metadata["tools"] == "Read"


def test_empty_frontmatter_is_an_empty_mapping() -> None:
    assert parse("---\n---\nbody").metadata == {}
    assert parse("---\n# only a comment\n---\nbody").metadata == {}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("3", 3),
        ("-2", -2),
        ("0", 0),
        ("0.2", 0.2),
        ("1.0e+17", 1e17),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'3'", "3"),
        ('"true"', "true"),
        *((text, text) for text in ("yes", "no", "on", "off", "y", "1.10", "0755", "0x1F", "0o17", "1e3", "+3", "-0")),
        *((text, text) for text in ("2025-01-02", "12:30", "1_000", ".inf", "12345678901234567890", "1.2.3")),
    ],
)
def test_scalars_are_read_as_yaml_1_2_and_odd_numbers_as_text(written: str, value: JsonValue) -> None:
    document = read(f"key: {written}\nnested:\n  key: {written}")
    assert document.metadata == {"key": value, "nested": {"key": value}}
    assert type(document.metadata["key"]) is type(value)


def test_keys_become_their_text() -> None:
    assert read("3: x\non: y\nnull: z").metadata == {"3": "x", "on": "y", "null": "z"}


def test_nested_maps_keep_their_order() -> None:
    permission = read('permission:\n  bash:\n    "*": deny\n    "git *": allow\n    "git push": ask').metadata[
        "permission"
    ]
    assert isinstance(permission, dict)
    assert isinstance(permission["bash"], dict)
    assert list(permission["bash"].items()) == [("*", "deny"), ("git *", "allow"), ("git push", "ask")]


@pytest.mark.parametrize("name", ["on", "3000", "2025-01-02", "0755", "12:30", "1e3", "true", "1.5", "0o17"])
def test_a_name_that_yaml_reads_as_something_else_keeps_its_text(name: str) -> None:
    document = read(f"name: {name}\ndescription: d")
    assert document.metadata["name"] == name
    assert found(document) == [(Code.NAME_NOT_STRING, 2)]
    assert document.repaired


@pytest.mark.parametrize("name", ["'3000'", '"on"', "3d-artist", "no-op", "reviewer"])
def test_a_name_that_every_yaml_reads_as_text_is_left_alone(name: str) -> None:
    assert found(read(f"name: {name}\ndescription: d")) == []


def test_a_name_without_value_is_none() -> None:
    assert read("name:\ndescription: d").metadata["name"] is None


# Each way in which bytes are repaired: the file, what is found where, and what body is left.
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


@pytest.mark.parametrize(("data", "findings", "body"), REPAIRS.values(), ids=REPAIRS)
def test_what_is_wrong_around_the_frontmatter_is_repaired(
    data: bytes, findings: list[tuple[Code, int]], body: str
) -> None:
    document = parse_markdown(data, PATH)
    assert found(document) == findings
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


# Frontmatter that is no YAML: the head, the metadata that was meant, and the lines that were taken as they stand.
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
    assert [line for code, line in found(document) if code is Code.YAML_REPAIRED] == lines
    assert document.repaired
    assert document.body == BODY
    head_lines = ["---", *head.split("\n")]
    assert all(key in head_lines[line - 1] for key, line in document.lines.items())


@pytest.mark.parametrize("closing", ["...", "--------"])
def test_broken_yaml_and_a_wrong_fence_are_both_repaired(closing: str) -> None:
    document = parse(f"---\nname: a\ndescription: Use: now\n{closing}\nBody.\n")
    assert document.metadata == {"name": "a", "description": "Use: now"}
    assert found(document) == [(Code.CLOSING_FENCE, 4), (Code.YAML_REPAIRED, 3)]
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
    assert found(document) == [(Code.COMMENT_IN_VALUE, 3)]
    assert document.repaired


def test_a_comment_is_a_comment_where_no_prose_is_expected() -> None:
    document = read("tools: Read # , Bash\ncolor: # none yet\nname: 'a' # b\ndescription: 'd' # e")
    assert document.metadata == {"tools": "Read", "color": None, "name": "a", "description": "d"}
    assert found(document) == []


@pytest.mark.parametrize("value", [r"One.\nTwo.", r'"One.\\nTwo."', r"'One.\nTwo.'", r"One.\nTwo: more."])
def test_a_literal_newline_in_a_description_is_a_line_end(value: str) -> None:
    document = read(f"description: {value}")
    assert str(document.metadata["description"]).startswith("One.\nTwo")
    assert (Code.LITERAL_NEWLINE, 2) in found(document)
    assert document.repaired == ("more" in value)


def test_a_control_character_is_found_and_kept() -> None:
    document = parse(FILE + "a\x00b\n")
    assert found(document) == [(Code.CONTROL_CHARACTER, 12)]
    assert document.body.endswith("a\x00b\n")
    assert not document.repaired


ALIAS_BOMB = "a: &a [x,x]\n" + "".join(
    f"{new}: &{new} [*{old},*{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", Code.EMPTY, 0),
        (b" \n\t\n", Code.EMPTY, 0),
        (b"\xef\xbb\xbf\n", Code.EMPTY, 0),
        ("---\nname: a\ndescription: Prüft\n---\n".encode("latin-1"), Code.NOT_UTF8, 3),
        (b"# Title\n\nProse.\n", Code.NO_FRONTMATTER, 1),
        (b"---\n", Code.NO_FRONTMATTER, 1),
        (b"---\n- a\n- b\n---\n", Code.NOT_A_MAPPING, 2),
        (b"---\njust text\n---\n", Code.NOT_A_MAPPING, 2),
        (b"---\nsome: prose: here\nand more\n---\n", Code.YAML_INVALID, 2),
        (b"---\nname: a: b\n" + b"".join(b"k%d: v\n" % n for n in range(300)) + b"---\n", Code.YAML_INVALID, 2),
        (b"---\nname: a\nmodel: b\nmodel: c\n---\n", Code.DUPLICATE_KEY, 4),
        (b"---\nname: a: b\nmodel: b\nmodel: c\n---\n", Code.DUPLICATE_KEY, 4),
        (b'---\npermission:\n  "*": ask\n  "*": allow\n---\n', Code.DUPLICATE_KEY, 4),
        (f"---\n{ALIAS_BOMB}---\n".encode(), Code.YAML_ALIAS, 2),
        (b"---\nname: a\ntools: *all\n---\n", Code.YAML_ALIAS, 3),
        (b"---\nname: a\n<<: {tools: Read}\n---\n", Code.YAML_ALIAS, 3),
        (b"---\nname: a: b\ntools: &x Read\n---\n", Code.YAML_ALIAS, 3),
        (b"---\nname: a\nmodel: !!python/object/apply:os.getcwd []\n---\n", Code.YAML_TAG, 3),
        (b"---\nname: ! a\n---\n", Code.YAML_TAG, 2),
        (b"---\nname: a\ntools: " + b"[" * 60_000 + b"\n---\n", Code.TOO_DEEP, 3),
        (b"---\nname: a: b\ntools: " + b"[" * 60_000 + b"\n---\n", Code.TOO_DEEP, 3),
        (b"---\nname: a\ntools: " + b"[" * 100_000 + b"\n---\n", Code.TOO_LARGE, 2),
        (b"---\nname: " + b"a" * MAX_HEAD_BYTES + b"\n---\n", Code.TOO_LARGE, 2),
        (FILE.encode() + b"a" * MAX_FILE_BYTES, Code.TOO_LARGE, 0),
    ],
)
def test_what_is_unsafe_or_hopeless_is_refused(data: bytes, code: Code, line: int) -> None:
    assert refusal(data) == (code, line)


def test_nesting_is_allowed_up_to_the_limit() -> None:
    inner = MAX_DEPTH - 1  # the mapping itself is the first level
    assert read(f"a: {'[' * inner}{']' * inner}").metadata["a"] is not None
    assert refusal(f"---\na: {'[' * MAX_DEPTH}{']' * MAX_DEPTH}\n---\n") == (Code.TOO_DEEP, 2)


def test_reading_is_the_same_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontmatter, "_LOADER", yaml.SafeLoader)
    assert parse(FILE).metadata == METADATA
    assert found(read("name: a\ndescription: é #1\ntools: *")) == [(Code.COMMENT_IN_VALUE, 3), (Code.YAML_REPAIRED, 4)]
    assert read('name: "\\UFFFFFFFF"\nmodel: m').metadata == {"name": "\\UFFFFFFFF", "model": "m"}
    assert refusal(f"---\na: {'[' * 60_000}\n---\n") == (Code.TOO_DEEP, 2)


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
    assert found(document) == [(Code.BYTE_ORDER_MARK, 1)]
    assert document.repaired


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", Code.EMPTY, 0),
        ("name = 'a'\nname = 'b'\n", Code.TOML_INVALID, 2),
        ("name = ", Code.TOML_INVALID, 0),
        (f"a = {'9' * 5_000}", Code.TOML_INVALID, 0),
        (f"a = {1 << 64}", Code.TOML_INVALID, 0),
        (f"a = {'[' * 100_000}", Code.TOO_DEEP, 0),
        (f"a = {'[' * 17}{']' * 17}", Code.TOO_DEEP, 0),
        ("a." * 20_000 + "a = 1", Code.TOO_DEEP, 0),
        (f"a = '{'.' * 6_000}'", Code.TOO_DEEP, 0),  # told apart from a key only at a price
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


def test_the_written_form_is_the_documented_one() -> None:
    metadata: dict[str, JsonValue] = {
        "name": "scout",
        "description": 'Looks around.\nReports "all" 🚀.',
        "tools": "Read, Grep",
        "model": None,
        "answer": "no",
        "version": "1.10",
        "color": "#ff0000",
        "temperature": 0.2,
        "steps": 15,
        "hidden": False,
        "permission": {"bash": {"*": "ask", "git status": "allow"}, "edit": "deny"},
        "skills": ["a", "b: c"],
        "empty": [],
    }  # fmt: skip
    assert format_markdown(metadata, "\r\nBody.  ").decode() == (
        "---\n"
        "name: scout\n"
        'description: "Looks around.\\nReports \\"all\\" 🚀."\n'
        "tools: Read, Grep\n"
        "model: null\n"
        'answer: "no"\n'
        'version: "1.10"\n'
        'color: "#ff0000"\n'
        "temperature: 0.2\n"
        "steps: 15\n"
        "hidden: false\n"
        "permission:\n"
        "  bash:\n"
        '    "*": ask\n'
        "    git status: allow\n"
        "  edit: deny\n"
        "skills:\n"
        "  - a\n"
        '  - "b: c"\n'
        "empty: []\n"
        "---\n"
        "\r\nBody.  "
    )


def test_a_description_is_always_quoted() -> None:
    assert format_markdown({"description": "Plain"}, "") == b'---\ndescription: "Plain"\n---\n'


def test_a_long_description_stays_on_one_line() -> None:
    description = "word " * 400
    assert format_markdown({"description": description}, "").split(b"\n")[1] == f'description: "{description}"'.encode()


def test_the_handler_works_inside_python_frontmatter() -> None:
    post = python_frontmatter.loads(FILE, handler=AgentHandler())
    assert post.metadata == METADATA
    with pytest.raises(ValueError, match="no frontmatter"):
        AgentHandler().split("no fences here")


# What hostile authors and unlucky ones write.
AWKWARD = (
    "yes no on off y n true null ~ 3 0755 0x1F 1e3 1.10 .5 2025-01-02 12:30 .inf << = - ? : # * & ! | > % @ ` --- ..."
).split()
texts = st.one_of(
    st.sampled_from(
        [*AWKWARD, "", " a", "a ", "a: b", "a #b", "\ufeff", "\x85", "\u2028", "\x7f", "\n---\n", "\U0001f680"]
    ),
    st.text(max_size=20),
    st.text(alphabet="a b:#-'\"\\{}[]*&!|>%@`,\n\r\t", max_size=12),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
# A literal `\n` in a description is read as a line end, so it is the one text that does not come back as it was.
descriptions = texts.filter(lambda text: "\\n" not in text)
documents = st.fixed_dictionaries(
    {}, optional={"name": texts, "description": descriptions, "color": texts, "tools": values}
).flatmap(
    lambda known: st.dictionaries(texts, values, max_size=4).map(
        lambda extra: {**known, **{key: value for key, value in extra.items() if key not in ("name", "description")}}
    )
)


@given(documents, texts)
def test_what_is_written_reads_back_exactly(metadata: dict[str, JsonValue], body: str) -> None:
    document = parse_markdown(format_markdown(metadata, body), PATH)
    assert document.metadata == metadata
    assert list(document.metadata) == list(metadata)
    assert document.body == body
    assert not document.repaired


def kinds(value: object) -> object:
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    return [kinds(item) for item in value] if isinstance(value, list) else type(value)


@given(documents)
def test_a_yaml_1_1_reader_reads_the_same(metadata: dict[str, JsonValue]) -> None:
    head = AgentHandler().export(dict(metadata))
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        loaded = yaml.load(head, Loader=loader)  # noqa: S506 (both are safe loaders)
        assert loaded == metadata
        assert kinds(loaded) == kinds(metadata)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_their_value_and_kind(number: float) -> None:
    value = parse_markdown(format_markdown({"top_p": number}, ""), PATH).metadata["top_p"]
    assert isinstance(value, float)
    assert math.copysign(1, value) == math.copysign(1, number)
    assert value == number


pieces = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "---\n",
                "--- ",
                " --- ",
                "...\n",
                "-----\n",
                "```yaml\n",
                "```\n",
                "\n",
                "\r\n",
                "\r",
                "  ",
                "\t",
                "\ufeff",
            ]
        ),
        st.sampled_from(
            ["name: ", "description: ", "tools: ", "user: ", "- ", "*", "&a", "!!x", "[", "{", '"', "#", "\\n"]
        ),
        st.text(max_size=8),
    ),
    max_size=20,
).map("".join)


@given(pieces)
def test_any_text_is_read_or_refused(text: str) -> None:
    for data in (text.encode(), f"---\n{text}\n---\n".encode()):
        try:
            document = parse_markdown(data, PATH)
        except UnreadableError as error:
            assert error.diagnostic.path == PATH  # noqa: PT017 (either outcome is right)
            continue
        assert all(line >= 1 for line in document.lines.values())
        assert document.lines.keys() == document.metadata.keys()
        again = parse_markdown(format_markdown(document.metadata, document.body), PATH)
        assert (again.metadata, again.body, again.repaired) == (document.metadata, document.body, False)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for parser in (parse_markdown, parse_toml):
        for given_data in (data, b"---\n" + data, b"\xff\xfe" + data):
            try:
                parser(given_data, PATH)
            except UnreadableError as error:
                assert error.diagnostic.message  # noqa: PT017 (either outcome is right)
