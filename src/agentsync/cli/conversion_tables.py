"""The report on conversions for people: tables that fit a terminal, and the same in Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import click

from agentsync.cli.markdown import escaped
from agentsync.cli.wording import counted
from agentsync.core.urls import printable
from agentsync.report.conversions import Conversions, ConvertedAgent, Groups, Result

_RESULTS: Final = (Result.FULL, Result.NARROWED, Result.REFUSED)
_MARKS: Final = {Result.FULL: "=", Result.NARROWED: "<", Result.REFUSED: "x", Result.EXCLUDED: "-"}
_LEGEND: Final = "= full   < can do less   x refused   - not for this target"
_COLORS: Final = {Result.NARROWED: "yellow", Result.REFUSED: "red"}
_NAME_WIDTH: Final = 20
_NAMED: Final = 5
_JOINT: Final = "\u00a0"
"""Placeholder for a blank at which a line must not be broken."""


def text(report: Conversions, *, width: int, verbose: bool) -> Iterator[str]:
    """Yield the report as lines of at most `width` columns; with `verbose`, of all agents and with all names."""
    yield _headline(report)
    yield ""
    yield from _counts(report)
    if agents := _shown(report, verbose=verbose):
        yield ""
        yield from _matrix(report, agents, width)
    for title, groups in _sections(report, verbose=verbose):
        yield from ("", click.style(title, bold=True))
        for what, members in groups.items():
            yield from textwrap.wrap(printable(what), width, initial_indent="  ", subsequent_indent="    ")
            for names, targets in members.items():
                line = (
                    f"      {_targets(report, targets)}: {counted(len(names), 'agent')}: {printable(', '.join(names))}"
                )
                if verbose:
                    yield from textwrap.wrap(line, width, subsequent_indent=" " * 8)
                else:
                    yield line if len(line) <= width else f"{line[: width - 1]}…"


def markdown(report: Conversions, *, verbose: bool) -> Iterator[str]:
    """Yield the report as lines of Markdown; with `verbose`, of all agents and with all names."""
    yield f"{_headline(report)}."
    yield ""
    yield from _markdown_table(
        ["target", *(result.value for result in _RESULTS)],
        ([target.name, *map(str, _numbers(report, target.name))] for target in report.targets),
    )
    if agents := _shown(report, verbose=verbose):
        yield ""
        yield from _markdown_table(
            ["agent", *(target.name for target in report.targets)],
            ([agent.name, *(one.result.value for one in agent.conversions.values())] for agent in agents),
        )
    for title, groups in _sections(report, verbose=verbose):
        yield from ("", f"## {title}", "")
        for what, members in groups.items():
            yield f"- {escaped(what)}"
            for names, targets in members.items():
                shown = names if verbose else names[:_NAMED]
                more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
                yield f"  - {_targets(report, targets)}: {escaped(', '.join(shown))}{more}"


def _sections(report: Conversions, *, verbose: bool) -> Iterator[tuple[str, Groups]]:
    """Yield what is lost and what is refused, each with its title; nothing for what there is none of."""
    lost = report.reasons(Result.NARROWED) if verbose else report.lost()
    refused = report.reasons(Result.REFUSED) if verbose else report.alike(Result.REFUSED)
    sections = {"What agents can no longer do": lost, "Why agents are refused": refused}
    yield from ((title, groups) for title, groups in sections.items() if groups)


def _targets(report: Conversions, targets: Sequence[str]) -> str:
    return "all targets" if len(targets) == len(report.targets) > 1 else ", ".join(targets)


def _headline(report: Conversions) -> str:
    return f"{counted(len(report.agents), 'agent')} in {counted(len(report.targets), 'target')}"


def _numbers(report: Conversions, target: str) -> list[int]:
    counts = report.counts(target)
    return [counts[result] for result in _RESULTS]


def _counts(report: Conversions) -> Iterator[str]:
    widest = max((len(target.name) for target in report.targets), default=0)
    widest = max(widest, len("TARGET"))
    yield f"{'TARGET':{widest}}" + "".join(f"{result.value.upper():>10}" for result in _RESULTS)
    for target in report.targets:
        yield f"{target.name:{widest}}" + "".join(f"{number:>10}" for number in _numbers(report, target.name))


def _shown(report: Conversions, *, verbose: bool) -> list[ConvertedAgent]:
    return [agent for agent in report.agents if verbose or not agent.is_full]


def _matrix(report: Conversions, agents: Sequence[ConvertedAgent], width: int) -> Iterator[str]:
    """Yield one row for each agent; the columns have the targets' names, or where these do not fit, their numbers."""
    heads = [target.name for target in report.targets]
    gap = 2
    if _NAME_WIDTH + sum(len(head) + gap for head in heads) > width:
        numbered = [f"{number} {head}" for number, head in enumerate(heads, start=1)]
        joined = "   ".join(one.replace(" ", _JOINT) for one in numbered)
        yield from (line.replace(_JOINT, " ") for line in textwrap.wrap(joined, width))
        heads, gap = [str(number) for number in range(1, len(heads) + 1)], 1
    widest = max(len(printable(agent.name)) for agent in agents)
    widest = max(_NAME_WIDTH, min(widest, width - sum(len(head) + gap for head in heads)))
    yield _LEGEND
    yield f"{'AGENT':{widest}}" + "".join(" " * gap + head for head in heads)
    for agent in agents:
        name = printable(agent.name)
        name = name if len(name) <= widest else name[: widest - 1] + "…"
        results = (one.result for one in agent.conversions.values())
        marks = (
            " " * (gap + len(head) - 1) + click.style(_MARKS[result], fg=_COLORS.get(result))
            for head, result in zip(heads, results, strict=True)
        )
        yield f"{name:{widest}}" + "".join(marks)


def _markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(map(escaped, row))} |"
