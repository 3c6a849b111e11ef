"""What agents need and do not bring, over all files of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.repository.checks import masked
from agentsync.repository.dependencies import Tree, missing
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.snapshot import Snapshot


def with_needs(snapshot: Snapshot, compiled: Sequence[CompiledAgent]) -> tuple[CompiledAgent, ...]:
    """Report what agents need and do not bring; a file that is part of an agent is no agent that is refused."""
    agents = [one for one in compiled if one.name]
    tree = Tree(snapshot.paths, {split_path(one.path)[0] for one in agents})
    parts = {path: one.name for one in agents for path in tree.files(one.path, one.needs)}
    return tuple(_with_need(one, tree) if one.name else _without_refusal(one, parts) for one in compiled)


def _with_need(compiled_agent: CompiledAgent, tree: Tree) -> CompiledAgent:
    diagnostic = missing(compiled_agent.path, compiled_agent.needs, tree)
    if diagnostic is None:
        return compiled_agent
    located = masked(diagnostic.at(agent=compiled_agent.name))
    return replace(compiled_agent, diagnostics=(*compiled_agent.diagnostics, located))


def _without_refusal(compiled_agent: CompiledAgent, parts: Mapping[str, str]) -> CompiledAgent:
    """Return a file that does not even begin like an agent as another kind of file, where an agent names it."""
    whole = parts.get(compiled_agent.path)
    if whole is None or {one.code for one in compiled_agent.diagnostics} != {Code.NO_FRONTMATTER}:
        return compiled_agent
    part = Diagnostic(Code.NOT_AN_AGENT, f"this is part of the agent `{whole}`", path=compiled_agent.path)
    return replace(compiled_agent, refused=False, claims=(), diagnostics=(masked(part),))
