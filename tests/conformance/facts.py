"""An agent's permissions as a tool reports them, in canonical terms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, MCP, OTHER, TOOLS, Approval, Grants, Rule
from agentsync.agents.patterns import ANY
from agentsync.dialects import dialects
from agentsync.formats.frontmatter import parse_markdown
from conformance.oracle import Verdict
from conformance.sync import Written

Facts = Mapping[str, Any]

# The facts that tools report of an agent's restrictions, and the key of the file that each is the value of. The scripts
# for Codex and Factory learn only that an agent is there, and its name.
_KEYS: Mapping[str, Mapping[str, str]] = {
    "cline": {"tools": "tools"},
    "copilot": {"tools": "tools"},
    "gemini": {"tools": "tools"},
    "kilo": {"tools": "tools", "permission": "permission"},
    "qwen": {"tools": "tools", "disallowed": "disallowedTools", "approval": "approvalMode"},
}

UNDERSTOOD = tuple(_KEYS)
"""The tools that report an agent's restrictions in a form that `understood` reads."""

# A script's word for a missing list.
_NO_LIST = "inherit-all"


def understood(tool: str, facts: Facts, written: Written) -> Grants:
    """The grants of a file if its restrictions were those that the tool understood."""
    keys = _KEYS[tool]
    others = {key: value for key, value in written.document.metadata.items() if key not in keys.values()}
    these: dict[str, JsonValue] = {
        keys[fact]: value for fact, value in facts.items() if fact in keys and value not in (None, _NO_LIST)
    }
    return written.dialect.enforced(replace(written.document, metadata={**others, **these}))


def entries(permission: str | Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Tool, pattern and action of each rule in a `permission`, in order."""
    for tool, value in ({ANY: permission} if isinstance(permission, str) else permission).items():
        for pattern, action in ({ANY: value} if isinstance(value, str) else value).items():
            yield tool, pattern, action


# OpenCode's guard against calls that repeat themselves, which is no tool.
_LOOP = "doom_loop"


def ruled(rules: Iterable[tuple[str, str, str]]) -> Grants:
    """OpenCode's rules in canonical terms, over its default."""
    capabilities = dialects()["opencode"].capabilities
    names = {**capabilities.units, ANY: (ANY,), _LOOP: (OTHER + _LOOP,)}
    read = [
        Rule(name, Approval[action.upper()], pattern)
        for key, pattern, action in rules
        for name in names.get(key, (MCP + key,))
    ]
    return Grants(
        (*EVERYTHING.rules, *read, *(Rule(name, Approval.DENY) for name in sorted(TOOLS - capabilities.tools)))
    )


def is_whole(verdict: Verdict, written: Written) -> bool:
    """Whether OpenCode's or Kilo Code's script takes instructions that begin with dashes for lost frontmatter."""
    lost = "FRONTMATTER LOST" in verdict.facts
    return lost and verdict.resolved["prompt"].strip() == written.document.body.strip()


def roster(facts: Facts) -> list[str] | None:
    """The tools that Claude Code names for an agent, with `*` for all that are not named; None where it names none."""
    if "roster" not in facts:
        return None
    if facts["roster"].startswith("All tools"):
        return [ANY]
    names = re.sub(r"\([^)]*\)", "", facts["roster"]).split(", ")
    return [name for name in names if name not in ("", "None")]


# Tools that Claude Code adds: one where tools of MCP servers may be loaded later, which does nothing by itself; and one
# that ends an agent's own tasks in the background, which it gives under the earlier names KillShell and KillBash too.
_HARMLESS = ("DeferredToolPlaceholder", "TaskStop")


def beyond(names: Iterable[str], granted: Grants) -> list[str]:
    """Those of Claude Code's tools among these that the agent is not granted."""
    return [name for name in names if name not in _HARMLESS and not _granted(name, granted)]


def _granted(name: str, granted: Grants) -> bool:
    if name == ANY:
        return granted.everything_else > Approval.DENY
    return max(granted.approvals(_canonical(name))) > Approval.DENY


@cache
def _canonical(name: str) -> str:
    document = parse_markdown(f"---\ntools: [{name}]\n---\n".encode(), "tool.md")
    return dialects()["claude"].enforced(document).rules[0].tool
