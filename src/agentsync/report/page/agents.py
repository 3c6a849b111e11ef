"""The sections of the status page on targets, agents, diagnostics and differences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agentsync.core.codes import Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import slug
from agentsync.core.paths import shorten
from agentsync.report.page.components import counted, mark, rest, section, sentence, table, with_code
from agentsync.report.page.markup import Html, element, html, joined
from agentsync.state.records import Action, Key
from agentsync.sync.compiled_agent import CompiledAgent, Output
from agentsync.sync.report import Report, is_drifted
from agentsync.targets.change import Change, absolute

_MOST_AGENTS: Final = 500
_MOST_DIAGNOSTICS: Final = 500
_MOST_DIFFERENCES: Final = 200
_MOST_LINES: Final = 400  # of one difference

_WORDS: Final = {
    Action.CREATE: "to be created",
    Action.UPDATE: "to be updated",
    Action.REPLACE: "to be replaced",
    Action.DELETE: "to be deleted",
    Action.RESTORE: "deleted here, to be restored",
    Action.TAKE: "to be taken over as it is",
    Action.FORGET: "gone, to be forgotten",
    Action.KEEP: "as it should be",
    Action.CONFLICT: "in conflict",
}


def targets(report: Report) -> Html:
    rows = []
    for target in report.targets:
        counts = report.counts_of(target.name)
        numbers = {
            "in conflict": counts.conflicts,
            "drifted": counts.drifted - counts.conflicts,
            "held": counts.held,
            "refused": counts.refused,
            "pending": counts.pending,
        }
        problems = [f"{number} {words}" for words, number in numbers.items() if number]
        kind = "bad" if counts.conflicts or counts.held or counts.refused else "warn"
        state = mark(kind, ", ".join(problems)) if problems else mark("good", "in sync")
        place = element("code", shorten(str(target.directory)))
        rows.append([target.name, state, str(counts.files), target.written.title, place])
    header = ("Target", "State", "Files", "Tool", "Directory")
    return section("targets", "Targets", table("The tools that get agents here", header, rows, numbers={2}))


def agents(report: Report) -> Html:
    compiled = sorted(
        (compiled_agent for compiled_agent in report.compiled if compiled_agent.name),
        key=lambda compiled_agent: compiled_agent.name,
    )
    changes = {
        (change.target, owner.source, owner.source_path): change
        for change in (*report.plan.changes, *report.plan.held)
        if (owner := change.wanted or change.base)
    }
    held = frozenset(change.key for change in report.plan.held)
    rows = []
    for compiled_agent in compiled[:_MOST_AGENTS]:
        details = [compiled_agent.description, f"{compiled_agent.source}: {compiled_agent.path}"]
        cells = [
            _agent_state(
                compiled_agent,
                target.name,
                changes.get((target.name, compiled_agent.source, compiled_agent.path)),
                held,
            )
            for target in report.targets
        ]
        rows.append([html(compiled_agent.name, *(element("span", text, class_="small") for text in details)), *cells])
    header = ("Agent", *(target.name for target in report.targets))
    caption = f"{counted(len(compiled), 'agent')} and the state in each target"
    more = rest(len(compiled) - _MOST_AGENTS, "`agentsync list agents` lists all")
    return section("agents", "Agents", table(caption, header, rows), more)


def _agent_state(compiled_agent: CompiledAgent, target: str, change: Change | None, held: frozenset[Key]) -> Html:
    output = compiled_agent.outputs.get(target)
    if target in compiled_agent.excluded:
        return mark("none", "left out")
    if compiled_agent.refused or (output and not output.digest):
        return html(mark("bad", "refused"), _diagnostics_link(compiled_agent, output))
    if output is None or change is None:
        return mark("none", "not used")
    if change.key in held:
        return mark("bad", "held")
    if change.action is Action.CONFLICT:
        return mark("bad", "in conflict")
    if change.action is Action.KEEP:
        return html(mark("good", "in sync"), _diagnostics_link(compiled_agent, output))
    state = mark("warn", "drifted" if is_drifted(change) else "pending")
    return html(state, _diagnostics_link(compiled_agent, output))


def _diagnostics_link(compiled_agent: CompiledAgent, output: Output | None) -> Html:
    """A link to an agent's diagnostics, with the number of errors and warnings for one target."""
    diagnostics = output.diagnostics if output else compiled_agent.diagnostics
    number = sum(diagnostic.severity is not Severity.INFO for diagnostic in diagnostics)
    if not number:
        return Html("")
    return element("a", counted(number, "diagnostic"), class_="small", href=f"#{_anchor(compiled_agent.name)}")


def diagnostics(report: Report) -> Html:
    """All diagnostics by agent; those that concern no agent first."""
    order = list(Severity)
    ordered = sorted(report.diagnostics, key=lambda one: (bool(one.agent), one.agent, -order.index(one.severity)))
    groups: dict[str, list[Diagnostic]] = defaultdict(list)
    for diagnostic in ordered[:_MOST_DIAGNOSTICS]:
        groups[_anchor(diagnostic.agent)].append(diagnostic)
    parts = [_group(anchor, members) for anchor, members in groups.items()]
    more = rest(len(ordered) - _MOST_DIAGNOSTICS, "`agentsync status -vv` shows all")
    return section("diagnostics", "Diagnostics", *(parts or [element("p", "There are none.")]), more)


def _group(anchor: str, members: Sequence[Diagnostic]) -> Html:
    numbers = {severity: sum(one.severity is severity for one in members) for severity in Severity}
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "remark"}
    counts = ", ".join(counted(numbers[severity], word) for severity, word in words.items() if numbers[severity])
    agent = members[0].agent
    summary = element("summary", element("h3", agent or "General"), element("span", f" {counts}", class_="quiet"))
    items = (element("li", *_diagnostic(diagnostic)) for diagnostic in members)
    is_open = not agent or bool(numbers[Severity.ERROR])
    # The anchor is on the list, since a browser opens the closed <details> that contain a link's target.
    return element("details", summary, element("ul", *items, id=anchor), open=is_open)


def _diagnostic(diagnostic: Diagnostic) -> Iterator[str]:
    kind = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "none"}[diagnostic.severity]
    yield mark(kind, diagnostic.severity.value)
    yield html(" ", element("code", diagnostic.code.id), " ", with_code(diagnostic.message))
    if diagnostic.target:
        yield html(" (", diagnostic.target, ")")
    if diagnostic.place:
        yield html(element("span", "at ", element("code", shorten(diagnostic.place)), class_="small"))
    if hint := diagnostic.hint or diagnostic.code.remedy:
        yield element("span", with_code(sentence(hint)), class_="small")


def differences(report: Report, texts: Mapping[Key, str] | None) -> Html:
    if not report.differing:
        content = [element("p", "Every file is as its source wants it.")]
    else:
        content = [element("p", "Lines with - are here; lines with + are the source's.", class_="quiet")]
        content += [_difference(change, texts) for change in report.differing[:_MOST_DIFFERENCES]]
        content.append(rest(len(report.differing) - _MOST_DIFFERENCES, "`agentsync plan` shows all"))
    return section("differences", "Differences", *content)


def _difference(change: Change, texts: Mapping[Key, str] | None) -> Html:
    place = shorten(absolute(change.directory, change.path))
    summary = element(
        "summary",
        element("h3", element("code", place)),
        element("span", f" {change.target}: {_WORDS[change.action]}", class_="quiet"),
    )
    diagnostic = change.diagnostic
    reason = (
        element("p", with_code(" ".join(map(sentence, filter(None, (diagnostic.message, diagnostic.hint))))))
        if diagnostic
        else ""
    )
    return element("details", summary, reason, _text_of(change, place, texts), open=bool(texts and change.key in texts))


def _text_of(change: Change, place: str, texts: Mapping[Key, str] | None) -> Html:
    if texts is None:
        return element("p", "The content of files is shown on this machine only.", class_="quiet")
    if text := texts.get(change.key):
        lines = text.splitlines()
        shown = joined(element("span", line or " ", class_=_line_class(line)) for line in lines[:_MOST_LINES])
        more = rest(len(lines) - _MOST_LINES, "`agentsync plan` shows all")
        return html(element("pre", shown, tabindex=0, role="region", aria_label=f"Difference of {place}"), more)
    return element("p", "There is nothing to compare, or too much.", class_="quiet")


def _line_class(line: str) -> str | None:
    if line.startswith(("---", "+++", "@@", "\\")):
        return "hunk"
    return {"+": "add", "-": "del"}.get(line[:1])


def _anchor(agent: str) -> str:
    return f"agent-{slug(agent)}" if agent else "general"
