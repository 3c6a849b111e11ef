"""Agents with any keys, and the diagnostics of a policy on them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from agentsync.convert.policy import Rules
from agentsync.convert.policy_check import judge_output
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects import dialects
from agentsync.formats.document import Document
from agentsync.formats.frontmatter import format_markdown

REQUIRED = {"description": "d", "name": "x"}
HOOK: JsonValue = {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]}


def document(dialect: str = "claude", /, **keys: JsonValue) -> Document:
    """An agent of a dialect with these keys."""
    return dialects()[dialect].parse(format_markdown({**REQUIRED, **keys}, "You help.\n"), "x.md")


def codes(diagnostics: Sequence[Diagnostic]) -> list[Code]:
    return [diagnostic.code for diagnostic in diagnostics]


def judged(rules: Rules, dialect: str = "claude", /, **keys: JsonValue) -> list[Code]:
    """The codes of a policy's errors on an agent with these keys."""
    return codes(judge_output(dialects()[dialect], document(dialect, **keys), "x", [rules]))


VIBE = 'description = "d"\ninstructions = "p"\n'
CODEX_HEAD = 'name = "x"\ndescription = "d"\ndeveloper_instructions = "p"\n'
MARKDOWN = "---\nname: x\ndescription: d\ntools: ['*']\n{}\n---\nYou help with the work.\n"


def file_with(dialect: str, keys: str) -> Document:
    """An agent's file with these lines among its keys, in the format of the dialect."""
    tool = dialects()[dialect]
    text = {"vibe": VIBE + keys, "codex": CODEX_HEAD + keys}.get(dialect, MARKDOWN.format(keys))
    return tool.parse(text.encode(), f"x{tool.suffix}")
