"""HTML from values: everything but markup is escaped, so that no text of a repository becomes markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

Attribute = str | int | bool | None
"""True is an attribute without a value; False and None are left out."""


class Html(str):
    """Text that is markup."""

    __slots__ = ()


def html(*parts: str) -> Html:
    """Concatenate parts."""
    return Html("".join(part if isinstance(part, Html) else escape(_visible(part)) for part in parts))


def joined(parts: Iterable[str]) -> Html:
    """Concatenate the parts of an iterable."""
    return html(*parts)


def element(name: str, /, *children: str, **attributes: Attribute) -> Html:
    """An element; `class_` is class and `aria_label` is aria-label."""
    return Html(f"{_opening(name, attributes)}{html(*children)}</{name}>")


def void(name: str, /, **attributes: Attribute) -> Html:
    """An element that has no content, such as `meta`."""
    return _opening(name, attributes)


def _opening(name: str, attributes: dict[str, Attribute]) -> Html:
    parts = [name]
    for key, value in attributes.items():
        written = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(written)
        elif value is not None and value is not False:
            parts.append(f'{written}="{escape(_visible(str(value)))}"')
    return Html(f"<{' '.join(parts)}>")


def _visible(text: str) -> str:
    """Escape the characters that would hide or reorder the text beside them."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in "\t\n" else ascii(character)[1:-1] for character in text
    )
