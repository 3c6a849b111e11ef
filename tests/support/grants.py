"""Agents of a few keys, and what they may do."""

from __future__ import annotations

from agentsync.agents.grants import TOOLS, Grants
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from support.conversion import read

PATHS = {"read", "write", "edit", "notebook", "grep", "glob", "list"}
"""The tools that take a path."""

CHANGES = {"write", "edit", "notebook"}
"""The tools that change files."""


def claude(keys: str) -> ReadAgent:
    return read("x.md", f"---\nname: x\ndescription: d\n{keys}\n---\np\n".encode(), "claude")


def reported(keys: str, dialect: str) -> list[Code]:
    """The codes of the diagnostics on these keys, whether or not they make an agent."""
    return [
        diagnostic.code
        for diagnostic in read_agent(
            "x.md", f"---\nname: x\ndescription: d\n{keys}\n---\np\n".encode(), dialect
        ).diagnostics
    ]


def available(granted: Grants) -> set[str]:
    """The canonical tools with at least one available call."""
    return {tool for tool in TOOLS if max(granted.approvals(tool))}


def opencode(keys: str) -> ReadAgent:
    return read("x.md", f"---\ndescription: d\n{keys}\n---\np\n".encode(), "opencode")


def codex(keys: str) -> ReadAgent:
    data = f'name = "x"\ndescription = "d"\ndeveloper_instructions = "p"\n{keys}\n'
    return read("x.toml", data.encode(), "codex")


def vibe(keys: str) -> Grants:
    """What the author of an agent of Vibe's, started by users, intended it to be able to do."""
    data = f'description = "d"\nagent_type = "agent"\ninstructions = "p"\n{keys}\n'
    return read("x.toml", data.encode(), "vibe").agent.grants


def intended(dialect: str, keys: str) -> Grants:
    """What the author of an agent in Markdown intended it to be able to do."""
    named = dialects()[dialect]
    head = f"---\nname: checker\ndescription: d\n{keys}\n---\nLook with care.\n"
    return read(f"checker{named.suffix}", head.encode(), dialect).agent.grants
