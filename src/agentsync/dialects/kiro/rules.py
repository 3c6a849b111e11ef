"""The rules of Kiro's `permissions`: each for a capability and some of its arguments, whatever their order.

The most restrictive of the matching rules counts. A rule may except arguments, so several rules do not translate
exactly into one ordered list: whatever is unclear is read in the requested sense, intended or enforced.
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
"""The tools that Kiro calls built-in: all but those of servers."""

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
class PermissionRule:
    """One rule of `permissions`.

    Attributes:
        capability: Kiro's name for a group of tools.
        effect: the approval of calls that match.
        match: patterns of its arguments; none covers every argument.
        exclude: patterns of arguments that are excepted.
    """

    capability: str
    effect: Approval
    match: tuple[str, ...]
    exclude: tuple[str, ...]

    def rules(self, *, intended: bool) -> Iterator[Rule]:
        """The rules for calls that it covers, regardless of exceptions."""
        # An unclear pattern covers every argument where that is the safe reading: a restriction as intended, and an
        # approval as enforced.
        full = intended != (self.effect is Approval.ALLOW)
        for pattern in self.match:
            yield from self._each(pattern, unclear=ANY if full else UNTRANSLATED + pattern)
        if not self.match:
            yield from (Rule(tool, self.effect) for tool in _CAPABILITIES.get(self.capability, ()))

    def exceptions(self, *, intended: bool) -> Iterator[Rule]:
        """The rules for excepted calls; an unclear pattern excepts nothing as intended, everything as enforced."""
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
    """The canonical forms of a pattern; empty where it has none."""
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
    is_plain = not set(pattern) & set("?[]{}")  # these may be special characters
    return (pattern,) if is_plain and not several else ()


def permission_rules(permissions: JsonValue) -> Iterator[PermissionRule]:
    """The rules of `permissions`; early versions had a bare list of them."""
    rules = permissions.get("rules") if isinstance(permissions, dict) else permissions
    for rule in objects(rules):
        effect = _EFFECTS.get(str(rule.get("effect")))
        if effect is not None:
            match, exclude = (tuple(listed(rule.get(key))) for key in ("match", "exclude"))
            yield PermissionRule(str(rule.get("capability")), effect, match, exclude)


def understood(permissions: JsonValue) -> bool:
    """Whether these are rules with known effects and capabilities, and without other keys that may count."""
    rules = permissions.get("rules") if isinstance(permissions, dict) else permissions
    return isinstance(rules, list) and all(isinstance(rule, dict) and _is_understood(rule) for rule in rules)


def _is_understood(rule: Mapping[str, JsonValue]) -> bool:
    values = [rule[key] for key in ("match", "exclude") if key in rule]
    patterns = [one for value in values for one in (value if isinstance(value, list) and value else [value])]
    return (
        str(rule.get("effect")) in _EFFECTS
        and str(rule.get("capability")) in _CAPABILITIES
        and rule.keys() <= {"capability", "effect", "match", "exclude", "description", "reason"}
        and all(isinstance(one, str) and one.strip() for one in patterns)
    )


def restricted(
    declared: Sequence[PermissionRule], allowed: Sequence[Rule], asked: Sequence[Rule], *, intended: bool
) -> list[Rule]:
    """Translate the rules of one restricting effect: first those with exceptions, then the others.

    Args:
        declared: the rules.
        allowed: calls that other rules allow, which also counts for the exceptions.
        asked: calls that other rules ask for, likewise.
        intended: whether to read as intended or as enforced.
    """
    excepting = [one for one in declared if one.exclude]
    if intended and len(excepting) > 1:
        excepting = []  # what one excepts, another may cover
    rules: list[Rule] = []
    for one in excepting:
        rules += one.rules(intended=intended)
        rules += (
            Rule(rule.tool, _exception_level(rule, allowed, asked, intended=intended), rule.argument)
            for rule in one.exceptions(intended=intended)
        )
    return [*rules, *(rule for one in declared if one not in excepting for rule in one.rules(intended=intended))]


def _exception_level(rule: Rule, allowed: Iterable[Rule], asked: Iterable[Rule], *, intended: bool) -> Approval:
    """The approval that other rules give to an exception."""
    if any(_overlap(rule, other) if intended else _is_covered(rule, other) for other in asked):
        return Approval.ASK
    return Approval.ALLOW if not intended and any(_overlap(rule, other) for other in allowed) else Approval.SESSION


def _is_covered(rule: Rule, other: Rule) -> bool:
    return matches(other.tool, rule.tool) and matches(other.argument, rule.argument)


def _overlap(one: Rule, other: Rule) -> bool:
    """Whether some call may match both; true for some pairs that share no call, but never false for one that does."""
    return all(
        first.startswith(second) or second.startswith(first)
        for first, second in (
            (one.tool.partition(ANY)[0], other.tool.partition(ANY)[0]),
            (one.argument.partition(ANY)[0], other.argument.partition(ANY)[0]),
        )
    )


def objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    """The objects of a list; empty for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
