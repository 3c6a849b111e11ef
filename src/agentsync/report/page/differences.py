"""The section of the status page on files that are not as their source wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agentsync.core.paths import shorten
from agentsync.report.page.components import counted, folded, rest, row, section, sentence, with_code
from agentsync.report.page.markup import Html, element, html, joined
from agentsync.state.records import Action, Key
from agentsync.sync.report import Report, is_drifted
from agentsync.targets.change import Change, absolute

_SHOWN: Final = 20  # before the others are folded
_MOST: Final = 500
_MOST_LINES: Final = 400  # of one difference
_OPEN: Final = 2  # differences that are open where there are no more

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


def most_urgent(report: Report) -> Sequence[Change]:
    """The changes of files that are not as they should be: conflicts first, then what somebody changed here."""
    return sorted(report.differing, key=lambda one: (one.action is not Action.CONFLICT, not is_drifted(one)))


def differences(report: Report, texts: Mapping[Key, str] | None) -> Html:
    """The section, with these texts by path; None where the content of files must not be shown."""
    changes = most_urgent(report)
    if not changes:
        return section("differences", "Differences", element("p", "Every file is as its source wants it."))
    numbers = {target.name: number for number, target in enumerate(report.targets)}
    is_open = len(changes) <= _OPEN
    rows = [
        _difference(change, texts, f"*{numbers.get(change.target, '')}", is_open=is_open) for change in changes[:_MOST]
    ]
    differ = "differs" if len(changes) == 1 else "differ"
    intro = f"{counted(len(changes), 'file')} {differ}. Lines with - are here; lines with + are the source's."
    return section(
        "differences",
        "Differences",
        element("p", intro, class_="quiet"),
        folded(rows, _SHOWN, "file"),
        rest(len(changes) - _MOST, "`agentsync plan` shows all"),
    )


def _difference(change: Change, texts: Mapping[Key, str] | None, tokens: str, *, is_open: bool) -> Html:
    place = shorten(absolute(change.directory, change.path))
    summary = html(element("code", place), element("span", f"{change.target}: {_WORDS[change.action]}", class_="small"))
    diagnostic = change.diagnostic
    reason = (
        element("p", with_code(" ".join(map(sentence, filter(None, (diagnostic.message, diagnostic.hint))))))
        if diagnostic
        else ""
    )
    return row(summary, reason, _text_of(change, place, texts), tokens=tokens, is_open=is_open)


def _text_of(change: Change, place: str, texts: Mapping[Key, str] | None) -> Html:
    if texts is None:
        return element("p", "The content of files is shown on this machine only.", class_="quiet")
    if text := texts.get(change.key):
        lines = text.splitlines()
        shown = joined(element("span", line or " ", class_=_line_class(line)) for line in lines[:_MOST_LINES])
        more = rest(len(lines) - _MOST_LINES, "`agentsync plan` shows all")
        return html(element("pre", shown, tabindex=0, role="region", aria_label=f"Difference of {place}"), more)
    return element(
        "p", with_code("There is nothing to compare, or too much: `agentsync plan` shows it."), class_="quiet"
    )


def _line_class(line: str) -> str | None:
    if line.startswith(("---", "+++", "@@", "\\")):
        return "hunk"
    return {"+": "add", "-": "del"}.get(line[:1])
