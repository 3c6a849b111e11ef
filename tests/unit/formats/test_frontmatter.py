"""Reading of frontmatter: sound files, scalars, limits, and files that are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from agentsync.core.codes import Code
from agentsync.formats import frontmatter
from agentsync.formats.document import MAX_DEPTH, MAX_FILE_BYTES, MAX_HEAD_BYTES, Document

if TYPE_CHECKING:
    from pydantic import JsonValue
from support.documents import BODY, FILE, HEAD, METADATA, PATH, diagnostics_of, parse, read, refusal


def test_a_sound_file_is_read_without_a_diagnostic() -> None:
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
    assert (document.metadata, document.body, diagnostics_of(document), document.repaired) == (
        METADATA,
        body,
        [],
        False,
    )


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
    assert diagnostics_of(document) == [(Code.NAME_NOT_STRING, 2)]
    assert document.repaired


@pytest.mark.parametrize("name", ["'3000'", '"on"', "3d-artist", "no-op", "reviewer"])
def test_a_name_that_every_yaml_reads_as_text_is_left_alone(name: str) -> None:
    assert diagnostics_of(read(f"name: {name}\ndescription: d")) == []


def test_a_name_without_value_is_null() -> None:
    assert read("name:\ndescription: d").metadata["name"] is None


ALIAS_BOMB = "a: &a [x,x]\n" + "".join(
    f"{new}: &{new} [*{old},*{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("head", "metadata"),
    [
        ("model: b\nmodel: c", {"model": "c"}),
        ("description: one: two\nmodel: b\nmodel: c", {"description": "one: two", "model": "c"}),
        ("tools: [a]\nmodel: x\ntools:\n  - a", {"tools": ["a"], "model": "x"}),
        ("name: a\nname: a", {"name": "a"}),
    ],
)
def test_the_last_of_two_equal_keys_counts_where_that_makes_no_difference(
    head: str, metadata: dict[str, object]
) -> None:
    document = parse(f"---\n{head}\n---\np\n")
    assert document.metadata == metadata
    assert document.repaired
    assert Code.LEFT_OUT in {diagnostic.code for diagnostic in document.diagnostics}


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
        (b"---\nname: a\ntools: b\ntools: c\n---\n", Code.DUPLICATE_KEY, 4),
        (b"---\nname: a: b\nDisallowed_Tools: b\nDisallowed_Tools: c\n---\n", Code.DUPLICATE_KEY, 4),
        (b"---\nname: a\nname: b\n---\n", Code.DUPLICATE_KEY, 3),
        (b"---\ndescription: a\ndescription: b\n---\n", Code.DUPLICATE_KEY, 3),
        (b"---\nsettings: {}\nsettings: {tools: [a]}\n---\n", Code.DUPLICATE_KEY, 3),
        (b'---\npermission: {"*": ask, a: deny}\npermission: {a: deny, "*": ask}\n---\n', Code.DUPLICATE_KEY, 3),
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
def test_an_unsafe_or_hopeless_file_is_refused(data: bytes, code: Code, line: int) -> None:
    assert refusal(data) == (code, line)


def test_nesting_is_allowed_up_to_the_limit() -> None:
    inner = MAX_DEPTH - 1  # the mapping itself is the first level
    assert read(f"a: {'[' * inner}{']' * inner}").metadata["a"] is not None
    assert refusal(f"---\na: {'[' * MAX_DEPTH}{']' * MAX_DEPTH}\n---\n") == (Code.TOO_DEEP, 2)


def test_reading_is_the_same_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontmatter, "_LOADER", yaml.SafeLoader)
    assert parse(FILE).metadata == METADATA
    assert diagnostics_of(read("name: a\ndescription: é #1\ntools: *")) == [
        (Code.COMMENT_IN_VALUE, 3),
        (Code.YAML_REPAIRED, 4),
    ]
    assert read('name: "\\UFFFFFFFF"\nmodel: m').metadata == {"name": "\\UFFFFFFFF", "model": "m"}
    assert refusal(f"---\na: {'[' * 60_000}\n---\n") == (Code.TOO_DEEP, 2)
