"""A fleet for people: a table of stages, and below it what needs attention; as text, and the same in Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import click

from agentsync.cli.markdown import escaped
from agentsync.cli.terminal import aligned, cut
from agentsync.cli.wording import counted
from agentsync.core.durations import ago, time_left, utc
from agentsync.core.urls import printable
from agentsync.fleet.assess import Assessment, SourceView, StageView
from agentsync.fleet.groups import Failing, NotCurrent, Refused, failing, not_current, refused, silent, suspended
from agentsync.fleet.limits import Limits, all_exceeded, exceeded
from agentsync.fleet.placement import State, Version
from agentsync.rollout.choose import Reason
from agentsync.rollout.tables import MAX_STAGES

_MOST_GROUPS: Final = 5
MOST_NAMES: Final = 8  # in one list
_MOST_SOURCES: Final = 8
_WIDTH: Final = 80
_HEADER: Final = ("STAGE", "ALL", "CURRENT", "WAITING", "BEHIND", "SILENT", "REFUSED", "FAILING", "COMMIT")
_NO_STAGE: Final = "(none)"
_DIGITS: Final = 5  # of a number of machines
_COLORS: Final = {"BEHIND": "yellow", "REFUSED": "red", "FAILING": "red"}

_NONE: Final = Limits()  # but for silent machines
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing that concerns machines, and their names."""

    what: str
    machines: Sequence[str]


def text(assessment: Assessment, limits: Limits, *, width: int | None, verbose: bool) -> Iterator[str]:
    """Yield lines that fit a width; with `verbose`, all groups and all machines."""
    now = assessment.at
    sources, more_sources = _shown(assessment.sources, _MOST_SOURCES, "source", verbose=verbose)
    for source in sources:
        yield cut(printable(_headline(source, now)), width or _WIDTH * 2)
        yield ""
        stages, more_stages = _shown(source.stages, MAX_STAGES, "stage", verbose=verbose, size=_size)
        header = [title.rjust(_DIGITS) if title == "ALL" else title for title in _HEADER]
        yield from aligned([_row(stage, now, limits) for stage in stages], header, width)
        yield from more_stages
        for title, items in _sections(source, now):
            yield from ("", click.style(title, bold=True))
            yield from _section(items, width or _WIDTH, verbose=verbose)
        yield ""
    yield from more_sources
    lines, more_lines = _shown([*_problems(assessment, limits)], MAX_STAGES, "limit", verbose=verbose)
    for line in lines:
        yield from (click.style(part, fg="red") for part in _wrapped(line, width or _WIDTH * 2, ""))
    yield from more_lines
    yield _summary(assessment, limits)


def markdown(assessment: Assessment, limits: Limits, *, verbose: bool) -> Iterator[str]:
    """Yield lines of Markdown; with `verbose`, all groups and all machines."""
    now = assessment.at
    sources, more_sources = _shown(assessment.sources, _MOST_SOURCES, "source", verbose=verbose)
    for source in sources:
        yield f"**{escaped(_headline(source, now))}**"
        yield ""
        yield f"| {' | '.join(title.lower() for title in _HEADER)} |"
        yield f"| --- |{' ---: |' * (len(_HEADER) - 2)} --- |"
        stages, more_stages = _shown(source.stages, MAX_STAGES, "stage", verbose=verbose, size=_size)
        for stage in stages:
            cells = [stage.stage or _NO_STAGE, *_numbers(stage), _short(stage.expected, now)]
            yield f"| {' | '.join(escaped(str(cell)) for cell in cells)} |"
        yield from ("", *more_stages, "") if more_stages else ("",)
        for title, items in _sections(source, now):
            yield from (f"**{title}**", "")
            shown = items if verbose else items[:_MOST_GROUPS]
            for item in shown:
                names, more = _named(item.machines, verbose=verbose)
                yield f"- {escaped(item.what)}: {escaped(', '.join(names) + more)}"
            if len(shown) < len(items):
                yield f"- and {len(items) - len(shown)} more"
            yield ""
    yield from (*more_sources, "") if more_sources else ()
    lines, more_lines = _shown([*_problems(assessment, limits)], MAX_STAGES, "limit", verbose=verbose)
    yield from (f"- {escaped(line)}" for line in [*lines, *more_lines])
    yield from ("",) if lines else ()
    yield f"{escaped(_summary(assessment, limits))}."


def _shown(
    items: Sequence[_T], most: int, noun: str, *, verbose: bool, size: Callable[[_T], int] = lambda _: 0
) -> tuple[Sequence[_T], list[str]]:
    """Return the items that are shown, in their order, and the line that counts the others, which are the smallest."""
    left = 0 if verbose else max(0, len(items) - most)
    if not left:
        return items, []
    largest = sorted(range(len(items)), key=lambda index: -size(items[index]))[:most]
    return [items[index] for index in sorted(largest)], [f"and {counted(left, f'more {noun}')} (-v shows all)"]


def _size(stage: StageView) -> int:
    return len(stage.placements)


def _headline(source: SourceView, now: float) -> str:
    name = f"source {source.name}" if source.name else "no source"
    if not source.goal.is_known:
        return name
    word = "held at" if source.is_held else "newest is"
    age = f", {ago(source.goal.committed_at, now)}" if source.goal.committed_at is not None else ""
    subject = f": {source.subject}" if source.subject else ""
    reason = f": {source.halted}" if source.halted not in ("", "yes") else ""
    halted = f" (halted{reason})" if source.halted else ""
    return f"{name}{halted}, {word} {_version(source.goal)}{age}{subject}"


def _row(stage: StageView, now: float, limits: Limits) -> list[str]:
    over = {excess.what.upper() for excess in exceeded(stage, limits)}
    cells = [printable(stage.stage or _NO_STAGE)]
    for title, number in zip(_HEADER[1:-1], _numbers(stage), strict=True):
        cell = f"{number or '-':>{max(_DIGITS, len(title))}}"
        color = _COLORS.get(title) if number else None
        cells.append(click.style(cell, fg=color, bold=title in over) if color or title in over else cell)
    return [*cells, _short(stage.expected, now)]


def _numbers(stage: StageView) -> list[int]:
    return [len(stage.placements), *(stage.count(state) for state in State), stage.refused, stage.failing]


def _sections(source: SourceView, now: float) -> Iterator[tuple[str, list[_Item]]]:
    """Yield what needs attention, each with its title; nothing for what there is none of."""
    quiet = [f"{one.machine.name} ({ago(one.machine.seen_at or 0, now)})" for one in silent(source)]
    sections = {
        "Waiting": [_Item(_waiting(group, now), group.machines) for group in not_current(source, State.WAITING)],
        "Behind": [_Item(_behind(group), group.machines) for group in not_current(source, State.BEHIND)],
        "Refused": [_Item(_refused(group, now), group.machines) for group in refused(source)],
        "Failing": [_Item(_failing(group, now), group.machines) for group in failing(source)],
        "Suspended": [_Item("pulling is suspended", names)] if (names := suspended(source)) else [],
        "Silent": [_Item("last report", quiet)] if quiet else [],
    }
    yield from ((title, items) for title, items in sections.items() if items)


def _section(items: Sequence[_Item], width: int, *, verbose: bool) -> Iterator[str]:
    shown = items if verbose else items[:_MOST_GROUPS]
    for item in shown:
        yield from _wrapped(item.what, width, "  ")
        names, more = _named(item.machines, verbose=verbose)
        count = f"{counted(len(item.machines), 'machine')}: " if len(item.machines) > 1 else ""
        yield from _wrapped(f"{count}{', '.join(names)}{more}", width, "    ")
    if len(shown) < len(items):
        left = items[len(shown) :]
        number = len({name for item in left for name in item.machines})
        yield f"  and {len(left)} more, of {counted(number, 'machine')} (-v shows all)"


def _wrapped(words: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        printable(words), width, initial_indent=indent, subsequent_indent="    ", break_on_hyphens=False
    )


def _named(names: Sequence[str], *, verbose: bool) -> tuple[Sequence[str], str]:
    shown = names if verbose else names[:MOST_NAMES]
    return shown, f" and {len(names) - len(shown)} more" if len(shown) < len(names) else ""


def _waiting(group: NotCurrent, now: float) -> str:
    due = f"next step in {time_left(group.due_at - now)}" if group.due_at and group.due_at > now else ""
    reason = "" if group.reason == Reason.WAITING and due else group.reason
    return f"{group.stage or _NO_STAGE} at {_version(group.version)}: {', '.join(filter(None, (reason, due)))}"


def _behind(group: NotCurrent) -> str:
    reason = f": {group.reason}" if group.reason else ""
    instead = f" instead of {_version(group.expected)}" if group.expected.is_known else ""
    return f"{group.stage or _NO_STAGE} at {_version(group.version)}{instead}{reason}"


def _refused(group: Refused, now: float) -> str:
    what = group.agent or f"up to {counted(group.most, 'agent')}"
    where = f" ({', '.join(group.targets)})" if group.targets else ""
    since = f" (first refused {ago(group.since, now)})" if group.since is not None else ""
    return f"{what}{where}{': ' if group.codes else ''}{', '.join(group.codes)}{since}"


def _failing(group: Failing, now: float) -> str:
    since = f" (last good sync {ago(group.since, now)})" if group.since is not None else ""
    return f"{group.error}{since}"


def _problems(assessment: Assessment, limits: Limits) -> Iterator[str]:
    """Yield what makes the fleet unhealthy: the clone's manifest, and the limits that are exceeded."""
    if assessment.mistake:
        yield f"the clone's manifest cannot be used, so every machine stays where it is: {assessment.mistake}"
    for stage, excess in all_exceeded(assessment, limits):
        source = f"{stage.source}, " if len(assessment.sources) > 1 and stage.source else ""
        yield (
            f"over the limit: {source}{stage.stage or _NO_STAGE}: {excess.count} of {excess.of} {excess.what}, "
            f"{excess.limit} allowed"
        )


def _summary(assessment: Assessment, limits: Limits) -> str:
    if not assessment.machines:
        return "no machine reports"
    number = counted(assessment.machines, "machine")
    if not assessment.reporting:
        return f"{number}; none has reported lately"
    silent_ones = assessment.machines - assessment.reporting
    number += f", {silent_ones} silent" if silent_ones else ""
    if assessment.mistake or any(all_exceeded(assessment, limits)):
        return f"{number}; not all as they should be"
    if assessment.unreadable:
        return f"{number}; {counted(len(assessment.unreadable), 'document')} of no use"
    if any(all_exceeded(assessment, _NONE)):
        return f"{number}; within the limits"
    return f"{number}; {'the others' if silent_ones else 'all'} as they should be"


def _version(version: Version) -> str:
    if version.commit:
        return version.commit[:12]
    return f"the commit of {utc(version.committed_at)}" if version.committed_at is not None else "no commit"


def _short(version: Version, now: float) -> str:
    if version.commit:
        return version.commit[:7]
    return ago(version.committed_at, now) if version.committed_at is not None else "-"
