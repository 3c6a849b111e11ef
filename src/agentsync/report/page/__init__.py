"""The status page: one HTML document without external resources; its only script is a filter, and it works without.

What is wrong comes first, and what is well is folded, so that the page stays short however many agents there are. It
does not reload itself, so that readers keep their place. A link reloads it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from agentsync import __version__
from agentsync.core.codes import Code, Severity
from agentsync.core.durations import ago
from agentsync.core.errors import ExitCode
from agentsync.core.paths import shorten
from agentsync.report.page.agents import agents, refusals, targets
from agentsync.report.page.components import (
    counted,
    fold,
    mark,
    relative_time,
    section,
    sentence,
    table,
    time_of,
    with_code,
)
from agentsync.report.page.diagnostics import Causes
from agentsync.report.page.differences import differences
from agentsync.report.page.markup import Html, element, html, void
from agentsync.report.page.states import STATES, AgentStatus, State, agent_statuses
from agentsync.report.service_status import ServiceStatus, SourceStatus
from agentsync.rollout.choose import Choice
from agentsync.state.records import Action, Key, Sync
from agentsync.sync.report import Report

_STYLE: Final = files("agentsync.report.page").joinpath("page.css").read_text(encoding="utf-8")
_SCRIPT: Final = files("agentsync.report.page").joinpath("page.js").read_text(encoding="utf-8")
_ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M8 1a7 7 0 1 0 7 7h-2a5 5 0 1 1-5-5v3l4-4-4-4z' fill='%232f81f7'/%3E%3C/svg%3E"
)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_hash(_STYLE)}",
        f"script-src {_hash(_SCRIPT)}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy: a browser may load only the page's own style and icon, and run only its own script."""

_SHOWN_SYNCS: Final = 5  # before the others are folded


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
    """A problem that a person should see first; `details` is markup."""

    title: str
    text: str
    what_to_do: str = ""
    severity: Severity = Severity.ERROR
    details: str = ""


def render(view: View) -> str:
    """Render the document."""
    notes, found = [*_notes(view)], []
    if report := view.report:
        statuses, causes = agent_statuses(report), Causes(report)
        notes += _report_notes(report, statuses, causes)
        found = [
            targets(report, statuses),
            _filter([target.name for target in report.targets]),
            agents(report, statuses, causes),
            causes.section(),
            differences(report, view.differences),
        ]
    sections = [_attention(notes), *found, _sources(view), _service(view), _history(view)]
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
        element("script", Html(_SCRIPT)) if found else "",
    )
    return html(Html("<!DOCTYPE html>\n"), element("html", head, body, lang="en"))


# Frame


def _header(view: View, state: tuple[str, str]) -> Html:
    links: dict[str, str] = {}
    if view.report:
        names = ("targets", "agents", "diagnostics", "differences")
        links |= {name: name.capitalize() for name in names}
    links |= {"sources": "Sources", "service": "Service", "history": "History"}
    items = (element("li", element("a", title, href=f"#{name}")) for name, title in links.items())
    again = element("a", "Look again", href="/", id="again")
    return html(
        element(
            "header",
            element("h1", "agentsync"),
            element("p", mark(*state)),
            element("p", "As of ", time_of(view.now), ". ", again, class_="as-of"),
        ),
        element("nav", element("ul", *items), aria_label="On this page"),
    )


def _filter(targets: Sequence[str]) -> Html:
    """The filter of agents, diagnostics and differences; hidden until the script is there to apply it."""
    states = {
        "Any state": "",
        "Problems": "".join(state.letter for state in STATES if state.is_problem),
        **{state.words.capitalize(): state.letter for state in STATES},
    }
    return element(
        "search",
        element(
            "label",
            "Find ",
            void("input", type="search", id="words", autocomplete="off", placeholder="agent, file, code or word"),
        ),
        element("label", "State ", _choice("state", states)),
        element("label", "Target ", _choice("target", {"Any target": "", **{name: name for name in targets}})),
        element("p", id="found", role="status", class_="quiet"),
        id="filter",
        role="search",  # for browsers that do not know the element
        aria_label="Filter agents, diagnostics and differences",
        hidden=True,
    )


def _choice(name: str, values: Mapping[str, str]) -> Html:
    return element("select", *(element("option", words, value=value) for words, value in values.items()), id=name)


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
    service_status = view.service_status
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
    if service_status.fallbacks:
        text = "; ".join(service_status.fallbacks)
        yield _Note("Some changes are seen late", text, "They are found in the next cycle.", Severity.WARNING)


def _report_notes(report: Report, statuses: Sequence[AgentStatus], causes: Causes) -> Iterator[_Note]:
    for group in causes.general_errors:
        yield _Note(group.code.cause.removesuffix("."), group.message, sentence(group.hint))
    for target in report.lacking:
        yield _Note(
            f"Target {target.name} is missing",
            f"Neither `{shorten(str(target.directory))}` nor the directory above it exists, so nothing is written.",
            Code.TARGET_MISSING.remedy,
            Severity.WARNING,
        )
    if refused := sum(status.worst is State.REFUSED for status in statuses):
        yield _Note(
            f"{counted(refused, 'agent')} refused",
            "Not every target gets them. Where there is a last good version, it stays.",
            "Correct them in their source; each reason is listed once.",
            details=refusals(statuses, causes),
        )
    if held := len(report.plan.held):
        yield _Note(
            f"{counted(held, 'change')} held",
            "They are not applied until somebody has reviewed them.",
            "The diagnostics have the reasons, and how to let them through.",
        )
    if conflicts := sum(change.action is Action.CONFLICT for change in report.differing):
        yield _Note(
            f"{counted(conflicts, 'file')} in conflict",
            "They were written or edited on this machine, and are kept.",
            "The differences are below.",
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
            note.details,
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
                _source_state(source, view.service_status.rollouts.get(source.name), view.now),
                applied,
                relative_time(source.fetched_at, view.now, "never"),
                place,
            ]
        )
    header = ("Source", "State", "Commit", "Fetched", "Repository")
    return section("sources", "Sources", table("Where the agents come from", header, rows))


def _source_state(source: SourceStatus, choice: Choice | None, now: float) -> Html:
    if source.error:
        return html(mark("bad", "in trouble"), element("span", source.error, class_="small"))
    if choice and choice.commit != choice.tip:
        due = f", next step {ago(choice.due_at, now)}" if choice.due_at else ""
        detail = f" ({choice.detail})" if choice.detail else ""
        state = mark("warn" if choice.detail else "good", f"stage {choice.stage}: {choice.reason}")
        return html(state, element("span", f"newest is {choice.tip[:12]}{due}{detail}", class_="small"))
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
    header = ("Sync", "When", "Result", "Commits", "Changes")
    latest = table("The last syncs that changed something", header, rows[:_SHOWN_SYNCS])
    earlier = rows[_SHOWN_SYNCS:]
    more = fold(counted(len(earlier), "earlier sync"), table("Earlier syncs", header, earlier)) if earlier else ""
    return section("history", "History", latest, more)
