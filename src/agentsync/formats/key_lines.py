"""Find lines that start with a key, and restricting keys in places where no tool reads them.

There are two kinds of spelling. `tools`, `disallowed-tools` and `sandboxMode` are written as in code, so such a line is
a key wherever it is. `Tools` and `Read only` may also be the label of a line of prose, so after a description they are
not keys. Where such a label may be intended as a key, its file is refused, unless the same key is also written as in
code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from agentsync.agents.key_effects import FOREIGN_RESTRICTING, may_restrict, restricts
from agentsync.core.naming import folded_key, visible

# Top-level keys that restrict nothing: those in the tools' documentation, and those that authors commonly add.
_PLAIN_KEYS: Final = frozenset(
    """
    name description model color effort maxTurns skills initialPrompt memory background isolation observer
    observerMessage observeToolResults observeSubagents omitClaudeMd autoCompactWindow experimental
    variant temperature top_p steps maxSteps hidden disable options reasoningEffort textVerbosity prompt
    developer_instructions nickname_candidates model_provider model_reasoning_effort model_reasoning_summary
    model_verbosity personality service_tier
    kind display_name max_turns timeout_mins agent_card_url agent_card_json auth
    runConfig executor executionBackend
    model-policy reasoning-effort user-invocable user-invokable disable-model-invocation
    include-custom-instructions deferred-tool-loading strict-tools-list target metadata argument-hint handoffs agents
    infer
    providerId modelId maxIterations
    is_background
    toolAliases resources keyboardShortcut welcomeMessage
    safety agent_type instructions active_model
    reasoningLevel slug roleDefinition whenToUse customInstructions
    license compatibility version author category emoji vibe tags id role tier
    """.split()
)

_CODE: Final = re.compile(r"[a-z][A-Za-z0-9]*+(?:[-_][A-Za-z0-9]++)*+")
_KEY: Final = re.compile(r"""["']?(?P<key>[^\W\d_][\w-]*+)["']?[ \t]*+:(?P<separated>\s|$)?""")
_FIRST_WORD: Final = re.compile(rf"^{_KEY.pattern}", re.MULTILINE)
# A key of several words, or with dots. The bound is longer than any key of that kind, and keeps the search short.
_LONG_KEY: Final = re.compile(r"""["']?(?P<key>[^\W\d_][\w. -]{0,40}?)["']?[ \t]*+:(?P<separated>\s|$)?""")
# A key in any form that an author may have used: in a list, in bold, numbered, with a remark, with an equals sign, or
# as YAML's complex key.
_LOOSE_KEY: Final = re.compile(
    r"\W*+(?:\d{1,3}[.)]\W*+)?(?P<key>\w[\w. -]{0,40}?)(?:\s?\([^()]{0,40}\))?[^\w:=]*+[:=]"
    r"|\W*\? ?(?P<complex>\w[\w. -]{0,40}?)\W*$"
)
_SECOND_FENCE: Final = re.compile(r"^---[^\S\n]*+$", re.MULTILINE)
_COLON: Final = re.compile(r"[:=]")
_BEFORE_COLON: Final = re.compile(r"""(?<![\w.-])(?:[\w.-]++\W{1,3})?(?:[\w.-]++\W{1,3})?[\w.-]++\Z""")
_MARKS: Final = " \t\"'*`)]}>"
_LONGEST: Final = 60
"""The most characters around a colon within a line that may belong to a key, or that are checked of its value."""


class KeyLine(NamedTuple):
    """A line that starts with a key: the key, and the text after its colon."""

    key: str
    value: str

    @property
    def restricts(self) -> bool:
        """Whether it may restrict an agent."""
        return may_restrict(self.key, self.value)


def key_line(line: str) -> KeyLine | None:
    """Parse the key at the start of a line of frontmatter; a key of several words only if it restricts."""
    if (match := _KEY.match(line)) and (match["separated"] is not None or is_known(match["key"])):
        return KeyLine(match["key"], line[match.end() :])
    match = _LONG_KEY.match(line)
    return KeyLine(match["key"], line[match.end() :]) if match and restricts(match["key"]) else None


def first_words(text: str) -> frozenset[str]:
    """Find what each line of a text starts with and has a colon behind: all that `key_line` can find, and labels."""
    return frozenset(match["key"] for match in _FIRST_WORD.finditer(text))


def is_code(key: str) -> bool:
    """Whether a key is spelled as in code, and so cannot be a label in prose."""
    return _CODE.fullmatch(key) is not None


def is_known(key: str) -> bool:
    """Whether a key certainly belongs to an agent, whatever is above it."""
    return key in _PLAIN_KEYS or (is_code(key) and restricts(key))


def lost_in_head(lines: Iterator[tuple[int, str]], read: Collection[str]) -> tuple[str, int] | None:
    """Find the first restricting key on a line of its own, among lines of frontmatter from which no key was read.

    Args:
        lines: the lines that YAML read neither as a key nor as part of a text, each with its number.
        read: the top-level keys that were read.
    """
    for number, line in lines:
        seen = visible(line).replace("\t", " ")
        match = _LOOSE_KEY.match(seen) if seen.lstrip()[:1] != "#" else None
        if match and (key := match["key"] or match["complex"]):
            candidate = KeyLine(key, seen[match.end() :])
            if candidate.restricts and not is_label_of(key, read):
                return key, number
    return None


def lost_in_body(body: str, read: Collection[str], *, everywhere: bool) -> tuple[str, int] | None:
    """Find the first restricting key on a line of its own, in instructions with a guessed beginning.

    Args:
        body: the instructions.
        read: the top-level keys that were read.
        everywhere: whether keys written as in code count below prose, too, as in frontmatter that is never closed.

    Returns:
        The key and its 0-based line in the body.
    """
    above_prose, ticks = True, ""
    for number, written in enumerate(body.split("\n")):
        if not written.strip():
            continue
        line = visible(written)
        if fence := re.match(r"\s*(```|~~~)", line):
            ticks = "" if ticks == fence[1] else ticks or fence[1]
        if ticks or not line.strip():
            continue
        parsed = key_line(line.strip() if above_prose else line)
        counts = parsed and (above_prose or (everywhere and is_code(parsed.key)))
        if parsed and counts and parsed.restricts and not is_label_of(parsed.key, read):
            return parsed.key, number
        if parsed is None and line[0] not in " \t" and not line.startswith("- "):
            above_prose = False
            if not everywhere:
                break
    return None


@lru_cache(maxsize=2)  # a conversion is read back for each target, with the same instructions
def restriction_below(body: str) -> tuple[str, int] | None:
    """Find the first restricting key where the instructions start with nothing but keys, up to a second closing fence.

    The first fence may then be part of a multi-line text. Most tools end the frontmatter at it.

    Returns:
        The key and its 0-based line in the body.
    """
    first: tuple[str, int] | None = None
    if not _SECOND_FENCE.search(body):
        return None
    for number, line in enumerate(body.split("\n")):
        if line.rstrip() == "---":
            return first
        key = match["key"] if (match := _KEY.match(line)) and match["separated"] is not None else None
        if key is None and line.strip() and line[0] not in " \t#" and not f"{line} ".startswith("- "):
            return None
        if key and match and may_restrict(key, line[match.end() :]):
            # For keys that restrict with some values only, a label is prose more often than not.
            first = first or ((key, number) if is_code(key) or folded_key(key) in FOREIGN_RESTRICTING else None)
    return None


class KeyWithin(NamedTuple):
    """A key within a line, with the positions where it starts and ends.

    It is clean, so that the line can be split there, where only a colon follows it.
    """

    start: int
    end: int
    key: str
    is_clean: bool = True


def restrictions_within(line: str) -> Iterator[KeyWithin]:
    """Find restricting keys anywhere in one line."""
    for colon in _COLON.finditer(line):
        before = max(0, colon.start() - _LONGEST)
        window = line[before : colon.start()].rstrip(_MARKS)
        end = before + len(window)
        match = _BEFORE_COLON.search(window) if window.rstrip(f"{_MARKS}_")[-1:].isalnum() else None
        if match is None:
            continue
        phrase, first = match[0], before + match.start()
        starts = [0, *(blank.end() for blank in re.finditer(r"[^\w.-]", phrase))]
        for start in starts:
            key = phrase[start:]
            if may_restrict(key, line[colon.end() : colon.end() + _LONGEST]):
                quoted = line[max(0, first + start - 1) : first + start] in ("'", '"')
                clean = colon[0] == ":" and not line[end : colon.start()].strip("\"' \t")
                yield KeyWithin(first + start - quoted, colon.start(), key, clean)
                break


def known_keys_within(line: str) -> Iterator[KeyWithin]:
    """Find keys that certainly belong to an agent anywhere in one line."""
    for match in re.finditer(r"""(?:(?<=[ \t])|^)["']?(?P<key>[^\W\d_][\w-]*+)["']?:(?=[ \t]|$)""", line):
        if is_known(match["key"]):
            yield KeyWithin(match.start(), match.end(), match["key"])


def is_label_of(key: str, read: Collection[str]) -> bool:
    """Whether a key is not written as in code, and the same key was read in such a spelling."""
    return not is_code(key) and any(is_code(one) and folded_key(one) == folded_key(key) for one in read)
