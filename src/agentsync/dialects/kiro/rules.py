"""The rules of Kiro's `permissions`: each for a capability and some of its arguments, whatever their order.

The most restrictive of those that match counts. A rule may except arguments, which makes the reading of several of them
as one ordered list a matter of care: what cannot be told is taken in the sense that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import MCP, READ_COVERS, TOOLS, UNTRANSLATED, Approval, Rule
from agentsync.agents.patterns import ANY, matches
from agentsync.dialects._kit.tool_names import listed

BUILTIN: Final = tuple(sorted(TOOLS - {"external_directory"}))
"""What Kiro calls built-in: all but the tools of servers."""

_CAPABILITIES: Final = {
    "fs_read": READ_COVERS,
    "fs_write": ("write", "edit", "notebook"),
    "filesystem": (*READ_COVERS, "write", "edit", "notebook"),
    "shell": ("bash",),
    "web_fetch": ("webfetch",),
    "web_search": ("websearch",),
    "subagent": ("task",),
    "skill": ("skill",),
    "mcp": (f"{MCP}{ANY}",),
    "builtin": BUILTIN,
    "all": (ANY,),
}
_FILES: Final = frozenset({"fs_read", "fs_write", "filesystem"})
_EFFECTS: Final = {"allow": Approval.ALLOW, "ask": Approval.ASK, "deny": Approval.DENY}
_BELOW: Final = re.compile(r"(?:\./)?(?P<folder>[\w.@ -]+(?:/[\w.@ -]+)*)/\*\*(?:/\*)?")
_PATH: Final = re.compile(r"(?:\./)?[\w.@ -]+(?:/[\w.@ -]+)*/?")


@dataclass(frozen=True, slots=True)
class Declared:
    """One rule of `permissions`.

    Attributes:
        capability, effect: as Kiro has them.
        match, exclude: patterns of its arguments; no `match` is every argument.
    """

    capability: str
    effect: Approval
    match: tuple[str, ...]
    exclude: tuple[str, ...]

    def rules(self, *, intended: bool) -> Iterator[Rule]:
        """What it says where it applies, without what it excludes."""
        # What cannot be read restricts in full where that is the narrow sense, and frees in full where it is the wide.
        full = intended != (self.effect is Approval.ALLOW)
        for pattern in self.match:
            yield from self._each(pattern, unclear=ANY if full else UNTRANSLATED + pattern)
        if not self.match:
            yield from (Rule(tool, self.effect) for tool in _CAPABILITIES.get(self.capability, ()))

    def freed(self, *, intended: bool) -> Iterator[Rule]:
        """What it excludes; where that cannot be read, nothing or everything."""
        for pattern in self.exclude:
            yield from self._each(pattern, unclear=UNTRANSLATED + pattern if intended else ANY)

    def _each(self, pattern: str, *, unclear: str) -> Iterator[Rule]:
        for tool in _CAPABILITIES.get(self.capability, ()):
            if tool.startswith(MCP):
                # A question mark is only itself in Kiro, and has no canonical form.
                if "?" not in pattern or unclear == ANY:
                    yield Rule(MCP + (pattern if "?" not in pattern else ANY), self.effect)
            else:
                arguments = _arguments(self.capability, pattern) or (unclear,)
                yield from (Rule(tool, self.effect, argument) for argument in arguments)


def _arguments(capability: str, pattern: str) -> tuple[str, ...]:
    """A pattern in canonical form; none where it has none."""
    if pattern == ANY and capability not in _FILES:
        return (ANY,)
    if capability in _FILES:
        if pattern in ("**", "**/*", "./**"):
            return (ANY,)
        if below := _BELOW.fullmatch(pattern):
            return (f"{below['folder']}/*",)
        plain = pattern.removeprefix("./").rstrip("/")
        return (plain, f"{plain}/*") if _PATH.fullmatch(pattern) else ()
    several = capability in ("all", "builtin")
    is_plain = not set(pattern) & set("?[]{}")  # which may be signs of more
    return (pattern,) if is_plain and not several else ()


def declared_in(permissions: JsonValue) -> Iterator[Declared]:
    """The rules; a bare list of them is how early versions had it."""
    rules = permissions.get("rules") if isinstance(permissions, dict) else permissions
    for rule in objects(rules):
        effect = _EFFECTS.get(str(rule.get("effect")))
        if effect is not None:
            match, exclude = (tuple(listed(rule.get(key))) for key in ("match", "exclude"))
            yield Declared(str(rule.get("capability")), effect, match, exclude)


def understood(permissions: JsonValue) -> bool:
    """Whether these are rules, each with an effect and a capability that there are, and nothing else that may count."""
    rules = permissions.get("rules") if isinstance(permissions, dict) else permissions
    return isinstance(rules, list) and all(isinstance(rule, dict) and _is_understood(rule) for rule in rules)


def _is_understood(rule: Mapping[str, JsonValue]) -> bool:
    declared = [rule[key] for key in ("match", "exclude") if key in rule]
    patterns = [one for value in declared for one in (value if isinstance(value, list) and value else [value])]
    return (
        str(rule.get("effect")) in _EFFECTS
        and str(rule.get("capability")) in _CAPABILITIES
        and rule.keys() <= {"capability", "effect", "match", "exclude", "description", "reason"}
        and all(isinstance(one, str) and one.strip() for one in patterns)
    )


def restricted(
    declared: Sequence[Declared], freed: Sequence[Rule], asked: Sequence[Rule], *, intended: bool
) -> list[Rule]:
    """Rules of one restricting effect: first those with exceptions, and after them the others.

    Args:
        declared: the rules.
        freed: what others allow, which also counts for the exceptions.
        asked: what others ask for, likewise.
        intended: which of the two readings.
    """
    excepting = [one for one in declared if one.exclude]
    if intended and len(excepting) > 1:
        excepting = []  # what one excepts, another may cover
    rules: list[Rule] = []
    for one in excepting:
        rules += one.rules(intended=intended)
        rules += (
            Rule(rule.tool, _left(rule, freed, asked, intended=intended), rule.argument)
            for rule in one.freed(intended=intended)
        )
    return [*rules, *(rule for one in declared if one not in excepting for rule in one.rules(intended=intended))]


def _left(rule: Rule, freed: Iterable[Rule], asked: Iterable[Rule], *, intended: bool) -> Approval:
    """What other rules say of an exception."""
    if any(_overlap(rule, other) if intended else _is_covered(rule, other) for other in asked):
        return Approval.ASK
    return Approval.ALLOW if not intended and any(_overlap(rule, other) for other in freed) else Approval.SESSION


def _is_covered(rule: Rule, other: Rule) -> bool:
    return matches(other.tool, rule.tool) and matches(other.argument, rule.argument)


def _overlap(one: Rule, other: Rule) -> bool:
    """Whether some call may match both; said of some that do not, never the other way."""
    return all(
        first.startswith(second) or second.startswith(first)
        for first, second in (
            (one.tool.partition(ANY)[0], other.tool.partition(ANY)[0]),
            (one.argument.partition(ANY)[0], other.argument.partition(ANY)[0]),
        )
    )


def objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    """The objects of a list; anything else holds none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
