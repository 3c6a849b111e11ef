"""Snapshot of a source at one commit, with everything that decides how it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentsync.core.diagnostics import Diagnostic
from agentsync.git.mirror import Mirror
from agentsync.git.objects import Entry
from agentsync.repository.overrides import AgentFilter, Override
from agentsync.repository.selection import Selection
from agentsync.repository.working_tree import WorkingTree

Files = Mirror | WorkingTree
"""Store of a source's files: committed in a mirror, or saved in a working tree."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Source at a commit.

    Attributes:
        name, url: as configured; the URL without credentials.
        files: where its blobs are.
        entries: the files to read.
        selection: how they were chosen, and their dialects.
        models: dialect to model table: the configuration's over the manifest's.
        replaces: whether its agents win over those of earlier sources.
        overrides: overrides of its agents, in the order in which they apply.
        filters: which agents are taken; an agent must pass all of them.
        prefix: what each agent's name begins with here.
        diagnostics: of files that are unsafe to read.
    """

    name: str
    url: str
    commit: str
    files: Files
    entries: Sequence[Entry]
    selection: Selection
    models: Mapping[str, Mapping[str, str]]
    replaces: bool = False
    overrides: tuple[Override, ...] = ()
    filters: tuple[AgentFilter, ...] = ()
    prefix: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
