"""Writing of frontmatter: the documented form, and reading back any values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import frontmatter as python_frontmatter
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentsync.formats.document import UnreadableError
from agentsync.formats.frontmatter import AgentHandler, format_markdown, parse_markdown
from agentsync.formats.toml import parse_toml

if TYPE_CHECKING:
    from pydantic import JsonValue
from support.documents import FILE, METADATA, PATH


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


# Values of hostile authors and unlucky ones.
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
def test_written_files_read_back_exactly(metadata: dict[str, JsonValue], body: str) -> None:
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
