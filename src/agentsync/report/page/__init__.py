"""The status page: one HTML document without scripts and external resources.

It does not reload itself, so that readers keep their place. A link reloads it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from agentsync import __version__
from agentsync.core.codes import Severity
from agentsync.core.durations import ago
from agentsync.core.errors import ExitCode
from agentsync.core.paths import shorten
from agentsync.report.page.agents import agents, diagnostics, differences, targets
from agentsync.report.page.components import (
    counted,
    mark,
    relative_time,
    section,
    sentence,
    table,
    time_of,
    with_code,
)
from agentsync.report.page.markup import Html, element, html, void
from agentsync.report.service_status import ServiceStatus, SourceStatus
from agentsync.state.records import Action, Key, Sync
from agentsync.sync.report import Report

_STYLE: Final = files("agentsync.report.page").joinpath("page.css").read_text(encoding="utf-8")
_ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M8 1a7 7 0 1 0 7 7h-2a5 5 0 1 1-5-5v3l4-4-4-4z' fill='%232f81f7'/%3E%3C/svg%3E"
)

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy: a browser may load only the page's own style and icon."""


@dataclass(frozen=True, slots=True)
class View:
    """The data of the page.

    Attributes:
        unready: why the service is not ready; empty where it is.
        now: in seconds since the epoch.
        report: what a check of everything found; None where it failed.
        trouble: why it failed.
        differences: by path, between the files here and in the source; None where they must not be shown.
        syncs: the last syncs that changed something, newest first.
    """

    service_status: ServiceStatus
    unready: str
    now: float
    report: Report | None
    trouble: str
    differences: Mapping[Key, str] | None
    syncs: Sequence[Sync]


@dataclass(frozen=True, slots=True)
class _Note:
    """A problem that a person should see first."""

    title: str
    text: str
    what_to_do: str = ""
    severity: Severity = Severity.ERROR


def render(view: View) -> str:
    """Render the document."""
    notes = list(_notes(view))
    sections = [
        _attention(notes),
        _service(view),
        _sources(view),
        *([targets(view.report), agents(view.report), diagnostics(view.report)] if view.report else []),
        differences(view.report, view.differences) if view.report else "",
        _history(view),
    ]
    state = _state(view, notes)
    head = element(
        "head",
        void("meta", charset="utf-8"),
        element("title", f"{state[1]} | agentsync"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="color-scheme", content="light dark"),
        void("link", rel="icon", href=_ICON),
        element("style", Html(_STYLE)),
    )
    body = element(
        "body",
        element("a", "Skip to the content", class_="skip", href="#main"),
        _header(view, state),
        element("main", *sections, id="main", tabindex=-1),
        _footer(),
    )
    return html(Html("<!DOCTYPE html>\n"), element("html", head, body, lang="en"))


# Frame


def _header(view: View, state: tuple[str, str]) -> Html:
    links = {"service": "Service", "sources": "Sources"}
    if view.report:
        links |= {"targets": "Targets", "agents": "Agents", "diagnostics": "Diagnostics", "differences": "Differences"}
    links["history"] = "History"
    items = (element("li", element("a", title, href=f"#{name}")) for name, title in links.items())
    return html(
        element(
            "header",
            element("h1", "agentsync"),
            element("p", mark(*state)),
            element("p", "As of ", time_of(view.now), ". ", element("a", "Look again", href="/"), class_="as-of"),
        ),
        element("nav", element("ul", *items), aria_label="On this page"),
    )


def _footer() -> Html:
    return element(
        "footer",
        f"agentsync {__version__}. The same for programs: ",
        element("a", "status.json", href="/status.json"),
        ", ",
        element("a", "metrics", href="/metrics"),
        ". In a terminal: ",
        element("code", "agentsync status"),
        ".",
    )


def _state(view: View, notes: Sequence[_Note]) -> tuple[str, str]:
    """The overall state: its CSS class, and its description in a few words."""
    errors = sum(note.severity is Severity.ERROR for note in notes)
    if errors:
        return "bad", "1 thing needs attention" if errors == 1 else f"{errors} things need attention"
    if view.service_status.last is None:
        return "warn", "Starting"
    if view.service_status.suspended:
        return "warn", "Suspended"
    if view.report is not None and view.report.in_sync:
        return "good", "In sync"
    return "warn", "Not in sync"


# What needs attention


def _notes(view: View) -> Iterator[_Note]:
    service_status, report = view.service_status, view.report
    if service_status.config_error:
        yield _Note(
            "The configuration has a mistake",
            f"{sentence(service_status.config_error)} The previous one is still used.",
            "Correct the file; it is read again when it changes, or on SIGHUP.",
        )
    if service_status.suspended:
        yield _Note(
            "Pulling is suspended",
            f"{sentence(service_status.suspended)} Nothing is changed here meanwhile.",
            "`agentsync resume` lets pulls apply changes again.",
            Severity.WARNING,
        )
    if service_status.last and service_status.last.error:
        yield _Note("The last cycle could not be run", service_status.last.error, "It is retried automatically.")
    if view.trouble:
        yield _Note("The state of the targets cannot be shown", view.trouble)
    for source in service_status.sources:
        if source.error:
            retry = f"It is fetched again {ago(source.retry_at, view.now)}." if source.retry_at else ""
            yield _Note(f"Source {source.name} cannot be used", source.error, retry)
    if view.unready:
        yield _Note("Not ready", sentence(view.unready))
    if report:
        yield from _report_notes(report)
    if service_status.fallbacks:
        text = "; ".join(service_status.fallbacks)
        yield _Note("Some changes are seen late", text, "They are found in the next cycle.", Severity.WARNING)


def _report_notes(report: Report) -> Iterator[_Note]:
    if held := len(report.plan.held):
        yield _Note(
            f"{counted(held, 'change')} held",
            "They are not applied until somebody has reviewed them.",
            "See the diagnostics below for the reasons, and for how to let them through.",
        )
    if conflicts := sum(change.action is Action.CONFLICT for change in report.differing):
        yield _Note(
            f"{counted(conflicts, 'file')} in conflict",
            "They were written or edited on this machine, and are kept.",
            "The differences are below.",
        )
    if refused := len(report.refused):
        yield _Note(
            f"{counted(refused, 'agent')} refused",
            "They are not written to every target that should have them.",
            "See the diagnostics below.",
        )


def _attention(notes: Sequence[_Note]) -> Html:
    if not notes:
        return Html("")
    items = (
        element(
            "li",
            element("strong", note.title),
            element("p", with_code(sentence(note.text))),
            element("p", with_code(note.what_to_do)) if note.what_to_do else "",
            class_="bad" if note.severity is Severity.ERROR else "warn",
        )
        for note in sorted(notes, key=lambda note: note.severity is not Severity.ERROR)
    )
    return section("attention", "Needs attention", element("ul", *items, class_="notes", role="list"))


# Sections


def _service(view: View) -> Html:
    service_status, last = view.service_status, view.service_status.last
    rows: dict[str, str] = {
        "Last good sync": relative_time(service_status.succeeded_at, view.now, "never"),
        "Last cycle": html(relative_time(last.ended_at, view.now), f" ({last.trigger.value}, {last.seconds:.1f} s)")
        if last
        else "none yet",
        "Next cycle": relative_time(service_status.next_run_at, view.now, "not planned"),
        "Running since": html(
            relative_time(service_status.started_at, view.now), f", {counted(service_status.cycles, 'cycle')}"
        ),
        "Configuration": element("code", shorten(service_status.config)),
    }
    pairs = (html(element("dt", name), element("dd", value)) for name, value in rows.items())
    return section("service", "Service", element("dl", *pairs))


def _sources(view: View) -> Html:
    facts = {source.name: source.facts for source in view.report.sources} if view.report else {}
    rows = []
    for source in view.service_status.sources:
        known = facts.get(source.name)
        applied = html(
            element("code", source.applied[:12] or "none"),
            element("span", known.subject, class_="small") if known else "",
        )
        place = html(element("code", source.url), element("span", source.ref, class_="small"))
        rows.append(
            [
                source.name,
                _source_state(source),
                applied,
                relative_time(source.fetched_at, view.now, "never"),
                place,
            ]
        )
    header = ("Source", "State", "Commit applied", "Fetched", "Repository")
    return section("sources", "Sources", table("Where the agents come from", header, rows))


def _source_state(source: SourceStatus) -> Html:
    if source.error:
        return html(mark("bad", "in trouble"), element("span", source.error, class_="small"))
    if source.applied != source.desired:
        latest = f"the latest commit is {source.desired[:12]}"
        return html(mark("warn", "not applied yet"), element("span", latest, class_="small"))
    return mark("good", "in sync")


def _history(view: View) -> Html:
    rows = []
    for sync in view.syncs:
        commits = ", ".join(f"{source} {commit[:12]}" for source, commit in sync.commits.items())
        counts = ", ".join(f"{number} {what}" for what, number in sync.counts.items() if number and what != "keep")
        good = sync.result in (ExitCode.OK.name.lower(), "rolled back")
        result = mark("good" if good else "warn", sync.result.replace("_", " ") or "unfinished")
        rows.append([element("code", sync.id), relative_time(sync.started_at, view.now), result, commits, counts])
    if not rows:
        return section("history", "History", element("p", "Nothing has been changed here yet."))
    listed = table("The last syncs that changed something", ("Sync", "When", "Result", "Commits", "Changes"), rows)
    return section("history", "History", listed)
