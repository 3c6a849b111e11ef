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
    """A table with row headers in its first column, in a region that scrolls where it is too wide."""
    right = dict.fromkeys(numbers, "number")
    head = (element("th", title, scope="col", class_=right.get(column)) for column, title in enumerate(header))
    body = (
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell, class_=right.get(column)) for column, cell in enumerate(row[1:], start=1)),
        )
        for row in rows
    )
    whole = element(
        "table", element("caption", caption), element("thead", element("tr", *head)), element("tbody", *body)
    )
    return element("div", whole, class_="wide", role="region", aria_label=caption, tabindex=0)


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
    return element("p", f"And {number} more; ", with_code(hint), ".", class_="quiet") if number > 0 else Html("")


def counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
