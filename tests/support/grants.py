"""Agents of a few keys, and what they may do."""

from __future__ import annotations

from agentsync.agents.grants import TOOLS, Grants
from agentsync.core.codes import Code
from agentsync.repository.detection import ReadAgent, read_agent
from support.conversion import read

PATHS = {"read", "write", "edit", "notebook", "grep", "glob", "list"}
"""The tools that take a path."""

CHANGES = {"write", "edit", "notebook"}
"""The tools that change files."""


def claude(keys: str) -> ReadAgent:
    return read("x.md", f"---\nname: x\ndescription: d\n{keys}\n---\np\n".encode(), "claude")


def reported(keys: str, dialect: str) -> list[Code]:
    """The codes of what is found in the keys, whether or not an agent comes of them."""
    return [
        found.code
        for found in read_agent("x.md", f"---\nname: x\ndescription: d\n{keys}\n---\np\n".encode(), dialect).diagnostics
    ]


def available(granted: Grants) -> set[str]:
    """The canonical tools of which some call is available."""
    return {tool for tool in TOOLS if max(granted.approvals(tool))}


def opencode(keys: str) -> ReadAgent:
    return read("x.md", f"---\ndescription: d\n{keys}\n---\np\n".encode(), "opencode")


def codex(keys: str) -> ReadAgent:
    data = f'name = "x"\ndescription = "d"\ndeveloper_instructions = "p"\n{keys}\n'
    return read("x.toml", data.encode(), "codex")
