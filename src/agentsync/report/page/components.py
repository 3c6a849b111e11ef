"""Building blocks of the status page's sections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from agentsync.core.durations import ago, iso, utc
from agentsync.report.page.markup import Html, element, html, joined

_SIGNS: Final = {"good": "✓", "warn": "!", "bad": "✗", "none": "·"}


def section(name: str, title: str, *content: str) -> Html:
    heading = element("h2", title, id=name)
    return element("section", heading, *content, aria_labelledby=name)


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> Html:
    """A table with row headers in its first column; on a narrow screen each row is a block, its cells named.

    The roles are those that the elements have anyway, and lose in browsers where the style makes blocks of them.
    """
    right = dict.fromkeys(numbers, "number")
    head = (
        element("th", title, scope="col", class_=right.get(column), role="columnheader")
        for column, title in enumerate(header)
    )
    body = (
        element(
            "tr",
            element("th", row[0], scope="row", role="rowheader"),
            *(
                element("td", cell, class_=right.get(column), data_label=header[column], role="cell")
                for column, cell in enumerate(row[1:], start=1)
            ),
            role="row",
        )
        for row in rows
    )
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *head, role="row"), role="rowgroup"),
        element("tbody", *body, role="rowgroup"),
        role="table",
    )


def fold(summary: str, *content: str, is_open: bool = False, anchor: str | None = None) -> Html:
    """Content below a summary, which opens and closes it; the filter opens it where something in it matches."""
    return element("details", element("summary", summary), *content, open=is_open, class_="fold", id=anchor)


def folded(rows: Sequence[Html], shown: int, noun: str) -> Html:
    """The first rows, and the others below a summary: "150 more agents"."""
    rest = len(rows) - shown
    if rest <= 0:
        return joined(rows)
    return html(*rows[:shown], fold(counted(rest, f"more {noun}"), *rows[shown:]))


def row(summary: str, *content: str, tokens: str, is_open: bool = False) -> Html:
    """One thing with its details below a summary, which the filter finds by its text and its tokens."""
    return element("details", element("summary", summary), *content, open=is_open, class_="row", data_s=tokens)


def mark(kind: str, words: str) -> Html:
    """A state in words, with a sign for people who do not see its colour."""
    return element("span", element("span", _SIGNS[kind], aria_hidden="true"), f" {words}", class_=kind)


def time_of(at: float) -> Html:
    """A time in UTC."""
    return element("time", utc(at), datetime=iso(at))


def relative_time(at: float | None, now: float, otherwise: str = "") -> Html:
    """A time in UTC, and how far away it is."""
    return html(time_of(at), f" ({ago(at, now)})") if at is not None else html(otherwise)


def with_code(text: str) -> Html:
    """Mark words between backquotes as code."""
    parts = text.split("`")
    return joined(element("code", part) if number % 2 else part for number, part in enumerate(parts))


def sentence(text: str) -> str:
    """Add a full stop, and a capital where the text begins with a word and not with a path."""
    first, _, _ = text.partition(" ")
    capitalized = f"{text[:1].upper()}{text[1:]}" if first.isalpha() else text
    return capitalized if capitalized.endswith((".", "?", "!")) else f"{capitalized}."


def rest(number: int, hint: str) -> Html:
    """A note that there is more than is shown; nothing where there is not."""
    return element("p", f"And {number:,} more; ", with_code(hint), ".", class_="quiet") if number > 0 else Html("")


def counted(number: int, words: str) -> str:
    """A number with a noun, and with an adjective before it if there is one."""
    return f"{number:,} {words}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int) -> str:
    """Names with commas, and the number of those that are too many."""
    rest = len(names) - most
    return ", ".join(names) if rest <= 0 else f"{', '.join(names[:most])} and {rest:,} more"
