"""Lists of tools as written for Claude Code: their forms, the arguments of a tool, and exceptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pydantic import JsonValue

from agentsync.agents.patterns import ANY
from agentsync.dialects._kit.intent import excepted
from agentsync.dialects._kit.tool_names import named_in, nested_in

Entry = tuple[str, tuple[str, ...]]
"""A name in a list of tools, and the arguments after it."""

EVERY: Final[Entry] = (ANY, ())
"""The entry for all tools."""


def without_exceptions(value: JsonValue) -> tuple[list[Entry], list[str]]:
    """The entries of a list of tools, and the names of the tools that it excepts."""
    entries = list(_joined(parsed_list(value)))
    given, denied = excepted(name for name, _ in entries)
    inner = nested_in(value)
    return [entry for entry in entries if entry[0] in given and not (inner and entry == EVERY)], [*denied, *inner]


def denials(value: JsonValue) -> tuple[str, ...]:
    """The names that a value denies, without quotes, brackets and arguments around them."""
    texts = [value] if isinstance(value, str) else named_in(value)
    items = (item for text in texts for item in _items(text.replace(";", ",")))
    names = (item.strip("`'\"[]{}:").partition("(")[0] for item in items)
    return tuple(name for name in names if name)


def parsed_list(value: JsonValue) -> Iterator[Entry]:
    """Each `Tool` or `Tool(a, b)` of a list or a string; an item with other parentheses is kept whole."""
    for text in value if isinstance(value, list) else [value]:
        for item in _items(text) if isinstance(text, str) else ():
            name, _, rest = item.partition("(")
            inner = rest.removesuffix(")")
            if rest.endswith(")") and name and name != ANY and not set(inner) & set("()") and inner.strip():
                yield name, tuple(part for argument in inner.split(",") if (part := argument.strip()))
            else:
                yield item, ()


def _joined(parsed: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, with detached parentheses joined to the tool before them as its arguments, as their author intended.

    Claude Code reads them as a tool that it does not know, and gives the tool before them without restriction.
    """
    before: Entry | None = None
    for name, arguments in parsed:
        if before and before[0] != ANY and is_detached(name):
            before = before[0], (*before[1], name[1:-1].strip())
            continue
        if before:
            yield before
        before = name, arguments
    if before:
        yield before


def is_detached(name: str) -> bool:
    """Whether an item is only the parentheses with a tool's arguments, as the second one in `Bash (git *)`."""
    return name.startswith("(") and name.endswith(")")


def _items(text: str) -> Iterator[str]:
    """The parts of a text between commas and blanks outside parentheses."""
    if "(" not in text:  # most lists, and this is many times as fast
        yield from text.replace(",", " ").split()
        return
    depth = start = 0
    for index, character in enumerate(text):
        depth = max(0, depth + (character == "(") - (character == ")"))
        if not depth and (character == "," or character.isspace()):
            if start < index:
                yield text[start:index]
            start = index + 1
    if start < len(text):
        yield text[start:]
