"""Name patterns, and the automaton that compares them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from agentsync.core.errors import AgentsyncError

ANY = "*"

_MAX_STATES = 4_000
# Any character that no pattern contains: the symbol used to walk the automata, and its form in an example text.
_OTHERS = ""
UNNAMED = "\N{REPLACEMENT CHARACTER}"


class TooManyPatternsError(AgentsyncError):
    """There are too many patterns with wildcards to compare them within bounds."""


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches a whole text."""
    if pattern in (ANY, text):
        return True
    if not _is_free(pattern):
        return False
    compiled = _compile(pattern)
    state = compiled.start
    for character in text:
        state = compiled.step(state, character)
        if not state:
            return False
    return compiled.accepts(state)


def _is_free(pattern: str) -> bool:
    """Whether a pattern matches anything besides itself."""
    return "*" in pattern or "?" in pattern


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A glob as a position automaton: bit i of a state is set when the first i symbols are matched.

    Attributes:
        stars: the positions of `*`.
        singles: for each character, the positions at which it advances by one; those of `?` are under _OTHERS.
        accepting: the positions at which a text may end.
    """

    stars: int
    singles: Mapping[str, int]
    accepting: int

    @property
    def start(self) -> int:
        return self._close(1)

    def step(self, state: int, character: str) -> int:
        steps = self.singles.get(character, 0) | self.singles[_OTHERS]
        return self._close(state & self.stars | (state & steps) << 1)

    def _close(self, state: int) -> int:
        """Add the positions reached when each `*` matches nothing."""
        while (more := state | (state & self.stars) << 1) != state:
            state = more
        return state

    def accepts(self, state: int) -> bool:
        return bool(state & self.accepting)

    def next_characters(self, state: int) -> Iterator[str]:
        return (character for character, positions in self.singles.items() if state & positions)


@lru_cache(maxsize=4096)
def _compile(glob: str) -> _Pattern:
    stars, singles = 0, {_OTHERS: 0}
    for index, symbol in enumerate(glob):
        if symbol == "*":
            stars |= 1 << index
        else:
            character = _OTHERS if symbol == "?" else symbol
            singles[character] = singles.get(character, 0) | 1 << index
    accepting = 1 << len(glob)
    if glob.endswith(" *"):  # matches nothing, too, so `ls *` covers `ls`: see Rule
        accepting |= 1 << len(glob) - 2
    return _Pattern(stars, singles, accepting)


@lru_cache(maxsize=1024)
def classes_of(patterns: tuple[str, ...]) -> tuple[tuple[str, frozenset[str]], ...]:
    """Every set of patterns that one text can match at the same time, each with a shortest such text.

    Raises:
        TooManyPatternsError: the comparison would need more than _MAX_STATES states.
    """
    compiled = [_compile(pattern) for pattern in patterns]
    begin = tuple(pattern.start for pattern in compiled)
    seen = {begin}
    queue = deque([(begin, "")])
    shortest: dict[frozenset[str], str] = {}
    while queue:
        state, text = queue.popleft()
        matched = frozenset(
            pattern for pattern, machine, bits in zip(patterns, compiled, state, strict=True) if machine.accepts(bits)
        )
        shortest.setdefault(matched, text)  # breadth first, so the first text is a shortest one
        for character in _useful_characters(compiled, state):
            after = tuple(machine.step(bits, character) for machine, bits in zip(compiled, state, strict=True))
            if after not in seen:
                seen.add(after)
                if len(seen) > _MAX_STATES:
                    raise TooManyPatternsError(
                        "its permission patterns are too many and too free to be compared",
                        hint="use fewer patterns with several `*` each",
                    )
                queue.append((after, text + (character or UNNAMED)))
    return tuple((text, matched) for matched, text in shortest.items())


def _useful_characters(compiled: Iterable[_Pattern], state: tuple[int, ...]) -> list[str]:
    """Characters that some pattern distinguishes from this state, and _OTHERS for all the rest."""
    named = {
        character for machine, bits in zip(compiled, state, strict=True) for character in machine.next_characters(bits)
    }
    return sorted(named | {_OTHERS})
