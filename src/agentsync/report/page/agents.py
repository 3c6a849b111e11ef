"""The sections of the status page on targets and agents: what is wrong first, the rest in one line."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from agentsync.core.codes import Severity
from agentsync.core.paths import shorten
from agentsync.report.page.components import (
    counted,
    fold,
    folded,
    listed,
    mark,
    rest,
    row,
    section,
    sentence,
    table,
    with_code,
)
from agentsync.report.page.diagnostics import Cause, Causes
from agentsync.report.page.markup import Html, element, html, joined
from agentsync.report.page.states import STATES, AgentStatus, State
from agentsync.sync.report import Report

_SHOWN_PROBLEMS: Final = 20  # agents with problems, before the others are folded
_MOST_AGENTS: Final = 5000
_SHOWN_REASONS: Final = 5  # for which a target refuses agents
_SHOWN_NAMES: Final = 10  # of agents that are refused for one reason
_FEW: Final = 5  # refused agents whose reasons are shown at once


def targets(report: Report, statuses: Sequence[AgentStatus]) -> Html:
    """The section on targets, with the number of agents in each state that is a problem."""
    rows = []
    for target in report.targets:
        counts = Counter(status.states[target.name] for status in statuses)
        problems = [
            element(
                "a",
                mark(state.kind, f"{counts[state]:,} {state.words}"),
                href=f"/?state={state.letter}&target={quote(target.name)}#agents",  # the script sets the filter by it
            )
            for state in STATES
            if state.is_problem and counts[state]
        ]
        state = element("ul", *(element("li", one) for one in problems or [_of_files(report, target.name)]))
        files = f"{report.counts_of(target.name).files:,}"
        place = element("code", shorten(str(target.directory)))
        rows.append([target.name, state, files, target.written.title, place])
    for target in report.missing:
        is_accepted = target not in report.lacking
        state = mark("none", "missing, accepted") if is_accepted else mark("warn", "missing")
        rows.append([target.name, state, "0", target.written.title, element("code", shorten(str(target.directory)))])
    header = ("Target", "State", "Files", "Tool", "Directory")
    return section("targets", "Targets", table("The tools that get agents here", header, rows, numbers={2}))


def _of_files(report: Report, target: str) -> Html:
    """The state of a target all of whose agents are well: files of agents that are gone may still be there."""
    counts = report.counts_of(target)
    if blocked := counts.conflicts + counts.held:
        return mark("bad", f"{counted(blocked, 'file')} in conflict or held")
    if changing := counts.drifted + counts.pending:
        return mark("warn", f"{counted(changing, 'file')} pending")
    return mark("good", "in sync")


def agents(report: Report, statuses: Sequence[AgentStatus], causes: Causes) -> Html:
    """The section on agents: those with problems, and the others below one line; each has its details."""
    if not statuses:
        return section("agents", "Agents", element("p", "There are none yet."))
    numbers = {target.name: number for number, target in enumerate(report.targets)}
    rows = [(status.worst.is_problem, _row(status, causes, numbers)) for status in statuses[:_MOST_AGENTS]]
    problems = [one for is_problem, one in rows if is_problem]
    others = [one for is_problem, one in rows if not is_problem]
    number = sum(status.worst.is_problem for status in statuses)
    whole = counted(len(statuses), "agent")
    return section(
        "agents",
        "Agents",
        element("p", f"{number:,} of {whole} with problems." if number else f"{whole}, none with problems."),
        folded(problems, _SHOWN_PROBLEMS, "agent"),
        fold(f"{counted(len(others), 'agent')} without problems", *others) if others else "",
        rest(len(statuses) - _MOST_AGENTS, "`agentsync list agents` lists all"),
    )


def refusals(statuses: Sequence[AgentStatus], causes: Causes) -> Html:
    """What the targets refuse, and why: each reason with the names of the agents, for the top of the page."""
    by_target: defaultdict[str, list[AgentStatus]] = defaultdict(list)
    for status in statuses:
        for target in status.targets.get(State.REFUSED, ()):
            by_target[target].append(status)
    together: defaultdict[tuple[int, Html], list[str]] = defaultdict(list)
    for target, refused in by_target.items():
        # A file that cannot be read is refused everywhere, for the same reasons.
        together[len(refused), _reasons(refused, target, causes)].append(target)
    return joined(
        fold(f"{', '.join(names)}: {counted(number, 'agent')}", reasons, is_open=number <= _FEW)
        for (number, reasons), names in together.items()
    )


def _reasons(refused: Sequence[AgentStatus], target: str, causes: Causes) -> Html:
    agents: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for status in refused:
        for cause in _errors(status, causes):
            if not cause.targets or target in cause.targets:
                agents[cause.link, cause.group.message].append(status.name)
    found = sorted(agents.items(), key=lambda one: -len(one[1]))
    items = (
        element("li", element("a", with_code(sentence(message)), href=link), f" {listed(names, _SHOWN_NAMES)}")
        for (link, message), names in found[:_SHOWN_REASONS]
    )
    more = len(found) - _SHOWN_REASONS
    others = [element("li", f"{counted(more, 'more reason')}, in the diagnostics below.")] if more > 0 else []
    return element("ul", *items, *others)


def _row(status: AgentStatus, causes: Causes, numbers: Mapping[str, int]) -> Html:
    compiled, worst = status.compiled, status.worst
    in_short = [
        mark(state.kind, f"{state.words}: {', '.join(names)}" if state.is_problem else state.words)
        for state, names in status.targets.items()
        if state.is_problem or state is worst
    ]
    in_short = in_short or [mark(worst.kind, worst.words)]
    summary = html(element("strong", status.name), *(html(" ", one) for one in in_short))
    tokens = " ".join(f"{state.letter}{numbers[name]}" for name, state in status.states.items())
    return row(
        summary,
        element("p", compiled.description) if compiled.description else "",
        element("p", element("code", f"{compiled.source}: {compiled.path}"), class_="small"),
        element("ul", *_states(status), *_problems(status, causes)),
        tokens=tokens or worst.letter,
    )


def _states(status: AgentStatus) -> Iterator[Html]:
    for state, names in status.targets.items():
        kept = [name for name in names if name in status.kept]
        remark = f"; the last good version stays in {', '.join(kept)}" if kept else ""
        yield element("li", mark(state.kind, state.words), f": {', '.join(names)}{remark}")


def _problems(status: AgentStatus, causes: Causes) -> Iterator[Html]:
    """The errors with their hints, and links to whatever else is reported of an agent."""
    for cause in _errors(status, causes):
        where = f" ({', '.join(cause.targets)})" if cause.targets else ""
        yield element(
            "li",
            element("a", cause.group.code.id, href=cause.link),
            html(" ", with_code(sentence(cause.group.message)), where),
            element("span", with_code(sentence(cause.group.hint)), class_="small") if cause.group.hint else "",
        )
    others = [cause for cause in causes.of(status.name) if cause.group.severity is not Severity.ERROR]
    links = joined(part for cause in others for part in (" ", element("a", cause.group.code.id, href=cause.link)))
    if others:
        yield element("li", "Also reported:", links)


def _errors(status: AgentStatus, causes: Causes) -> list[Cause]:
    return [cause for cause in causes.of(status.name) if cause.group.severity is Severity.ERROR]
