"""Accepted diagnostics: what somebody looked at and accepts is quiet, counted apart, and fails no run.

Accepting changes nothing about what is written, held or refused. A repository's manifest may accept what conversions
lose; what a policy, an escalation, a signature or an ancestry refuses can be accepted only on the machine itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.formats.validated_toml import Settings
from agentsync.repository.overrides import AgentFilter, matches

_BY_ID: Final = {code.id: code for code in Code}

# Troubles of this machine that may be accepted here. No other one of AS4xx is: a remote that is down, a full disk or
# a hold that nobody answers would look healthy. A mistake in an entry itself is none that it could accept.
_OF_THIS_MACHINE: Final = frozenset(
    {
        Code.CONFLICT_UNMANAGED,
        Code.CONFLICT_EDITED,
        Code.TARGET_MISSING,
        Code.OTHER_SOURCE,
        Code.TARGET_LEFT,
        Code.SOURCE_LEFT,
        Code.NO_AGENTS,
        Code.SOURCE_REFUSED,
        Code.SOURCE_UNVERIFIED,
        Code.HISTORY_CUT,
        Code.NOT_SEARCHED,
    }
)
_OF_ENTRIES: Final = frozenset({Code.ACCEPTANCE_UNUSED, Code.ACCEPTANCE_EXPIRED})


def _code(value: str) -> str:
    code = _BY_ID.get(value)
    if code is None:
        raise ValueError(f"there is no code `{value}`; `agentsync explain` lists them")
    if code in _OF_ENTRIES or (value.startswith("AS4") and code not in _OF_THIS_MACHINE):
        raise ValueError(f"`{value}` cannot be accepted: it is trouble until it is solved")
    return value


def _conversion_code(value: str) -> str:
    if not _code(value).startswith("AS3"):
        raise ValueError(f"a manifest accepts only what conversions lose (AS3xx); each machine may accept {value}")
    return value


_MAX_ENTRIES: Final = 256
_Patterns = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=256)], ...], Field(max_length=_MAX_ENTRIES)]


class Acceptance(Settings):
    """An entry of `accept` in a machine's configuration.

    Attributes:
        code: of the diagnostics, such as `AS304`.
        agents: patterns of agents as in `only`, or globs over paths for files that are no agent; all where empty.
        targets: names of targets or of dialects; all where empty.
        reason: why it is accepted, for those who read it later.
        until: the last day on which it counts, in UTC; without it, it always does.
    """

    code: Annotated[str, AfterValidator(_code)]
    agents: _Patterns = ()
    targets: _Patterns = ()
    reason: str = Field(min_length=1, max_length=1024)
    until: date | None = None

    def under(self, prefix: str) -> Self:
        """Return the entry for agents whose names get this prefix, as `Override.under`."""
        return self.model_copy(update={"agents": AgentFilter(self.agents).under(prefix).only})

    def __str__(self) -> str:
        agents = f" of {', '.join(self.agents)}" if self.agents else ""
        targets = f" for {', '.join(self.targets)}" if self.targets else ""
        return f"{self.code}{agents}{targets} ({self.reason})"


class SharedAcceptance(Acceptance):
    """An entry of `accept` in a repository's manifest."""

    code: Annotated[str, AfterValidator(_conversion_code)]


AcceptanceList = Annotated[tuple[Acceptance, ...], Field(max_length=_MAX_ENTRIES)]
SharedAcceptanceList = Annotated[tuple[SharedAcceptance, ...], Field(max_length=_MAX_ENTRIES)]


@dataclass(frozen=True, slots=True)
class Declared:
    """An entry with who declares it.

    Attributes:
        source: whose manifest it is in; empty for this machine's configuration.
    """

    entry: Acceptance
    source: str = ""

    @property
    def place(self) -> str:
        """Where it is declared, for messages."""
        return f"the manifest of source `{self.source}`" if self.source else "the configuration"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known of the agent or file that a diagnostic is on: its sources, and the agent's slugs and tags."""

    sources: frozenset[str] = frozenset()
    slugs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """A diagnostic, and why it is accepted."""

    diagnostic: Diagnostic
    reason: str

    def as_dict(self) -> dict[str, str | int]:
        """JSON form as documented in docs/json.md: that of the diagnostic, with the reason."""
        return {**self.diagnostic.as_dict(), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Sorted:
    """Diagnostics with the accepted ones apart; those that are left include what is wrong with the entries."""

    left: tuple[Diagnostic, ...]
    accepted: tuple[Accepted, ...] = ()


def sort_accepted(
    diagnostics: Iterable[Diagnostic],
    declared: Sequence[Declared],
    *,
    subject_of: Callable[[Diagnostic], Subject],
    targets: Mapping[str, str],
    today: date,
) -> Sorted:
    """Set those diagnostics apart that are accepted.

    An entry that has expired, or that matches nothing any more, is reported, so that entries do not outlive their
    reason. An entry is judged to match nothing only where it could have matched: an entry of a manifest that names
    targets which this run does not write, or names none, is for other machines too.

    Args:
        diagnostics: of a run, in their order.
        declared: the entries of the configuration, and of the manifests.
        subject_of: what is known of a diagnostic's agent or file.
        targets: the dialects of this run's targets, by their names.
        today: the day in UTC.
    """
    judged = {*targets, *targets.values()}
    active = [one for one in declared if one.entry.until is None or today <= one.entry.until]
    used: set[int] = set()
    left, accepted = [], []
    for diagnostic in diagnostics:
        if not active:
            left.append(diagnostic)
            continue
        subject = subject_of(diagnostic)
        names = {diagnostic.target, targets.get(diagnostic.target)}
        matching = [index for index, one in enumerate(active) if _accepts(one, diagnostic, subject, names)]
        used.update(matching)
        if matching:
            accepted.append(Accepted(diagnostic, active[matching[0]].entry.reason))
        else:
            left.append(diagnostic)
    expired = [one for one in declared if one not in active]
    unused = [one for index, one in enumerate(active) if index not in used and _is_judged(one, judged)]
    reports = [
        *(_report(Code.ACCEPTANCE_EXPIRED, one, f"accepted until {one.entry.until}: {one.entry}") for one in expired),
        *(_report(Code.ACCEPTANCE_UNUSED, one, f"nothing is left of {one.entry}") for one in unused),
    ]
    return Sorted((*left, *reports), tuple(accepted))


def expires_at(declared: Iterable[Declared], today: date) -> float | None:
    """Return when the first of the entries that count today ends, in seconds since the epoch; None for never."""
    last = min((one.entry.until for one in declared if one.entry.until and today <= one.entry.until), default=None)
    return datetime.combine(last + timedelta(days=1), time(), UTC).timestamp() if last else None


def _accepts(declared: Declared, diagnostic: Diagnostic, subject: Subject, targets: Collection[str | None]) -> bool:
    entry = declared.entry
    if entry.code != diagnostic.code.id or (entry.targets and not {*targets} & {*entry.targets}):
        return False
    # What another source has is not for a manifest to accept, also where both have a file of the path.
    if declared.source and subject.sources != {declared.source}:
        return False
    return not entry.agents or any(_names(pattern, diagnostic, subject) for pattern in entry.agents)


def _names(pattern: str, diagnostic: Diagnostic, subject: Subject) -> bool:
    return matches(pattern, subject.slugs, subject.tags) or (
        not subject.slugs and bool(diagnostic.path) and fnmatchcase(diagnostic.path, pattern)
    )


def _is_judged(declared: Declared, judged: Collection[str]) -> bool:
    """Whether this run shows that an entry matches nothing."""
    targets = declared.entry.targets
    return {*targets} <= {*judged} and bool(targets or not declared.source)


def _report(code: Code, declared: Declared, message: str) -> Diagnostic:
    return Diagnostic(code, message, path=declared.place)
