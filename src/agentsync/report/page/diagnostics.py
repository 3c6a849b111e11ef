"""The section of the status page on diagnostics: each code once, each cause once, and the agents of each cause."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from agentsync.core.codes import Code, Severity
from agentsync.core.paths import shorten
from agentsync.report.grouping import Group, grouped
from agentsync.report.page.components import counted, fold, folded, listed, mark, rest, section, sentence, with_code
from agentsync.report.page.markup import Html, element, html, joined
from agentsync.sync.report import Report

_SHOWN_CAUSES: Final = 10  # of a code, before the others are folded
_MOST_CAUSES: Final = 1000  # of a code
_SHOWN_NAMES: Final = 10  # of a cause, before they are folded
_MOST_NAMES: Final = 1000  # of a cause
_OPEN_CODES: Final = 3  # of errors
_MOST_GENERAL: Final = 10  # errors that concern no agent, at the top of the page
_FEW: Final = 3  # diagnostics of a cause that are listed with their places

_OF_SOURCES: Final = (Code.SOURCE_FAILED, Code.SOURCE_REFUSED, Code.SOURCE_UNVERIFIED)
_KINDS: Final = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "none"}
_WORDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "remark"}


class Cause(NamedTuple):
    """A cause that concerns an agent: the link to it, what it is, and the targets in which it concerns that agent."""

    link: str
    group: Group
    targets: tuple[str, ...]


class Causes:
    """The diagnostics of a report by code and cause, errors first."""

    def __init__(self, report: Report) -> None:
        self._accepted = report.accepted
        self._groups: Sequence[Group] = grouped(report.diagnostics)
        self._numbers = {target.name: number for number, target in enumerate(report.targets)}
        numbered = groupby(enumerate(self._groups), lambda one: one[1].code)
        self._codes = [(code, [*members]) for code, members in numbered]
        self._shown = frozenset(number for _, causes in self._codes for number, _ in causes[:_MOST_CAUSES])
        self._of: defaultdict[str, dict[int, list[str]]] = defaultdict(dict)
        for number, group in enumerate(self._groups):
            for member in group.members:
                self._of[member.agent or member.path].setdefault(number, []).append(member.target)

    def of(self, subject: str) -> list[Cause]:
        """The causes that concern an agent, by its name, or a file without one, by its path."""
        return [
            Cause(self._link(number), self._groups[number], tuple(dict.fromkeys(filter(None, targets))))
            for number, targets in self._of.get(subject, {}).items()
        ]

    @property
    def general_errors(self) -> list[Group]:
        """Errors that concern a source or a target as a whole; not why a source failed, which the service knows."""
        return [
            group
            for group in self._groups
            if group.severity is Severity.ERROR
            and group.code not in _OF_SOURCES
            and any(not one.agent and (one.target or not one.path) for one in group.members)
        ][:_MOST_GENERAL]

    def section(self) -> Html:
        """The section with all diagnostics."""
        totals = Counter[Severity]()
        for group in self._groups:
            totals[group.severity] += len(group.members)
        words = ", ".join(counted(totals[severity], word) for severity, word in _WORDS.items() if totals[severity])
        intro = element("p", f"{words}; each cause is listed once." if words else "There are none.", class_="quiet")
        return section("diagnostics", "Diagnostics", intro, *self._parts(), self._accepted_ones())

    def _accepted_ones(self) -> Html:
        """What is accepted, and why; it is no problem, so it is folded."""
        if not self._accepted:
            return Html("")
        items = []
        for one in self._accepted[:_MOST_CAUSES]:
            found = one.diagnostic
            whom = ", ".join(filter(None, (found.agent or shorten(found.path), found.target)))
            where = f" ({whom})" if whom else ""
            reason = element("span", f"Accepted: {sentence(one.reason)}", class_="small")
            items.append(element("li", element("code", found.code.id), " ", with_code(found.message), where, reason))
        more = rest(len(self._accepted) - _MOST_CAUSES, "`agentsync status --format json` lists all")
        return fold(f"{len(self._accepted):,} accepted", element("ul", *items), more)

    def _parts(self) -> Iterator[Html]:
        for index, (code, causes) in enumerate(self._codes):
            subjects = {subject for _, group in causes for subject in group.subjects}
            targets = dict.fromkeys(target for _, group in causes for target in group.targets)
            place = ", ".join([*([counted(len(subjects), "agent")] if subjects else []), *targets])
            summary = html(
                mark(_KINDS[code.severity], code.severity.value),
                " ",
                element("code", code.id),
                " ",
                element("strong", with_code(code.cause)),
                element("span", place, class_="small") if place else "",
            )
            remedy = element("p", with_code(code.remedy), class_="small") if code.remedy else ""
            items = [self._cause(number, group) for number, group in causes[:_MOST_CAUSES]]
            more = rest(len(causes) - _MOST_CAUSES, "`agentsync status -vv` shows all")
            is_open = code.severity is Severity.ERROR and index < _OPEN_CODES
            yield fold(summary, remedy, folded(items, _SHOWN_CAUSES, "cause"), more, is_open=is_open, anchor=code.id)

    def _link(self, number: int) -> str:
        return f"#{_anchor(number) if number in self._shown else self._groups[number].code.id}"

    def _cause(self, number: int, group: Group) -> Html:
        targets = f" ({', '.join(group.targets)})" if group.targets else ""
        tokens = " ".join(f"*{self._numbers[target]}" for target in group.targets if target in self._numbers)
        return element(
            "div",
            element("p", with_code(sentence(group.message)), targets),
            _whom(group),
            element("p", with_code(sentence(group.hint)), class_="small") if group.hint != group.code.remedy else "",
            id=_anchor(number),
            class_="cause",
            data_s=tokens,
        )


def _whom(group: Group) -> Html:
    """The agents and files that are concerned, with their places where these are few."""
    places = group.places
    if len(places) <= _FEW:
        names = [name for name in group.subjects if all(name not in place for place in places)]
        if len(names) <= _SHOWN_NAMES:
            parts = [*names, *(element("code", shorten(place)) for place in places)]
            text = joined(part for one in parts for part in (", ", one))
            return element("p", Html(text.removeprefix(", ")), class_="small") if parts else Html("")
    names = [*group.subjects]
    if len(names) <= _SHOWN_NAMES:
        return element("p", ", ".join(names), class_="small")
    return fold(counted(len(names), "agent"), element("p", listed(names, _MOST_NAMES), class_="small"))


def _anchor(number: int) -> str:
    return f"cause-{number}"
