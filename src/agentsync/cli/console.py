"""Output for people: changes, diagnostics and the summary of a run, in few lines.

What there is much of is summarized: changes by target, and diagnostics by what they have in common. JSON and the log
have everything.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import click

from agentsync.cli.terminal import aligned, columns, listed_names, wrapped
from agentsync.cli.wording import counted, still_installed, still_refused, up_to_date_line
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.durations import ago
from agentsync.core.errors import ExitCode
from agentsync.core.paths import shorten
from agentsync.core.urls import printable
from agentsync.report.grouping import Group, grouped
from agentsync.rollout.choose import Choice
from agentsync.state.records import Action
from agentsync.state.store import RECOVERED
from agentsync.sync.report import Report
from agentsync.sync.request import Scope
from agentsync.sync.sources import ResolvedSource
from agentsync.targets.change import Change, absolute

_SIGNS: Final = {
    Action.CREATE: ("+", "green"),
    Action.RESTORE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.REPLACE: ("~", "magenta"),
    Action.DELETE: ("-", "red"),
    Action.TAKE: ("=", "cyan"),
    Action.FORGET: ("=", "cyan"),
    Action.CONFLICT: ("!", "red"),
    Action.KEEP: (" ", "white"),
}
_VERBS: Final = {
    Action.CREATE: "create",
    Action.RESTORE: "restore",
    Action.UPDATE: "update",
    Action.REPLACE: "replace",
    Action.DELETE: "delete",
    Action.TAKE: "take over",
    Action.FORGET: "forget",
    Action.CONFLICT: "conflict",
    Action.KEEP: "keep",
}
_PAST: Final = {
    "create": "created",
    "restore": "restored",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "take": "taken over",
    "forget": "forgotten",
}
_COLORS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_NOUNS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_MOST_LINES: Final = 40  # of a run, whatever its size
_MOST_CHANGES: Final = 20  # that are listed; more are summarized by target
_MOST_ROWS: Final = 8  # of sources, and of targets
_MOST_CAUSES: Final = 3  # that are shown of one code
_MOST_ALIKE: Final = 3  # warnings of `check` that are listed; more of one cause are grouped


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> None:
    """Print rows with aligned columns that fit the terminal; styles do not count as width."""
    _print(aligned(rows, header, columns()))


def show_changes(changes: Iterable[Change], *, home: str = "", verbosity: int = 0) -> None:
    """Print the changes: each where they are few or with -v, else their numbers by target."""
    _print(change_lines([*changes], home=home, verbosity=verbosity))


def change_lines(
    changes: Sequence[Change], *, home: str = "", verbosity: int = 0, most: int = _MOST_CHANGES
) -> list[str]:
    """Return one line for each change, or one for each target where there are many.

    Args:
        changes: in the order in which they are shown.
        home: what is shown as `~` instead of the user's own home.
        verbosity: each change is listed where it is positive.
        most: how many are listed otherwise.
    """
    if len(changes) <= most or verbosity > 0:
        return aligned([_change_cells(change, home) for change in changes], width=columns())
    numbers: dict[str, Counter[Action]] = {}
    for change in changes:
        numbers.setdefault(change.target, Counter())[change.action] += 1
    rows = [
        [
            target,
            ", ".join(click.style(f"{_VERBS[action]} {counts[action]}", fg=_SIGNS[action][1]) for action in counts),
        ]
        for target, counts in numbers.items()
    ]
    lines = aligned(rows[:_MOST_ROWS], width=columns())
    if len(rows) > _MOST_ROWS:
        rest = sum(sum(counts.values()) for counts in [*numbers.values()][_MOST_ROWS:])
        lines.append(_dim(f"and {counted(rest, 'change')} in {counted(len(rows) - _MOST_ROWS, 'more target')}"))
    return lines


def _change_cells(change: Change, home: str) -> list[str]:
    sign, color = _SIGNS[change.action]
    place = printable(shorten(absolute(change.directory, change.path), home))
    verb = click.style(f"{sign} {_VERBS[change.action]}", fg=color)
    return [verb, change.target, printable(change.agent), place]


def show_diagnostic(diagnostic: Diagnostic, *, err: bool = True) -> None:
    """Print a diagnostic in one line, with its hint below if it is an error; a terminal's lines are wrapped."""
    _print(_single(diagnostic, columns(err=err), hint=diagnostic.severity is Severity.ERROR), err=err)


def show_report(report: Report, *, verbosity: int, logged: bool = False) -> None:
    """Print what a run did and what is new about it, in at most 40 lines without -v, of which errors get the first.

    Args:
        report: of the run.
        verbosity: negative for problems only.
        logged: as for `show_diagnostics`.
    """
    lines = [] if verbosity < 0 or report.unmoved else [*source_lines(report)]
    if verbosity >= 0:
        lines += rollout_lines(report)
        errors = [one for one in report.fresh if one.severity is Severity.ERROR]
        needed = len(diagnostic_lines(errors, verbosity=0, width=columns(err=True)))
        left = _MOST_LINES - 1 - len(lines) - needed
        lines += change_lines(report.changes, verbosity=verbosity, most=min(_MOST_CHANGES, left))
    _print(lines)
    show_diagnostics(report, verbosity=verbosity, logged=logged, most=_MOST_LINES - len(lines) - 1)
    if verbosity >= 0:
        click.echo(summary(report))


def show_diagnostics(report: Report, *, verbosity: int, logged: bool = False, most: int = _MOST_LINES) -> None:
    """Print what was not reported before, in groups; with -v everything in groups, with -vv each diagnostic.

    Args:
        report: of the run.
        verbosity: negative for errors only.
        logged: whether the reader has the diagnostics of an apply as events already, so nothing is printed.
        most: how many lines may be printed without -v.
    """
    if report.scope is Scope.APPLY and logged:
        return
    if report.recovered:
        click.echo(f"{click.style('warning:', fg='yellow')} {RECOVERED}", err=True)
    diagnostics = report.diagnostics if verbosity > 0 else report.fresh
    if report.scope is Scope.LOOK and verbosity <= 0:  # what is wrong, whenever it was reported
        diagnostics = tuple(filter(_is_standing, report.diagnostics))
    if verbosity < 0:
        diagnostics = tuple(one for one in diagnostics if one.severity is Severity.ERROR)
    _print(diagnostic_lines(diagnostics, verbosity=verbosity, most=most, width=columns(err=True)), err=True)


def _is_standing(diagnostic: Diagnostic) -> bool:
    """Whether the status shows it each time: errors, and warnings on a whole source, target or run."""
    if diagnostic.code is Code.KEPT_LAST_GOOD:  # what is refused is in use all the same
        return True
    return diagnostic.severity is Severity.ERROR or (diagnostic.severity is Severity.WARNING and not diagnostic.agent)


def diagnostic_lines(
    diagnostics: Sequence[Diagnostic], *, verbosity: int, most: int = _MOST_LINES, width: int | None = None
) -> list[str]:
    """Return diagnostics as lines: errors first, then warnings, in groups; notes are only counted.

    Args:
        diagnostics: in any order.
        verbosity: where it is 1, all groups and names; where it is more, each diagnostic by itself, and notes too.
        most: how many lines there may be without -v.
        width: of the terminal; None for lines that are not wrapped.
    """
    groups = grouped(diagnostics, is_exact=verbosity > 0)
    if verbosity > 1:
        members = (one for group in groups for one in group.members)
        return [line for one in members for line in _single(one, width, hint=one.severity is Severity.ERROR)]
    left = Counter(one.severity for group in groups for one in group.members)
    hinted: set[Code] = set()
    parts: list[tuple[Group, list[str]]] = []
    for group in groups:
        if group.severity is not Severity.INFO:
            hint = group.code not in hinted
            parts.append((group, [*_group_lines(group, width, verbosity=verbosity, hint=hint)]))
            hinted.add(group.code)
    if verbosity <= 0 and sum(len(part) for _, part in parts) + bool(left[Severity.INFO]) > most:
        parts = _first(parts, most - 1)
    for group, _ in parts:
        left[group.severity] -= len(group.members)
    lines = [line for _, part in parts for line in part]
    if more := ", ".join(
        f"{counted(left[severity], noun)} with {'-vv' if severity is Severity.INFO else '-v'}"
        for severity, noun in _NOUNS.items()
        if left[severity]
    ):
        lines.append(_dim(f"more: {more}"))
    return lines


def _first(parts: Sequence[tuple[Group, list[str]]], most: int) -> list[tuple[Group, list[str]]]:
    """Return the groups that fit in so many lines, at least one: errors first, then a few causes of each code."""
    causes = Counter[Code]()
    few: list[tuple[Group, list[str]]] = []
    rest: list[tuple[Group, list[str]]] = []
    for part in parts:
        code = part[0].code
        causes[code] += 1
        if causes[code] <= _MOST_CAUSES:
            few.append(part)
        elif code.severity is Severity.ERROR:
            rest.append(part)
    chosen: list[tuple[Group, list[str]]] = []
    for part in sorted([*few, *rest], key=lambda part: part[0].severity is not Severity.ERROR):
        if chosen and sum(len(lines) for _, lines in [*chosen, part]) > most:
            break
        chosen.append(part)
    return sorted(chosen, key=parts.index)


def check_lines(
    diagnostics: Iterable[Diagnostic], *, verbosity: int, width: int | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield diagnostics as lines for authors: how many, and their lines.

    Each error has its own lines with its place, and so has each warning of which there are few alike; others are
    grouped. With -v, each diagnostic is by itself.

    Args:
        diagnostics: in any order; notes only with -v.
        verbosity: as in `show_diagnostics`.
        width: of the terminal; None for lines that are not wrapped.
    """
    hinted: set[str] = set()
    for group in grouped(diagnostics, is_exact=verbosity > 0):
        if verbosity <= 0 and group.severity is not Severity.ERROR and len(group.places) > _MOST_ALIKE:
            targets = f" ({', '.join(group.targets)})" if group.targets else ""
            label = f"in {counted(len(group.places), 'place')}: "
            places = [printable(place) for place in group.places]
            lines = _styled(group.severity, group.code, f"{group.message}{targets}", width)
            yield len(group.members), [*lines, listed_names(places, width, label=label)]
            continue
        for one in group.members:
            hint = one.hint or one.code.remedy
            yield 1, [*_single(one, width, hint=one.severity is Severity.ERROR and hint not in hinted)]
            hinted.add(hint)


def _group_lines(group: Group, width: int | None, *, verbosity: int, hint: bool) -> Iterator[str]:
    """Yield the lines of a group: the cause, whom it concerns, and what to do."""
    targets = ", ".join(group.targets)
    if len(group.places) == 1 and len(group.subjects) == 1:
        yield from _single(replace(group.members[0], target=targets), width, hint=hint)
        return
    yield from _styled(group.severity, group.code, f"{targets}: {group.message}" if targets else group.message, width)
    if len(group.places) <= _MOST_ALIKE and all(one.path.startswith("/") for one in group.members):
        for path in group.places:  # of files here, which people have to look at
            yield f"    {printable(shorten(path))}"
        names = []
    else:
        names = [printable(name) for name in group.subjects]
    noun = "agent" if all(one.agent for one in group.members) else "file"
    label = f"{counted(len(names), noun)}: "
    if verbosity > 0 and names:
        yield from wrapped(f"{label}{', '.join(names)}", width, first="    ")
    elif names:
        yield listed_names(names, width, label=label)
    if hint:
        yield from _hint(group.hint, width)


def _single(diagnostic: Diagnostic, width: int | None, *, hint: bool) -> Iterator[str]:
    place = f"{printable(shorten(diagnostic.place))}: " if diagnostic.place else ""
    target = f" ({diagnostic.target})" if diagnostic.target else ""
    yield from _styled(diagnostic.severity, diagnostic.code, f"{diagnostic.message}{target}", width, place=place)
    if hint:
        yield from _hint(diagnostic.hint or diagnostic.code.remedy, width)


def _styled(severity: Severity, code: Code, text: str, width: int | None, *, place: str = "") -> list[str]:
    """Return a diagnostic's text as lines that begin with its place and its code, which is coloured."""
    label = f"{severity.value}[{code.id}]"
    lines = wrapped(printable(text), width, first=f"{place}{label}: ")
    return [line.replace(label, click.style(label, fg=_COLORS[severity]), 1) for line in lines[:1]] + lines[1:]


def _hint(text: str, width: int | None) -> list[str]:
    lines = wrapped(printable(text), width, first="    hint: ", indent="      ")
    return [lines[0].replace("hint:", click.style("hint:", fg="cyan"), 1), *lines[1:]]


def source_lines(report: Report) -> list[str]:
    """Return one line for each source: its commit, the commit's subject, and the previous commit."""
    rows = []
    for source in report.sources[:_MOST_ROWS]:
        commit = click.style(source.commit[:12] or "-", fg="yellow")
        moved = source.previous and source.previous != source.commit
        was = click.style(f"was {source.previous[:12]}", dim=True) if moved else ""
        subject = source.facts.subject if source.facts else ""
        rows.append([click.style(source.name, bold=True), commit, printable(subject)[:60], was])
    lines = aligned(rows, width=columns())
    more = len(report.sources) - len(rows)
    return [*lines, _dim(f"and {counted(more, 'more source')}")] if more else lines


def show_sources(report: Report) -> None:
    """Print one line for each source."""
    _print(source_lines(report))


def rollout_lines(report: Report) -> list[str]:
    """Return for each source that is not at the tip of its branch what it waits for."""
    return [
        f"{click.style(source.name, bold=True)}: {_rollout(source.rollout, source)}"
        for source in report.sources
        if source.rollout and source.rollout.commit != source.rollout.tip
    ]


def _rollout(choice: Choice, source: ResolvedSource) -> str:
    due = f", next step {ago(choice.due_at, time.time())}" if choice.due_at else ""
    detail = f": {printable(choice.detail)}" if choice.detail else ""
    place = f"stage {choice.stage} at {source.commit[:12] or '-'}, newest is {source.tip[:12]}"
    return f"{place}: {choice.reason}{detail}{due}"


def summary(report: Report) -> str:
    """Summarize a report in one line."""
    counts = report.counts
    done = [f"{counts[key]} {_PAST[key]}" for key in _PAST if counts.get(key)]
    troubles = {"conflict": "in conflict", "held": "held", "failed": "failed"}
    trouble = [f"{counts[key]} {words}" for key, words in troubles.items() if counts.get(key)]
    accepted = [f"{counts['accepted']} accepted"] if counts["accepted"] else []
    trouble += [f"source {source.name} failed" for source in report.sources if source.error]
    same, refused = counts["keep"], counts["refused"]
    kept = report.installed_though_refused
    is_known = refused and not any(one.severity is Severity.ERROR for one in report.fresh)
    if not trouble and not refused and report.exit_code is not ExitCode.OK:  # an error that concerns no single file
        errors = sum(one.severity is Severity.ERROR for one in report.diagnostics)
        trouble.append(counted(errors, "error"))
    trouble += [f"{target.name} missing" for target in report.lacking]
    if not done and not trouble and not report.suspension and (is_known or not refused):
        return up_to_date_line(
            same, len(report.targets), report.seconds, refused=refused, kept=kept, accepted=counts["accepted"]
        )
    if refused:
        words = still_refused(refused) if is_known else f"{counted(refused, 'agent')} refused"
        trouble.append(words + still_installed(kept))
    text = ", ".join([*done, *trouble, *([f"{same} unchanged"] if same else []), *accepted])
    if report.suspension:
        text += "; pulling is suspended"
    verb = "would be " if report.scope is not Scope.APPLY and done else ""
    return f"{verb}{text} ({report.seconds:.1f} s)"


def _dim(text: str) -> str:
    return click.style(text, dim=True)


def _print(lines: Iterable[str], *, err: bool = False) -> None:
    for line in lines:
        click.echo(line, err=err)
