"""Output for people: aligned rows, colours, differences."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

import click

from agentsync.cli.wording import up_to_date_line
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.durations import ago
from agentsync.core.paths import shorten
from agentsync.core.urls import printable
from agentsync.state.records import Action
from agentsync.state.store import RECOVERED
from agentsync.sync.report import Report
from agentsync.sync.request import Scope
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
_SHOWN_WARNINGS: Final = 10
_SHOWN_ALIKE: Final = 3


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> None:
    """Print rows with aligned columns; styles do not count as width."""
    lines = [[click.style(title, bold=True) for title in header], *rows] if header else list(rows)
    if not lines:
        return
    widths = [max(len(click.unstyle(line[column])) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = (cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def show_changes(changes: Iterable[Change], *, home: str = "") -> None:
    """Print one line for each change; `home` is shown as `~` instead of the user's own."""
    rows = []
    for change in changes:
        sign, color = _SIGNS[change.action]
        place = printable(shorten(absolute(change.directory, change.path), home))
        verb = click.style(f"{sign} {_VERBS[change.action]}", fg=color)
        rows.append([verb, change.target, printable(change.agent), place])
    table(rows)


def show_diagnostic(diagnostic: Diagnostic, *, err: bool = True) -> None:
    """Print a diagnostic in one line, with its hint below if it is an error."""
    severity = click.style(f"{diagnostic.severity.value}[{diagnostic.code.id}]", fg=_COLORS[diagnostic.severity])
    place = f"{printable(shorten(diagnostic.place))}: " if diagnostic.place else ""
    target = f" ({diagnostic.target})" if diagnostic.target else ""
    click.echo(f"{place}{severity}: {printable(diagnostic.message)}{target}", err=err)
    hint = diagnostic.hint or diagnostic.code.remedy
    if diagnostic.severity is Severity.ERROR and hint:
        click.echo(f"    {click.style('hint:', fg='cyan')} {printable(hint)}", err=err)


def show_diagnostics(report: Report, *, verbosity: int, logged: bool = False) -> None:
    """Print all errors, and the first warnings of agents that changed; with -v, the warnings of all agents.

    After an apply, nothing is printed where the reader has the diagnostics as events already (`logged`).
    """
    if report.scope is Scope.APPLY and logged:
        return
    if report.recovered:
        click.echo(f"{click.style('warning:', fg='yellow')} {RECOVERED}", err=True)
    diagnostics = report.diagnostics if verbosity > 0 else report.news
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity is Severity.ERROR]
    least = Severity.INFO if verbosity > 1 else Severity.WARNING
    others = [diagnostic for diagnostic in diagnostics if diagnostic.severity in (Severity.WARNING, least)]
    shown = others if verbosity > 0 else others[: _SHOWN_WARNINGS if verbosity == 0 else 0]
    _show_alike([*shown, *errors], most=len(diagnostics) if verbosity > 0 else _SHOWN_ALIKE)
    if verbosity >= 0 and len(shown) < len(others):
        _show_rest(len(others) - len(shown), "warnings")


def _show_alike(diagnostics: Sequence[Diagnostic], *, most: int) -> None:
    """Print diagnostics; of those that differ only by their place, only the first ones."""
    kinds: dict[tuple[Code, str, str], list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        kinds.setdefault((diagnostic.code, diagnostic.message, diagnostic.target), []).append(diagnostic)
    for alike in kinds.values():
        for diagnostic in alike[:most]:
            show_diagnostic(diagnostic)
        if len(alike) > most:
            _show_rest(len(alike) - most, "like this")


def _show_rest(number: int, what: str) -> None:
    click.echo(click.style(f"and {number} more {what}; -v shows them", dim=True), err=True)


def show_sources(report: Report) -> None:
    """Print one line for each source: its commit, the commit's subject, and the previous commit."""
    rows = []
    for source in report.sources:
        commit = click.style(source.commit[:12] or "-", fg="yellow")
        moved = source.previous and source.previous != source.commit
        was = click.style(f"was {source.previous[:12]}", dim=True) if moved else ""
        subject = source.facts.subject if source.facts else ""
        rows.append([click.style(source.name, bold=True), commit, printable(subject)[:60], was])
    table(rows)


def show_rollouts(report: Report) -> None:
    """Print for each source that is not at the tip of its branch what it waits for."""
    for source in report.sources:
        choice = source.rollout
        if choice and choice.commit != source.tip:
            due = f", next step {ago(choice.due_at, time.time())}" if choice.due_at else ""
            detail = f": {printable(choice.detail)}" if choice.detail else ""
            place = f"stage {choice.stage} at {source.commit[:12] or '-'}, newest is {source.tip[:12]}"
            click.echo(f"{click.style(source.name, bold=True)}: {place}: {choice.reason}{detail}{due}")


def summary(report: Report) -> str:
    """Summarize a report in one line."""
    counts = report.counts
    done = [f"{counts[key]} {_PAST[key]}" for key in _PAST if counts.get(key)]
    troubles = {"conflict": "in conflict", "held": "held", "failed": "failed", "refused": "refused"}
    trouble = [f"{counts[key]} {words}" for key, words in troubles.items() if counts.get(key)]
    accepted = [f"{counts['accepted']} accepted"] if counts["accepted"] else []
    trouble += [f"source {source.name} failed" for source in report.sources if source.error]
    same = counts["keep"]
    if not done and not trouble and not report.suspension:
        return up_to_date_line(same, len(report.targets), report.seconds, accepted=counts["accepted"])
    text = ", ".join([*done, *trouble, *([f"{same} unchanged"] if same else []), *accepted])
    if report.suspension:
        text += "; pulling is suspended"
    verb = "would be " if report.scope is not Scope.APPLY and done else ""
    return f"{verb}{text} ({report.seconds:.1f} s)"
