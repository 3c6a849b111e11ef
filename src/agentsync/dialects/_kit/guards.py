"""Restrictions that hold for every agent, whatever its dialect makes of them.

They are applied after a dialect's own reading, by `Dialect.read`, and only ever take away: limits on an agent's own MCP
servers, calls that its hooks may refuse, and keys that restrict in another tool.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, OTHER, Grants, Rule, only_reading, wider
from agentsync.agents.key_effects import Meaning, meaning, restricts
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key
from agentsync.core.suggest import LONGEST, nearest
from agentsync.dialects._kit.foreign_restrictions import foreign_restrictions, restrictions_of_one_tool
from agentsync.dialects._kit.hook_guards import guarded
from agentsync.dialects._kit.intent import excepts_in_words, intended_by
from agentsync.dialects._kit.mcp_limits import limited
from agentsync.dialects._registry import dialects
from agentsync.formats.document import Document

_SERVERS: Final = meaning(Meaning.SERVERS)
_HOOKS: Final = meaning(Meaning.HOOKS)
_TOOLS: Final = meaning(Meaning.ALLOWED_TOOLS)

Names = Callable[[str], Iterable[str]]
"""The canonical tools and patterns that a denial of a tool's name means."""


def restricted(
    grants: Grants,
    metadata: Mapping[str, JsonValue],
    own: Collection[str],
    names: Names = intended_by,
    *,
    unclear: bool = False,
) -> Grants:
    """Narrow the grants that a dialect read from a file.

    Another tool's restriction, and an exception in words, cannot be interpreted, so they leave nothing but reading.

    Args:
        grants: the grants by the dialect's own keys.
        metadata: all keys of the file.
        own: the keys, as spelled in the file, that the dialect has read as restrictions.
        names: the dialect's names for tools, for the matchers of hooks; what it does not know is looked up among the
            names of all tools.
        unclear: whether anything else in the file may be intended to restrict.
    """
    for key, value in metadata.items():
        if folded_key(key) in _SERVERS:
            grants = _narrowed(grants, limited(value, grants.rules))
        elif folded_key(key) in _HOOKS:
            grants = _narrowed(grants, [*grants.rules, *guarded(value, lambda name: _known(name, names))])
    if unclear or foreign_restrictions(metadata, own) or _exceptions_in_words(metadata):
        return Grants(tuple(only_reading(grants.rules)))
    return grants


def _exceptions_in_words(metadata: Mapping[str, JsonValue]) -> list[str]:
    """The lists of tools that except some of them in words."""
    lists = ((key, value) for key, value in metadata.items() if folded_key(key) in _TOOLS)
    items = ((key, value if isinstance(value, list) else [value]) for key, value in lists)
    return [key for key, names in items if any(isinstance(name, str) and excepts_in_words(name) for name in names)]


def _narrowed(grants: Grants, rules: Iterable[Rule]) -> Grants:
    """The grants of these rules, or the given ones where they already are as narrow."""
    narrowed = Grants(tuple(rules))
    return narrowed if wider(grants, narrowed) else grants


def _known(name: str, names: Names) -> Iterable[str]:
    own = [tool for tool in names(name) if not tool.startswith(OTHER)]
    return own or intended_by(name)


def takes_away(metadata: Mapping[str, JsonValue]) -> bool:
    """Whether these keys, unknown to the file's own tool, take anything away in another tool."""
    return restricted(EVERYTHING, metadata, ()) != EVERYTHING


def misspelt_restrictions(
    document: Document, known: frozenset[str], restricting: frozenset[str], title: str
) -> list[Diagnostic]:
    """Report each key that is probably meant as one by which the tool restricts an agent.

    Args:
        document: the file.
        known: the keys that the tool reads, in its own spelling.
        restricting: those of them that restrict, in any spelling.
        title: the tool's display name.
    """
    return [
        Diagnostic(
            Code.NO_EFFECT,
            f"{title} does not read `{key}`: did you mean `{meant}`?",
            path=document.path,
            line=document.lines.get(key, 0),
            hint=f"write `{meant}`",
        )
        for key, value in document.metadata.items()
        if key not in known
        and value not in (None, False)
        and len(key) <= LONGEST
        and (meant := _meant(key, known, restricting))
    ]


@lru_cache(maxsize=4096)  # since the agents of a team share a few keys
def _meant(key: str, known: frozenset[str], restricting: frozenset[str]) -> str:
    """The restricting key that a misspelt one is meant as; empty for a key that some tool has, in any spelling."""
    if folded_key(key) in _known_anywhere() or restricts(key):
        return ""
    folded = {folded_key(one) for one in restricting}
    return nearest(key, (one for one in known if folded_key(one) in folded), shortened=False)


@cache
def _known_anywhere() -> frozenset[str]:
    return frozenset(folded_key(key) for dialect in dialects().values() for key in dialect.known_keys)


def nested_restrictions(document: Document, known: Collection[str], title: str) -> list[Diagnostic]:
    """Refuse a file that restricts the agent in a table for one tool, which its own tool does not read.

    For the agent's own tool, its file is written as it is, so a warning would leave it unrestricted there although its
    author names the tool and what it may use.

    Args:
        document: the file.
        known: the keys that the tool reads, in its own spelling.
        title: the tool's display name.
    """
    return [
        Diagnostic(
            Code.RESTRICTED_BELOW,
            f"{title} does not read `{path}`, and would not restrict the agent",
            path=document.path,
            line=document.lines.get(key, 0),
            hint=f"move it out of `{key}` to the top level; or generate each tool's file from it, "
            "such as with rulesync, and run `agentsync import`",
        )
        for path, key in restrictions_of_one_tool(document.metadata, known).items()
    ]


def ignored_restrictions(
    document: Document, own: Collection[str], *, runs_hooks: bool, title: str, hint: str
) -> Iterator[Diagnostic]:
    """Report each key that restricts in another tool, exceptions in words, and hooks that the tool does not run.

    Args:
        document: the file.
        own: as for `restricted`.
        runs_hooks: whether the tool runs the hooks of an agent.
        title: the tool's display name.
        hint: how to restrict an agent of this tool.
    """
    metadata = document.metadata
    hooks = [
        key
        for key, value in metadata.items()
        if not runs_hooks and folded_key(key) in _HOOKS and any(guarded(value, intended_by))
    ]
    for key in (*foreign_restrictions(metadata, own), *hooks):
        message, line = f"{title} does not read `{key}`", document.lines.get(key, 0)
        yield Diagnostic(Code.NO_EFFECT, message, path=document.path, line=line, hint=hint)
    for key in _exceptions_in_words(metadata):
        message, line = f"{title} does not read the exception in `{key}`", document.lines.get(key, 0)
        yield Diagnostic(Code.NO_EFFECT, message, path=document.path, line=line, hint="name each tool")
