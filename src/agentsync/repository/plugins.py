"""Plugins of a marketplace: agents of one name in several plugins get the names of these in front.

Claude Code calls them `plugin:agent`. It takes no such name from an agent's own file, so the two are joined by a
dash, which every tool accepts.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from posixpath import normpath

from agentsync.core.naming import shortened, slug
from agentsync.repository.versions import Named, groups_of_names

MARKETPLACE = ".claude-plugin/marketplace.json"
"""Where a repository lists its plugins."""

_DEFINITION = "/.claude-plugin/plugin.json"
# Where marketplaces have their plugins, which need no definition of their own there. The first such directory counts.
_USUAL = re.compile(r"(?:(?!plugins/)[^/]*+/)*+plugins/([^/]+)/(?:.*/)?agents?/")
# As for the prefix of a source: leaves room for the agent's own name.
_MAX_NAME = 64


def listed_plugins(data: bytes) -> Mapping[str, str]:
    """Return the names of the plugins that a marketplace lists, by their directories in its repository.

    The file is Claude Code's and not agentsync's, so what is wrong in it is left out: such a plugin is called after its
    directory.
    """
    try:
        listing = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    table = listing if isinstance(listing, dict) else {}
    metadata, plugins = table.get("metadata"), table.get("plugins")
    above = metadata.get("pluginRoot") if isinstance(metadata, dict) else None
    found: dict[str, str] = {}
    for plugin in plugins if isinstance(plugins, list) else ():
        name, source = (plugin.get(key) for key in ("name", "source")) if isinstance(plugin, dict) else (None, None)
        if isinstance(name, str) and isinstance(source, str):
            is_bare = isinstance(above, str) and not source.startswith("./")
            found[normpath(f"{above}/{source}" if is_bare else source)] = name
    return found


class Plugins:
    """The plugins of a source.

    Args:
        paths: of all its files.
        listed: what its marketplace calls them, by their directories.
    """

    def __init__(self, paths: Collection[str], listed: Mapping[str, str]) -> None:
        defined = (path.removesuffix(_DEFINITION) for path in paths if path.endswith(_DEFINITION))
        self._found: dict[str, str] = {}
        self._directories = {**{directory: directory.rpartition("/")[2] for directory in defined}, **listed}

    def of(self, path: str) -> str:
        """The plugin that a file belongs to, as it is called in the names of files; empty where it is in none."""
        if path not in self._found:
            self._found[path] = self._of(path)
        return self._found[path]

    def _of(self, path: str) -> str:
        above = path.rpartition("/")[0] if self._directories else ""
        while above and above not in self._directories:
            above = above.rpartition("/")[0]
        usual = _USUAL.match(path) if not above and "plugins/" in path else None
        return shortened(slug(self._directories[above] if above else usual[1] if usual else ""), _MAX_NAME)

    def several(self, paths: Iterable[str]) -> bool:
        """Whether these files belong to several plugins, or to one and to none."""
        owners = map(self.of, paths)
        first = next(owners, "")
        return any(owner != first for owner in owners)


def prefixes(agents: Sequence[Named], plugins: Plugins) -> Mapping[str, str]:
    """Return what is put before the names of agents, by their paths, where agents of one name differ between plugins.

    Equal content keeps one name, so that it is used once.
    """
    found: dict[str, str] = {}
    for group in groups_of_names(agents):
        owners = {agent.path: plugins.of(agent.path) for agent in group}
        by_owner: defaultdict[str, set[str]] = defaultdict(set)
        for agent in group:
            by_owner[owners[agent.path]].add(agent.blob)
        if len(by_owner) == 1 or len({frozenset(blobs) for blobs in by_owner.values()}) == 1:
            continue
        first: dict[str, str] = {}
        for agent in sorted(group, key=lambda agent: bool(owners[agent.path])):
            owner = first.setdefault(agent.blob, owners[agent.path])
            if owner:
                found[agent.path] = f"{owner}-"
    return found
