"""Diagnostics on one agent's text."""

from __future__ import annotations

import pytest

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent

HEAD = "---\nname: reviewer\ndescription: Reviews.\n---\n"
# Made up, and put together here so that no scanner takes this file for a leak.
SECRETS = {
    "an AWS access key": "AKIA" + "ABCDEFGHIJKLMNOP",
    "a GitHub token": "ghp_" + "a1B2" * 10,
    "a GitLab token": "glpat-" + "a1B2_" * 5,
    "an Anthropic key": "sk-ant-" + "api03-" + "aB3_" * 12,
    "an OpenAI key": "sk-" + "proj-" + "aB3x" * 12,
    "a Slack token": "xoxb-" + "123456789-" * 3,
    "a Google API key": "AIza" + "aB3_x" * 7,
    "a Stripe key": "sk_live_" + "aB3x" * 6,
    "an npm token": "npm_" + "aB3x" * 9,
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIB" * 16,
}


def diagnostics_of(data: bytes | str) -> list[Diagnostic]:
    result = read_agent("agents/x.md", data if isinstance(data, bytes) else data.encode(), "claude")
    assert isinstance(result, ReadAgent | NoAgent)
    return list(result.diagnostics)


def codes(data: bytes | str) -> set[Code]:
    return {diagnostic.code for diagnostic in diagnostics_of(data)}


def test_a_clean_agent_has_no_diagnostics() -> None:
    assert diagnostics_of(f"{HEAD}Do it.\n") == []


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("name: Senior Dev\ndescription: d", Code.NAME_NOT_SLUG),
        ("name: nul\ndescription: d", Code.NAME_RESERVED),
        ("name: pаypal\ndescription: d", Code.NAME_CONFUSABLE),  # noqa: RUF001 (a look-alike is the point)
        (f"name: a\ndescription: {'x' * 1025}", Code.DESCRIPTION_LONG),
        ("name: a/../b\ndescription: d", Code.NAME_UNSAFE),
        ('name: "a\\u200bb"\ndescription: d', Code.NAME_HIDDEN_UNICODE),
        ("name: a\ndescription: ''", Code.DESCRIPTION_MISSING),
        ("name: a\ndescription: [d]", Code.WRONG_TYPE),
        ("description: d", Code.NAME_MISSING),
    ],
)
def test_diagnostics_on_keys(head: str, code: Code) -> None:
    assert code in codes(f"---\n{head}\n---\nDo it.\n")


@pytest.mark.parametrize("key", ["descripton", "Descriptions", "desc"])
def test_a_misspelt_description_is_reported_for_a_tool_that_needs_none(key: str) -> None:
    result = read_agent("agents/a.md", f"---\nname: a\n{key}: d\nmode: subagent\n---\nDo it.\n".encode())
    assert [(one.code, one.line) for one in result.diagnostics] == [(Code.DESCRIPTION_MISSPELT, 3)]


def test_a_description_of_1024_characters_is_not_long() -> None:
    assert codes(f"---\nname: a\ndescription: {'x' * 1024}\n---\np\n") == set()


def test_a_prompt_of_blanks_is_empty() -> None:
    assert codes(f"{HEAD}\n  \n") == {Code.BODY_EMPTY}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_hidden_characters_are_reported_with_their_line_in_any_encoding(encoding: str) -> None:
    diagnostics = [
        one
        for one in diagnostics_of(f"{HEAD}Fine.\nNot\u202e fine.\n".encode(encoding))
        if one.code is Code.HIDDEN_UNICODE
    ]
    assert [(one.line, one.message) for one in diagnostics] == [(6, "U+202E cannot be seen")]


def test_emoji_and_their_joiners_are_accepted() -> None:
    assert codes(f"{HEAD}👩\u200d💻 and ⚙\ufe0f work; \u0645\u06cc\u200c\u062e.\n") == set()


@pytest.mark.parametrize(
    ("escape", "code"),
    [
        ("\\u202e", Code.HIDDEN_UNICODE),
        ("\\u0000", Code.CONTROL_CHARACTER),
        ("\\e[2J", Code.CONTROL_CHARACTER),
        ("\\x9b2J", Code.CONTROL_CHARACTER),
        (" ghp_\\x61" + "1B2a" * 10, Code.SECRET),
        ("\\f", None),
        ("\\N", None),  # YAML's escape for the line end beyond ASCII
    ],
)
@pytest.mark.parametrize("value", ['"a{}b"', '["x", "a{}b"]', '{{x: {{y: "a{}b"}}}}', '{{"a{}b": y}}'])
def test_an_escape_hides_nothing_wherever_it_is(escape: str, code: Code | None, value: str) -> None:
    diagnostics = diagnostics_of(f"---\nname: a\ndescription: d\nodd: {value.format(escape)}\n---\np\n")
    codes_and_lines = [(one.code, one.line) for one in diagnostics if one.code is not Code.UNKNOWN_KEY]
    assert codes_and_lines == ([(code, 4)] if code else [])


def test_a_repeated_diagnostic_is_reported_once() -> None:
    diagnostics = diagnostics_of(f'---\nname: a\ndescription: "d\u202e"\n---\n{SECRETS["a Slack token"]}\u202e\n')
    assert sorted(one.code.id for one in diagnostics) == ["AS209", "AS211"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_reported_by_kind_and_line_and_never_by_value(kind: str, encoding: str) -> None:
    data = f"{HEAD}Use this:\n{SECRETS[kind]}\n".encode(encoding)
    diagnostics = [one for one in diagnostics_of(data) if one.code is Code.SECRET]
    assert [(one.message, one.line) for one in diagnostics] == [(f"this looks like {kind}", 6)]
    assert not any(SECRETS[kind][:12] in str(one.as_dict()) for one in diagnostics if kind != "a private key")


@pytest.mark.parametrize(
    "text",
    [
        "AKIA is a prefix",
        "AKIA" + "IOSFODNN7" + "EXAMPLE",
        "AIzaSy...",
        "ghp_short",
        "task-force-" + "a" * 50,
        "-----BEGIN PRIVATE KEY-----\n<your key here>",
        "xoxb-…",
    ],
)
def test_a_text_that_only_resembles_a_secret_is_accepted(text: str) -> None:
    assert Code.SECRET not in codes(f"{HEAD}{text}\n")


def test_a_key_with_windows_line_ends_is_found() -> None:
    assert Code.SECRET in codes((f"{HEAD}{SECRETS['a private key']}\n").replace("\n", "\r\n"))
