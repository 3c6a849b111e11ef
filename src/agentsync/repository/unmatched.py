"""Paths and patterns of a selection that lead to nothing: most often they are mistyped.

Those of the configuration are errors where they choose what is wanted, since the user then gets less than expected. The
repository's own and those that leave something out are warnings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from posixpath import dirname
from typing import Final

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.globs import path_matches
from agentsync.core.suggestions import listed
from agentsync.git.objects import SUBMODULE, Entry
from agentsync.repository.manifest import FILE_NAME, AgentsTable
from agentsync.repository.overrides import TAG, AgentFilter, matches

_GLOB: Final = re.compile(r"[*?\[].*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Known:
    """Agent as patterns know it: by its slugs and its tags."""

    slugs: tuple[str, ...]
    tags: tuple[str, ...] = ()


def unmatched_paths(
    entries: Sequence[Entry], subfolder: str, table: AgentsTable, manifest: AgentsTable, *, source: str
) -> Iterator[Diagnostic]:
    """Report a subfolder that a source does not have, and each pattern of paths that matches no file in it.

    Args:
        entries: all files of the source.
        subfolder: the part of it that is read.
        table: the configuration's patterns.
        manifest: the repository's own.
        source: its name.
    """
    part = subfolder.strip("/")
    paths = [entry.path for entry in entries if not part or entry.path.startswith(f"{part}/")]
    if part and not paths:
        if not any(entry.mode == SUBMODULE and f"{part}/".startswith(f"{entry.path}/") for entry in entries):
            there = _there(part, (entry.path for entry in entries), directories_only=True)
            yield Diagnostic(Code.NO_SUCH_PATH, f"source `{source}` has no directory `{part}`{there}")
        return
    below = [path.removeprefix(f"{part}/") if part else path for path in paths]
    chosen = [("include", table.include, Code.NO_SUCH_PATH, "")]
    chosen += [("include", () if table.include else manifest.include, Code.PATTERN_UNUSED, FILE_NAME)]
    chosen += [("exclude", table.exclude, Code.PATTERN_UNUSED, "")]
    chosen += [("exclude", manifest.exclude, Code.PATTERN_UNUSED, FILE_NAME)]
    for key, patterns, code, place in chosen:
        for pattern in patterns:
            if not any(path_matches(pattern, path) for path in below):
                message = f"`{key}` of source `{source}`: no file matches `{pattern}`{_there(pattern, below)}"
                yield Diagnostic(code, message, path=place)


def unmatched_agents(
    agent_filter: AgentFilter, agents: Sequence[Known], *, owner: str, prefix: str = "", place: str = ""
) -> Iterator[Diagnostic]:
    """Report each pattern of agents that matches none of them.

    Args:
        agent_filter: the patterns.
        agents: those that they choose from.
        owner: whose patterns these are, such as a source.
        prefix: what was put before the patterns.
        place: the repository's file that the patterns are in; empty for the configuration.
    """
    only = Code.PATTERN_UNUSED if place else Code.NO_SUCH_AGENT
    keys = (("only", agent_filter.only, only), ("skip", agent_filter.skip, Code.PATTERN_UNUSED))
    for key, patterns, code in keys:
        for pattern in patterns:
            if any(matches(pattern, agent.slugs, agent.tags) for agent in agents):
                continue
            shown = pattern if pattern.startswith(TAG) else pattern.removeprefix(prefix)
            noun = "tag" if pattern.startswith(TAG) else "name"
            known = sorted({name for agent in agents for name in (agent.tags if noun == "tag" else agent.slugs[:1])})
            there = listed(shown.removeprefix(TAG), (name.removeprefix(prefix) for name in known))
            message = f"`{key}` of {owner}: no agent has the {noun} `{shown.removeprefix(TAG)}`"
            yield Diagnostic(code, f"{message}; there are {there}" if there else message, path=place)


def _there(pattern: str, paths: Iterable[str], *, directories_only: bool = False) -> str:
    """Return a clause that lists what is there: directories, and files too where a pattern names a single one."""
    files = sorted(paths)
    literal = _GLOB.sub("", pattern)
    names = {directory for file in files for directory in _above(file)}
    names |= set() if directories_only or literal != pattern else set(files)
    there = listed(literal.rstrip("/"), sorted(names) or files)
    return f"; there are {there}" if there else ""


def _above(path: str) -> Iterator[str]:
    while path := dirname(path):
        yield path
