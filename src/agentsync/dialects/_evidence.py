"""Evidence that a Markdown file outside of every tool's directory defines an agent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from agentsync.agents.key_effects import RESTRICTING
from agentsync.core.naming import folded_key
from agentsync.formats.document import Document

AGENT_DIRECTORIES: Final = frozenset({"agents", "agent", "subagents"})
"""Names of directories that hold agents, whatever tool they are for."""

# Beside the keys that restrict, and folded in the same way.
_AGENT_KEYS: Final = frozenset(
    {"model", "color", "temperature", "topp", "maxturns", "steps", "effort", "reasoningeffort"}
)
_PAGE_KEYS: Final = frozenset(
    "title layout permalink navorder sidebar sidebarposition sidebarlabel navigation toc hero hidetitle "
    "ms.date ms.topic ms.author pubdate".split()
)
_PAGE_DIRECTORIES: Final = frozenset(
    {"docs", "doc", "documentation", "website", "content", "pages", "blog", "posts", "wiki"}
)
# Directories of what several files take in, beside those whose name begins with an underscore.
_PART: Final = re.compile(r"/(?:_[^/]*|partials?|includes|snippets|references)(?:/|\Z)")
# A file that lists agents, and sets nothing that only an agent has, is about a team.
_TEAM_KEYS: Final = ("agents", "members", "roster")
_ENOUGH: Final = 3
_TEMPLATE_FILE: Final = re.compile(r"/templates?/(?:[^/]*[-_.])?template\.[^/]*\Z")
_PLACEHOLDER: Final = re.compile(r"<[^<>]+>|\{\{.*\}\}|\$\{.+\}|\[[^\[\]]+\]")


def in_agent_directory(path: str) -> bool:
    """Whether a directory above a file is called as directories of agents are."""
    return not AGENT_DIRECTORIES.isdisjoint(path.lower().split("/")[:-1])


def in_documentation(path: str) -> bool:
    """Whether a directory above a file is called as directories of documentation are."""
    return not _PAGE_DIRECTORIES.isdisjoint(path.lower().split("/")[:-1])


def looks_like_agent(document: Document) -> bool:
    """Whether name, description, the keys that only agents have, and the place together are evidence of an agent.

    Pages of documentation have a description too, and some have a name; they are known by their other keys and by their
    place. So no single key is enough.
    """
    rooted = f"/{document.path.lower()}"
    keys = {folded_key(key) for key in document.metadata}
    has_own = not keys.isdisjoint(_AGENT_KEYS | RESTRICTING)
    is_team = not has_own and any(isinstance(document.metadata.get(key), list | dict) for key in _TEAM_KEYS)
    if is_team or _TEMPLATE_FILE.search(rooted):
        return False
    evidence = (
        2 * ("name" in keys)
        + ("description" in keys)
        + 2 * has_own
        + 2 * in_agent_directory(document.path)
        - 2 * (not keys.isdisjoint(_PAGE_KEYS))
        - in_documentation(document.path)
        - (_PART.search(rooted) is not None)
    )
    return evidence >= _ENOUGH and not keys.isdisjoint({"name", "description"})


def is_template(metadata: Mapping[str, JsonValue]) -> bool:
    """Whether the name is a placeholder, which whoever copies the file replaces."""
    match metadata.get("name"):
        case str(name):
            return _PLACEHOLDER.fullmatch(name.strip()) is not None
        case [str()]:  # `[name]`
            return True
        case {**values}:  # `{name}` and `{{name}}`
            return bool(values) and all(value is None for value in values.values())
        case _:
            return False
