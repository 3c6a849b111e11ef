"""Strings that make a regular expression work as hard as it can, made from its own parse tree, and what they cost.

Each repeat of a pattern is given what leads to it, then many repetitions of what it can loop on, then something that
does not match. One character stands for all those that the pattern cannot tell apart.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice, product
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_CHARACTERS = [*map(chr, range(32, 127)), *"\t\n\r\0\x85\xa0\xe9\u2028\u200d\u4e00\U0001f3f4"]
_CATEGORIES = {
    ops.CATEGORY_DIGIT: r"\d",
    ops.CATEGORY_NOT_DIGIT: r"\D",
    ops.CATEGORY_SPACE: r"\s",
    ops.CATEGORY_NOT_SPACE: r"\S",
    ops.CATEGORY_WORD: r"\w",
    ops.CATEGORY_NOT_WORD: r"\W",
}
_REPEATS = {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}
_MOST_KINDS = 9
_MOST_WAYS = 12

_LENGTHS = (20, 32, 160, 4096)
"""The lengths that are tried, shortest first: an exponential pattern must not get to see the last one."""

_SUPERLINEAR = 20.0
"""What eight times the input may cost. Linear work costs 8, and quadratic work 64."""

_NOTHING_SECONDS = 2e-4
"""CPU time up to this says nothing about growth: quadratic work takes longer for the longest text."""

_HOPELESS = 200.0
"""Growth from which on a longer text would take too long; it is more than that of quadratic work."""


def hostile(pattern: str, flags: int = 0) -> Iterator[Callable[[int], str]]:
    """Makers of strings of about a given length, one for each way to keep the pattern busy."""
    tree = parser.parse(pattern, flags)
    kinds = _kinds(tree)
    ways = list(dict.fromkeys(_ways(tree, "")))[:_MOST_WAYS]
    starts = list(dict.fromkeys(["", *(before for before, _ in ways)]))
    bodies = [body for _, body in ways] + [before for before, _ in ways] + [before + body for before, body in ways]
    pumps = [*kinds, *bodies, _sample(tree), *("".join(pair) for pair in product(kinds[:6], repeat=2))]
    ends = list(dict.fromkeys(["", "\0", "\n!", *kinds[:3]]))
    for pump in dict.fromkeys(filter(None, pumps)):
        for start in starts:
            for end in ends if pump in kinds or start else ends[:3]:
                yield partial(_repeated, start, pump, end)
    for first, second in product(dict.fromkeys(filter(None, [*kinds[:6], *bodies])), kinds[:6]):
        yield partial(_halves, first, second)


def _repeated(start: str, pump: str, end: str, length: int) -> str:
    return start + pump * (length // len(pump)) + end


def _halves(first: str, second: str, length: int) -> str:
    return first * (length // len(first) // 2) + second * (length // 2) + "\0"


def superlinear(run: Callable[[str], object], makers: Iterable[Callable[[int], str]]) -> str | None:
    """The first of these strings, shortened, whose cost grows faster than its length; None if there is none."""
    for maker in makers:
        if _grows(run, maker):
            return maker(12)
    return None


def grows(run: Callable[[str], object], maker: Callable[[int], str], length: int) -> bool:
    """Whether this work costs too much more for a text of this length than for an eighth of it."""
    return _growth(run, maker(length // 8), maker(length)) > _SUPERLINEAR


def _grows(run: Callable[[str], object], maker: Callable[[int], str]) -> bool:
    """Whether the cost grows too fast, at the greatest length that can be tried in bearable time."""
    growth = 0.0
    for length in _LENGTHS:
        growth = _growth(run, maker(length // 8), maker(length))
        if growth > _HOPELESS:
            break
    return growth > _SUPERLINEAR


def _growth(run: Callable[[str], object], short: str, long: str) -> float:
    """How many times as much the long text costs; 0 where that is hardly anything."""
    growth = 0.0
    for times in (1, 3, 9):  # a busy machine can only make one of them slower: so the fastest counts, where it matters
        more = _seconds(run, long, times)
        growth = more / _seconds(run, short, times) if more > _NOTHING_SECONDS else 0.0
        if growth < _SUPERLINEAR or (growth > _HOPELESS and times > 1):
            break
    return growth


def _seconds(run: Callable[[str], object], text: str, times: int) -> float:
    return min(_once(run, text) for _ in range(times))


def _once(run: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    run(text)
    return time.thread_time() - began


def _kinds(tree: Any) -> list[str]:
    """One of each kind of characters that the pattern tells apart."""
    sets = list(_sets(tree))
    found: dict[tuple[bool, ...], str] = {}
    for character in (*(chr(one) for one in _literals(tree)), *_CHARACTERS):
        found.setdefault(tuple(holds(character) for holds in sets), character)
    # Those that more of the pattern's parts take come first.
    return [found[key] for key in islice(sorted(found, key=sum, reverse=True), _MOST_KINDS)]


def _sets(tree: Any) -> Iterator[Callable[[str], bool]]:
    for op, value in _nodes(tree):
        if op is ops.IN:
            yield partial(_is_in, value)
        elif op in {ops.LITERAL, ops.NOT_LITERAL}:
            yield chr(value).__eq__
        elif op is ops.ANY:
            yield "\n".__ne__


def _literals(tree: Any) -> Iterator[int]:
    yield from (value for op, value in _nodes(tree) if op in {ops.LITERAL, ops.NOT_LITERAL})


def _is_in(items: Any, character: str) -> bool:
    negated: bool = items[0][0] is ops.NEGATE
    return negated is not any(_takes(character, op, value) for op, value in items)


def _takes(character: str, op: Any, value: Any) -> bool:
    if op is ops.LITERAL:
        return bool(ord(character) == value)
    if op is ops.RANGE:
        return bool(value[0] <= ord(character) <= value[1])
    return bool(op is ops.CATEGORY) and re.match(_CATEGORIES[value], character) is not None


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    for op, value in tree:
        yield op, value
        for part in _parts(op, value):
            yield from _nodes(part)


def _parts(op: Any, value: Any) -> list[Any]:
    if op in _REPEATS:
        return [value[2]]
    if op is ops.SUBPATTERN:
        return [value[3]]
    if op is ops.BRANCH:
        return list(value[1])
    if op is ops.ATOMIC_GROUP:
        return [value]
    if op in {ops.ASSERT, ops.ASSERT_NOT}:
        return [value[1]]
    return []


def _ways(tree: Any, before: str) -> Iterator[tuple[str, str]]:
    """For each repeat, text that leads to it, and text that it can loop on."""
    for op, value in tree:
        if op in _REPEATS and value[1] > 1:
            yield before, _sample(value[2])
        for part in _parts(op, value):
            yield from _ways(part, before)
        before += _sample([(op, value)])


def _sample(tree: Any) -> str:
    """A short text that the tree matches, but for what other lookarounds and references would add."""
    text = ""
    for op, value in tree:
        if op is ops.LITERAL:
            text += chr(value)
        elif op is ops.NOT_LITERAL:
            text += next(one for one in "ax" if ord(one) != value)
        elif op is ops.ANY:
            text += "a"
        elif op is ops.IN:
            text += next((one for one in ["a", "0", *_CHARACTERS] if _is_in(value, one)), "")
        elif op in _REPEATS:
            text += _sample(value[2]) * min(value[0], 70)
        elif op is ops.BRANCH:
            text += _sample(value[1][0])
        elif op in {ops.SUBPATTERN, ops.ATOMIC_GROUP}:
            text += _sample(_parts(op, value)[0])
        elif op is ops.ASSERT and value[0] < 0:  # what is looked back at has to be there; what is ahead comes anyway
            text += _sample(value[1])
    return text
