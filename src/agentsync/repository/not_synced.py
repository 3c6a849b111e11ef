"""What a repository has for tools beside agents: counted by kind, since agentsync does not sync it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath

from agentsync.dialects import Kind, dialects, in_agent_directory, in_documentation

_SKILL = "skill.md"
_SKILLS = frozenset({"skills", "skill"})
_COMMANDS = frozenset({"commands", "command", "prompts"})
_COMMAND_ENDINGS = (".md", ".toml", ".yaml", ".yml")


def count_not_synced(others: Sequence[str], agents: Sequence[str]) -> dict[Kind, int]:
    """Count what is not synced, in the order of the kinds; without kinds of which there is nothing.

    Args:
        others: the paths of the files that are not read.
        agents: those of the files that may be agents.
    """
    homes = {*_homes((*others, *agents))}
    counts = Counter(kind for path in others if (kind := _kind(path, homes)))
    counts.update(Kind.SETTINGS for path in agents if _declared(f"/{path}") is Kind.SETTINGS)
    return {kind: counts[kind] for kind in Kind if counts[kind]}


def totals(counts: Iterable[Mapping[Kind, int]]) -> dict[Kind, int]:
    """Add the counts of several sources, in the order of the kinds."""
    added: Counter[Kind] = Counter()
    for one in counts:
        added.update(one)
    return {kind: added[kind] for kind in Kind if added[kind]}


def _homes(paths: Iterable[str]) -> Iterator[str]:
    """Yield the directories that have commands of a tool where they have a directory of commands.

    These have agents or skills beside the commands, as plugins do. Elsewhere, such a directory has something else, like
    the pages about a program's commands.
    """
    for path in paths:
        above = path.split("/")[:-1]
        for index, part in enumerate(above):
            if part in _SKILLS or in_agent_directory(f"{part}/x"):
                yield "/".join(above[:index])


def _kind(path: str, homes: set[str]) -> Kind | None:
    rooted = f"/{path}"
    lower = rooted.lower()
    if lower.endswith(f"/{_SKILL}"):
        return Kind.SKILL
    if kind := _declared(rooted):
        return kind
    if lower.endswith(_notes()):
        return Kind.RULE
    return Kind.COMMAND if lower.endswith(_COMMAND_ENDINGS) and _is_command(path, homes) else None


def _is_command(path: str, homes: set[str]) -> bool:
    above = path.split("/")[:-1]
    index = next((index for index, part in enumerate(above) if part in _COMMANDS), None)
    if index is None or not _SKILLS.isdisjoint(above) or PurePosixPath(path).stem.lower() == "readme":
        return False
    if index > 0 and above[index - 1].startswith("."):
        return True
    return "/".join(above[:index]) in homes and not in_documentation(path)


@cache
def _notes() -> tuple[str, ...]:
    """Return the endings of the paths of AGENTS.md and of what tools read instead of it, in lower case."""
    stems = {stem for dialect in dialects().values() for stem in dialect.recognition.other_stems}
    return tuple(f"/{stem}.md" for stem in ("agents", *sorted(stems)))


@cache
def _signs() -> tuple[tuple[Kind, tuple[str, ...], tuple[str, ...]], ...]:
    """Return by kind the directories and the endings that the dialects declare."""
    declared: dict[Kind, list[str]] = {kind: [] for kind in Kind}
    for dialect in dialects().values():
        for kind, signs in dialect.recognition.not_synced.items():
            declared[kind] += signs
    return tuple(
        (
            kind,
            tuple(sign for sign in signs if sign.endswith("/")),
            tuple(sign for sign in signs if not sign.endswith("/")),
        )
        for kind, signs in declared.items()
    )


def _declared(rooted: str) -> Kind | None:
    for kind, directories, endings in _signs():
        if rooted.endswith(endings) or any(directory in rooted for directory in directories):
            return kind
    return None
