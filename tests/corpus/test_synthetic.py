"""One small file for each way in which a file can be wrong, against the expectation that its index proposes.

Where agentsync decides otherwise, OTHERWISE has the decision and its reason.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentsync.agents.grants import EVERYTHING, Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code, Severity
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent
from support.conversion import widening

# The index's words for diagnostics.
CODES = {
    "bom": Code.BYTE_ORDER_MARK,
    "code-fenced": Code.CODE_FENCED,
    "comment-in-value": Code.COMMENT_IN_VALUE,
    "confusable-name": Code.NAME_CONFUSABLE,
    "control-char": Code.CONTROL_CHARACTER,
    "crlf": Code.LINE_ENDS,
    "description-long": Code.DESCRIPTION_LONG,
    "description-missing": Code.DESCRIPTION_MISSING,
    "description-type": Code.WRONG_TYPE,
    "duplicate-key": Code.LEFT_OUT,
    "empty": Code.EMPTY,
    "empty-body": Code.BODY_EMPTY,
    "flattened": Code.FLATTENED,
    "leading-blank": Code.LEADING_BLANK,
    "literal-newline": Code.LITERAL_NEWLINE,
    "name-from-file": Code.NAME_MISSING,
    "name-not-slug": Code.NAME_NOT_SLUG,
    "name-not-string": Code.NAME_NOT_STRING,
    "no-effect": Code.NO_EFFECT,
    "no-frontmatter": Code.NO_FRONTMATTER,
    "not-a-mapping": Code.NOT_A_MAPPING,
    "not-utf8": Code.NOT_UTF8,
    "odd-closing-fence": Code.CLOSING_FENCE,
    "reserved-name": Code.NAME_RESERVED,
    "secret-like": Code.SECRET,
    "tools-null": Code.TOOLS_NONE,
    "unclosed": Code.UNCLOSED,
    "unsafe-name": Code.NAME_UNSAFE,
    "utf-16": Code.UTF16,
    "whole-file-indented": Code.INDENTED,
    "wrong-dialect": Code.WRONG_DIALECT,
    "yaml-alias": Code.YAML_ALIAS,
    "yaml-invalid": Code.YAML_REPAIRED,
    "yaml-tag": Code.YAML_TAG,
}
# The same word is another code in a name than in the text, and a colour is not null but cut off as a comment.
CODES_OF_FILE = {
    ("hidden-bidi.md", "hidden-unicode"): Code.HIDDEN_UNICODE,
    ("hidden-tag-chars.md", "hidden-unicode"): Code.HIDDEN_UNICODE,
    ("name-zero-width.md", "hidden-unicode"): Code.NAME_HIDDEN_UNICODE,
    ("hex-color-unquoted.md", "color-null"): Code.COMMENT_IN_VALUE,
    ("tools-map-in-claude.md", "wrong-dialect"): Code.TOOLS_NONE,
}

# File to what is decided instead, with the reason.
OTHERWISE: dict[str, tuple[dict[str, object], str]] = {
    "dots-close.md": (
        {"warn": ["odd-closing-fence"]},
        "`...` ends YAML and not frontmatter: Claude Code and OpenCode look for `---`, so the file is repaired",
    ),
    "nul-byte.md": (
        {"load": False, "error": "control-char"},
        "a file with NUL in it is no text: what reads it may end there, or see another agent than was reviewed",
    ),
    "literal-backslash-n.md": (
        {"warn": ["yaml-invalid", "literal-newline"]},
        "every repair is reported, and reading `\\n` as a line end is one more",
    ),
    **dict.fromkeys(
        ("tools-list.md", "tools-parens.md"),
        ({"warn": ["no-effect"]}, "Claude Code was tried: it gives the whole tool, whatever arguments a list has"),
    ),
}
# Names of tools in the expectation, as grants.
GRANTS = {
    "Read": ("read", "", Approval.SESSION),
    "Grep": ("grep", "", Approval.SESSION),
    "Bash": ("bash", "ls", Approval.SESSION),
    "Bash(git add:*)": ("bash", "git add x", Approval.SESSION),
    "Bash(git add:*, git commit:*)": ("bash", "git commit -m x", Approval.SESSION),
    "Agent(explore, plan)": ("task", "plan", Approval.SESSION),
    "mcp__github__*": ("mcp/github/get_issue", "", Approval.SESSION),
}
NEVER_GRANTED = ("webfetch", "write", "edit")


def expectations(corpus: Path) -> dict[str, dict[str, Any]]:
    index = json.loads((corpus / "synthetic" / "index.json").read_text())
    wanted = {one["file"]: one["expect"] | OTHERWISE.get(one["file"], ({}, ""))[0] for one in index["files"]}
    return {file: expect for file, expect in wanted.items() if expect.get("dialect", "claude") in dialects()}


def result(corpus: Path, file: str, expect: dict[str, Any]) -> ReadAgent | NoAgent:
    return read_agent(file, (corpus / "synthetic" / file).read_bytes(), expect.get("dialect", "claude"))


def code(file: str, word: str) -> Code:
    return CODES_OF_FILE.get((file, word)) or CODES[word]


def test_each_file_is_read_or_refused_with_the_expected_diagnostics(corpus: Path) -> None:
    for file, expect in expectations(corpus).items():
        read = result(corpus, file, expect)
        assert isinstance(read, ReadAgent) == (expect["load"] is not False), (file, read.diagnostics)
        words = expect.get("warn", []) if expect["load"] is not False else [expect["error"]]
        assert {diagnostic.code for diagnostic in read.diagnostics} >= {code(file, word) for word in words}, file
        if not words:
            assert read.diagnostics == (), file


def test_each_agent_is_as_expected(corpus: Path) -> None:
    for file, expect in expectations(corpus).items():
        read = result(corpus, file, expect)
        if isinstance(read, NoAgent):
            continue
        agent = read.agent
        assert agent.name == expect.get("name", agent.name), file
        assert agent.description == expect.get("description", agent.description), file
        assert expect.get("description_contains", "") in agent.description, file
        assert agent.model == (f"anthropic/{expect['model']}" if "model" in expect else agent.model), file
        if expect.get("tools") == "ALL":
            assert agent.grants == EVERYTHING, file
        elif "tools" in expect:
            for tool, argument, approval in map(GRANTS.__getitem__, expect["tools"]):
                assert agent.grants.approval(tool, argument) is approval, (file, tool)
            assert not any(agent.grants.approval(tool) for tool in NEVER_GRANTED), file


def test_each_agent_is_written_for_every_target_and_is_never_wider(corpus: Path) -> None:
    for file, expect in expectations(corpus).items():
        read = result(corpus, file, expect)
        for target in dialects().values() if isinstance(read, ReadAgent) else ():
            assert isinstance(read, ReadAgent)
            rendered = render(read, target, WriteOptions())
            if rendered.data is None:
                assert any(diagnostic.severity is Severity.ERROR for diagnostic in rendered.diagnostics), file
            elif target is not read.dialect:
                assert widening(read.agent, rendered.data, target, WriteOptions()) is None, (file, target.name)


def test_a_file_that_only_its_own_tool_would_read_is_written_again(corpus: Path) -> None:
    """A repaired file is never passed on as it was: the output needs no repair."""
    for file, expect in expectations(corpus).items():
        read = result(corpus, file, expect)
        if isinstance(read, ReadAgent) and read.document.repaired:
            rendered = render(read, read.dialect, WriteOptions())
            if rendered.data is not None:
                again = read_agent(rendered.path, rendered.data, read.dialect.name)
                assert isinstance(again, ReadAgent), file
                assert again.passes_through, file
