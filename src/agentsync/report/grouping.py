"""Diagnostics grouped by what they have in common, so that people read each thing once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic

_ORDER: Final = (Severity.ERROR, Severity.WARNING, Severity.INFO)
_CAUSES: Final = (Code.NO_SUCH_PATH, Code.NO_SUCH_AGENT)
"""What may be the cause of other errors, such as of an empty source, and comes first: its remedy is the right one."""


_FEW: Final = 3  # members of a small group, and small groups that are not merged
_MOST_NAMES: Final = 10  # of a command
_ADOPT: Final = re.compile(r"`agentsync adopt ([^`]+)`")
_QUOTED: Final = re.compile(r"`[^`]*`|(?<!\w)'[^']*'(?!\w)")


@dataclass(frozen=True, slots=True)
class Group:
    """Diagnostics of one code and one cause, over all agents and targets.

    Attributes:
        members: at least one, in the order in which they were reported.
    """

    code: Code
    message: str
    members: tuple[Diagnostic, ...]

    @property
    def severity(self) -> Severity:
        return self.code.severity

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets that are concerned, each once."""
        return tuple(dict.fromkeys(one.target for one in self.members if one.target))

    @property
    def subjects(self) -> tuple[str, ...]:
        """What is concerned, each once: agents by name, and files by path where they have no name."""
        return tuple(dict.fromkeys(one.agent or one.path for one in self.members if one.agent or one.path))

    @property
    def places(self) -> tuple[str, ...]:
        """Places of the members, each once."""
        return tuple(dict.fromkeys(one.place for one in self.members if one.place))

    @property
    def hint(self) -> str:
        """What to do about all of them."""
        hints = {one.hint for one in self.members}
        if len(hints) == 1:
            return hints.pop() or self.code.remedy
        if len({_ADOPT.sub("", hint) for hint in hints}) > 1:
            return self.code.remedy
        # One command for all of them: the code's own remedy does not know the names.
        names = dict.fromkeys(name for one in self.members for name in _ADOPT.findall(one.hint))
        command = f"`agentsync adopt {' '.join(names) if len(names) <= _MOST_NAMES else 'NAME'}`"
        return _ADOPT.sub(lambda _: command, self.members[0].hint)


def grouped(diagnostics: Iterable[Diagnostic], *, is_exact: bool = True) -> list[Group]:
    """Group diagnostics: errors first, then warnings, then notes; of these, first the codes that concern most.

    Args:
        diagnostics: in any order.
        is_exact: whether each cause is a group; otherwise small groups are merged that differ by what is quoted only.
    """
    causes: dict[tuple[Code, str], list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        causes.setdefault((diagnostic.code, diagnostic.message), []).append(diagnostic)
    groups = [Group(code, message, tuple(members)) for (code, message), members in causes.items()]
    if not is_exact:
        groups = _merged(groups)
    totals = Counter[Code]()
    for group in groups:
        totals[group.code] += len(group.members)
    return sorted(
        groups,
        key=lambda group: (
            _ORDER.index(group.severity),
            group.code not in _CAUSES,
            -totals[group.code],
            group.code.id,
            -len(group.members),
        ),
    )


def _merged(groups: Iterable[Group]) -> list[Group]:
    """Merge small groups whose messages are the same but for what they quote, where these are on several files."""
    kinds: dict[tuple[Code, str], list[Group]] = {}
    for group in groups:
        is_small = len(group.members) <= _FEW
        message = _QUOTED.sub("`…`", group.message) if is_small else group.message
        kinds.setdefault((group.code, message), []).append(group)
    merged: list[Group] = []
    for (code, message), alike in kinds.items():
        files = {member.path for group in alike for member in group.members}
        if len(alike) <= _FEW or len(files) == 1:  # of one agent, what is quoted matters: one name for each target
            merged += alike
        else:
            merged.append(Group(code, message, tuple(member for group in alike for member in group.members)))
    return merged
