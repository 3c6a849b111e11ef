"""Files that agentsync did not write and that define the very agent that is wanted there, in other words and order.

So an agent that was imported into a repository, or copied from it by hand, is no conflict where it came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from agentsync.agents.abilities import gained
from agentsync.agents.grants import EVERYTHING, wider
from agentsync.agents.model import Agent
from agentsync.agents.patterns import TooManyPatternsError
from agentsync.convert.abilities import enforced_abilities
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from agentsync.state.records import Key
from agentsync.sync.contents import ContentStore
from agentsync.targets.change import Actual, Wanted, slug_of
from agentsync.targets.target_place import DirectoryOptions, open_place


def find_same(
    unmanaged: Mapping[Key, tuple[str, Wanted]],
    dialects: Mapping[str, str],
    directories: Mapping[str, DirectoryOptions],
    disk: Mapping[Key, Actual],
    contents: ContentStore,
) -> frozenset[Key]:
    """Return the paths with a file that defines the same agent as the wanted one.

    Args:
        unmanaged: the wanted files, each with its target, at paths that agentsync did not write.
        dialects: the dialect of each target.
        directories: of the targets, and how they may be opened; several agents in one file are not compared.
        disk: what is at each path.
        contents: of the wanted files.

    Raises:
        SourceUnavailableError: a mirror cannot be read.
    """
    differing = {
        key: file
        for key, file in unmanaged.items()
        if disk[key].digest and disk[key].digest != file[1].digest and not directories[key[0]].shared
    }
    contents.load(file for _, file in differing.values())
    same = set()
    for key, data in _read({key: disk[key] for key in differing}, directories):
        target, wanted = differing[key]
        if _is_same(key[1], data, contents.of(wanted), dialects[target]):
            same.add(key)
    return frozenset(same)


def _read(disk: Mapping[Key, Actual], directories: Mapping[str, DirectoryOptions]) -> Iterator[tuple[Key, bytes]]:
    """Read the files that are still as they were observed."""
    for (directory, name), actual in disk.items():
        with suppress(AgentsyncError, OSError), open_place(directory, directories[directory], create=False) as place:
            data = place.read(name)
            if digest(data) == actual.digest:
                yield (directory, name), data


def _is_same(path: str, here: bytes, wanted: bytes, dialect: str) -> bool:
    """Whether a file defines the wanted agent, which may do exactly as much; only a colour may be new."""
    ours, theirs = (read_agent(path, data, dialect) for data in (wanted, here))
    if not (isinstance(ours, ReadAgent) and isinstance(theirs, ReadAgent)):
        return False
    is_equal = _apart_from_spelling(ours.agent, theirs.agent) == _apart_from_spelling(theirs.agent, theirs.agent)
    if not is_equal:
        return False
    tool, slug = theirs.dialect, slug_of(path)
    most, before = (enforced_abilities(tool, read.document, slug) for read in (ours, theirs))
    try:
        differs = wider(ours.agent.grants, theirs.agent.grants) or wider(theirs.agent.grants, ours.agent.grants)
    except TooManyPatternsError:
        return False
    return not differs and not gained(before, most)


def _apart_from_spelling(agent: Agent, here: Agent) -> Agent:
    """Leave out what two files of one agent may differ in: the order of rules, blank lines around the prompt."""
    spelled = {"own_permissions": {}, "grants": EVERYTHING, "prompt": agent.prompt.strip()}
    return agent.model_copy(update=spelled if here.color else {**spelled, "color": None})
