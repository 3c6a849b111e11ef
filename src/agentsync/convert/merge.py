"""Merge of several tools' versions of one agent: shared settings once, and differences under each tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from agentsync.agents.abilities import Abilities, gained
from agentsync.agents.grants import Grants
from agentsync.agents.model import NEUTRAL, Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects import Dialect, dialects
from agentsync.formats.diff import unified
from agentsync.repository.dialect_detection import ReadAgent, read_agent

_PERMISSIONS = ("tools", "permissions")
# Keys that are not compared one by one: versions are matched by name, grants are compared as a whole, and the tables
# under `targets` are merged.
_SHARED = frozenset({"name", "tags", "targets", *_PERMISSIONS})
_NO_DESCRIPTION = "-"


@dataclass(frozen=True, slots=True)
class Merged:
    """Agent merged from several versions.

    Attributes:
        slug: the name of its file, without an ending.
        data: the file in the neutral dialect; None where no version has the description that it needs.
        versions: the versions that were merged; the first one wins where a setting cannot differ between tools.
        diagnostics: differences between the versions, and losses of the first in the neutral dialect.
        diffs: unified diffs from the first version's prompt to each other one.
    """

    slug: str
    data: bytes | None
    versions: tuple[ReadAgent, ...]
    diagnostics: tuple[Diagnostic, ...]
    diffs: tuple[str, ...]


def merge(versions: Sequence[ReadAgent]) -> Merged:
    """Merge the versions of one agent into one neutral file; the first version is what all tools share."""
    first, *others = versions
    neutral = dialects()[NEUTRAL]
    diagnostics: list[Diagnostic] = []
    targets: dict[str, dict[str, JsonValue]] = {name: dict(table) for name, table in first.agent.targets.items()}
    for other in others:
        table, differences = _compared(first, other)
        diagnostics += [difference.at(path=other.document.path, agent=first.agent.name) for difference in differences]
        if table:
            targets[other.dialect.name] = {**targets.get(other.dialect.name, {}), **table}
    description = next(filter(None, (version.agent.description for version in versions)), "")
    agent = first.agent.model_copy(update={"targets": targets, "description": description})
    writing = neutral.write(agent, WriteOptions())
    diagnostics += [loss.at(path=first.document.path, agent=first.agent.name) for loss in writing.diagnostics]
    diffs = (_diff(first, other) for other in others)
    return Merged(first.agent.slug, writing.data, tuple(versions), tuple(diagnostics), tuple(filter(None, diffs)))


def _compared(first: ReadAgent, other: ReadAgent) -> tuple[dict[str, JsonValue], list[Diagnostic]]:
    """Return the table for the other version's tool, and a diagnostic for each difference."""
    converted = _converted(first, other.dialect)
    had, has = _neutral_keys(converted), _neutral_keys(other.agent)
    table: dict[str, JsonValue] = {key: has[key] for key in has if key not in _SHARED and had.get(key) != has[key]}
    if "model" in had and "model" not in has and "model" in other.dialect.carries:
        table["model"] = "inherit"
    if not _alike(converted.grants, other.agent.grants):
        table |= {key: has[key] for key in _PERMISSIONS if key in has} or {"permissions": {}}
    own = has.get("targets")
    if isinstance(own, dict) and isinstance(under := own.get(other.dialect.name), dict):
        table |= under
    added = [key for key in had if key not in has and key not in table and key not in _SHARED]
    return table, [*_differences(first, other, table, added)]


def _differences(
    first: ReadAgent, other: ReadAgent, table: Mapping[str, JsonValue], added: Sequence[str]
) -> Iterator[Diagnostic]:
    title = other.dialect.title
    if added:
        keys = ", ".join(f"`{key}`" for key in added)
        message = f"{title} sets no value of its own, so that of {first.document.path} applies there: {keys}"
        yield Diagnostic(Code.VERSION_DIFFERS, message)
    if table:
        keys = ", ".join(f"`{key}`" for key in table)
        yield Diagnostic(Code.VERSION_DIFFERS, f"what differs for {title} is under `targets`: {keys}")
    if _text(first.agent) != _text(other.agent):
        message = f"{title}'s prompt differs, and that of {first.document.path} is used for all"
        yield Diagnostic(Code.VERSION_DIFFERS, message)


def _diff(first: ReadAgent, other: ReadAgent) -> str:
    """Return the diff from the first prompt to the other one; empty where they are equal."""
    texts = (f"{_text(agent)}\n".encode() for agent in (first.agent, other.agent))
    return unified(*texts, path=other.document.path)


def _converted(first: ReadAgent, dialect: Dialect) -> Agent:
    """Convert the first version for the other one's tool, so that losses of the conversion are not differences."""
    file = render(first, dialect, WriteOptions())
    if file.data is None:
        return first.agent
    back = read_agent(file.path, file.data, dialect.name)
    return back.agent if isinstance(back, ReadAgent) else first.agent


def _neutral_keys(agent: Agent) -> Mapping[str, JsonValue]:
    """Return an agent in the neutral dialect's keys.

    One without a description has none there either, although the dialect writes no such file.
    """
    neutral = dialects()[NEUTRAL]
    described = agent if agent.description else agent.model_copy(update={"description": _NO_DESCRIPTION})
    metadata = neutral.parse(neutral.write(described, WriteOptions()).data or b"", "").metadata
    return {key: value for key, value in metadata.items() if key != "description" or agent.description}


def _alike(one: Grants, other: Grants) -> bool:
    first, second = Abilities(one), Abilities(other)
    return not gained(first, second) and not gained(second, first)


def _text(agent: Agent) -> str:
    return agent.prompt.replace("\r\n", "\n").strip()
