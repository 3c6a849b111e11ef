"""A source at one commit, with all that decides how it is read."""

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
"""Where the files of a source are: as they were committed, or as they are saved."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A source at a commit.

    Attributes:
        name, url: the URL without credentials.
        files: where its blobs are.
        entries: the files to read.
        selection: how they were chosen, and their dialects.
        models: dialect to model table: the configuration's over the manifest's.
        replaces: whether its agents win over those of earlier sources.
        overrides: what is said otherwise of its agents, in the order in which it is heard.
        filters: which agents are taken; each of them must take an agent.
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
