"""Which agents are started one by one, since that takes a second or more for each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

from agentsync.agents.grants import Approval
from conformance.reported import keys_of
from conformance.sync import Synced, Written
from support.thorough import THOROUGH

SAMPLED = {"seeds": 5, "public": 16, "generated": 16}
"""How many of a repository's agents are started in any case."""


def sample(written: Mapping[str, Written], repository: str) -> dict[str, Written]:
    """Some of a repository's agents, the same in every run."""
    step = -(-len(written) // SAMPLED[repository])
    return dict(islice(written.items(), 0, None, step))


def to_run(synced: Synced, tool: str, repository: str, unlisted: Collection[str]) -> dict[str, Written]:
    """A sample of the agents, one for each list of tools that agentsync wrote, and what nothing else can show.

    Args:
        synced: the repository.
        tool: whose agents are started.
        repository: its short name.
        unlisted: the files for which the tool reports no tools unless it starts them; the restricted ones are started.
    """
    written = synced.written(tool)
    chosen = written if THOROUGH and repository == "public" and tool == "claude" else sample(written, repository)
    lists: dict[frozenset[str], str] = {}
    if repository != "generated":  # whose lists are as many as its agents
        origins = synced.origins(tool)
        for file, one in written.items():
            if not origins[file].startswith(f"{tool}/"):
                lists.setdefault(_restriction(tool, one), file)
    restricted = {file for file in unlisted if written[file].enforced.everything_else is Approval.DENY}
    return chosen | {file: written[file] for file in (*lists.values(), *sorted(restricted))}


def _restriction(tool: str, written: Written) -> frozenset[str]:
    """The words by which a file restricts its agent, without the order in which they are written."""
    keys = keys_of(tool, written.path.read_bytes())
    values = (keys.get(key, "all") for key in ("tools", "disallowedTools", "permissionMode"))
    texts = (value if isinstance(value, str) else " ".join(value) for value in values)
    return frozenset(word for text in texts for word in text.replace(",", " ").split())
