"""Text in, text out: where frontmatter stands when its fences are wrong, and its entries when its YAML is.

Nothing here reads YAML. What is cut or grouped here is read by agentsync.frontmatter, which refuses what is
unsafe however it was found. No cut may hide a key: a lost `tools` line would give an agent every tool. So every key
that restricts, in any spelling, starts an entry of its own, and `lost_restriction` finds the ones that did not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from textwrap import dedent
from typing import TYPE_CHECKING

from agentsync.diagnostics import Code
from agentsync.key_effects import restricts
from agentsync.naming import folded_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# The other top-level keys that the tools' documentation names, and the ones that authors commonly add.
_PLAIN_KEYS = frozenset(
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

_FENCE = re.compile(r"---[ \t]*\r?\n")
# The opening fence's own line end is where the search starts, so that empty frontmatter is found too.
_CLOSE = re.compile(r"\n---[ \t]*(?:\r?\n|\Z)")
_ODD_CLOSE = re.compile(r"\n(?:-{4,}|\.{3}|[–—─━]{3,})[ \t]*(?:\r?\n|\Z)")  # noqa: RUF001 (word processors draw these)
_KEY = re.compile(r"""["']?(?P<key>[^\W\d_][\w-]*+)["']?[ \t]*+:(?P<separated>\s|$)?""")
# A key of several words, or with dots. The bound keeps the search short, and is longer than any key of that kind.
_LONG_KEY = re.compile(r"""["']?(?P<key>[^\W\d_][\w. -]{0,40}?)["']?[ \t]*+:(?P<separated>\s|$)?""")
_FLAT_CLOSE = re.compile(r" ---(?=[ \t\r]|$)")
_FLAT_KEY = re.compile(r"""(?:(?<=[ \t])|^)["']?(?P<key>[^\W\d_][\w.-]*+)["']?:(?=[ \t]|$)""")
_WORDS_BEFORE = re.compile(r"(?:[\w-]++ ){1,2}\Z")
# A key in a line of its own, also as the item of a list, in quotes or printed bold.
_KEY_IN_LINE = re.compile(r"\W*+(?P<key>\w[\w. -]{0,40}?)[^\w:]*+:")
_LINE_END = re.compile("\r\n?|[\n\x85\u2028\u2029]")
_BLANK_LINES = re.compile(r"(?:[ \t]*+\r?\n)++")
_CODE_FENCED = re.compile(
    r"(?P<before>(?:#[^\n]*+\n|[ \t]*+\r?\n)*+)(?P<ticks>`{3,}+|~{3,}+)\w*[ \t]*\r?\n"
    r"(?P<fenced>---[ \t]*\r?\n.*?\n---[ \t]*\r?\n)(?P=ticks)[ \t]*(?:\r?\n|\Z)",
    re.DOTALL,
)
_STAR_KEY = re.compile(r"""^([ \t]+(?:- )?)(\*[^:"'\n]*)(?=:(?:\s|$))""", re.MULTILINE)
_STAR_VALUE = re.compile(r"""((?::|^[ \t]*-)[ \t]+)(\*[^\s"'\[\]{},]*)[ \t]*$""", re.MULTILINE)
_MAX_ENTRIES = 200
_LONGEST_WORDS = 40
"""How many characters before a colon may belong to a key of several words."""

_GUESSED_ENDS = frozenset({Code.CLOSING_FENCE, Code.UNCLOSED, Code.FLATTENED})


@dataclass(frozen=True, slots=True)
class Split:
    """Frontmatter and body, told apart.

    Attributes:
        head: the YAML between the fences, its lines ended by line feeds.
        body: what follows the closing fence.
        line: 1-based line of the file at which the head starts.
        found: what was wrong, each with its line.
        flat: whether the whole head stood on that one line.
    """

    head: str
    body: str
    line: int = 2
    found: tuple[tuple[Code, int], ...] = ()
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """The lines that belong to one top-level key; `line` counts from 0 in the head."""

    key: str
    line: int
    text: str
    has_prose: bool

    def readings(self) -> Iterator[str]:
        """What may be tried as YAML: the text itself, then with tabs and bare `*` made what they were meant to be."""
        if self.has_prose:
            return
        yield self.text
        indents = {line[:1] for line in self.text.split("\n")[1:] if line.strip()}
        # Tabs beside spaces have no certain depth, and the depth of a permission is its meaning.
        untabbed = re.sub(r"^\t+", lambda tabs: "  " * len(tabs[0]), self.text, flags=re.MULTILINE)
        text = self.text if " " in indents else untabbed
        if text != self.text:
            yield text
        starred = _STAR_VALUE.sub(r'\1"\2"', _STAR_KEY.sub(r'\1"\2"', text))
        if starred != text:
            yield starred

    def lost_restriction(self) -> str:
        """A key that restricts within the text of another key's value; empty where there is none.

        A description is prose and may speak of such keys.
        """
        keys = () if self.key == "description" else _flat_keys(self.text.partition(":")[2])
        return next((key for _, key in keys if restricts(key)), "")

    def raw(self) -> str:
        """The value as it stands, without its quotes, block indicator and indentation."""
        first, _, more = self.text.partition(":")[2].partition("\n")
        first, more = first.strip(), dedent(more).rstrip()
        if more and re.fullmatch(r"[|>][-+0-9]*", first):
            first = ""
        value = f"{first}\n{more}".strip()
        quote = value[:1]
        if len(value) > 1 and quote in ("'", '"') and value.endswith(quote):
            return value[1:-1].replace("''", "'") if quote == "'" else value[1:-1].replace('\\"', '"')
        return value


def split(text: str) -> Split | None:
    """Cuts at two lines of exactly `---`, the first of which starts the text."""
    opening = _FENCE.match(text)
    closing = opening and _CLOSE.search(text, opening.end() - 1)
    return _cut(text, opening.end(), closing) if opening and closing else None


def splits(text: str) -> list[Split]:
    """Every way to cut a text whose plain reading failed, the likeliest first."""
    text, dropped, found = _unwrap(text)
    opening = _FENCE.match(text)
    if opening is None:
        ways = [_flattened(text)]
    else:
        exact = split(text)
        one_line = exact and _flattened_head(exact)
        ways = [one_line, _odd_close(text, opening.end(), exact), _unclosed(text, opening.end(), exact), exact]
    return [
        replace(
            way,
            line=way.line + dropped,
            found=(*found, *((code, line + dropped) for code, line in way.found)),
        )
        for way in ways
        if way is not None
    ]


def entries(head: str) -> list[Entry]:
    """Groups lines under their top-level keys; empty when there is no known key, or prose before the first key.

    After `description`, what is no known key continues it: examples hold lines such as `user: "..."`.
    """
    groups: list[tuple[str, int, list[str]]] = []
    for number, line in enumerate(head.split("\n")):
        key = _key_of(line)
        if key and (_is_known(key) or not _in_description(groups)):
            groups.append((key, number, [line]))
        elif groups:
            groups[-1][2].append(line)
        elif line.strip() and not line.startswith("#"):
            return []
    if len(groups) > _MAX_ENTRIES or not any(_is_known(key) for key, _, _ in groups):
        return []
    return [
        Entry(key, number, "\n".join(lines), has_prose=key == "description" and any(map(_is_prose, lines[1:])))
        for key, number, lines in groups
    ]


def lost_restriction(text: str, cut: Split, keys: Collection[str]) -> tuple[str, int] | None:
    """The first key that restricts, starts a line of its own, and was not read; with its 1-based line.

    Where the end of the frontmatter was guessed, the body is searched as well.

    Args:
        text: the whole file.
        cut: how it was repaired.
        keys: every key that was read from it, at any depth.
    """
    read = {folded_key(key) for key in keys}
    head = text.removesuffix(cut.body)
    is_guessed = any(code in _GUESSED_ENDS for code, _ in cut.found)
    above = _LINE_END.split(head)
    below = _LINE_END.split(cut.body) if is_guessed and head != text else []
    matches = ((number, _KEY_IN_LINE.match(line)) for number, line in enumerate(above, start=1))
    found = [(number, match["key"]) for number, match in matches if match]
    # The last line of the head has no text of its own, unless the body starts on it.
    found += [(number, key) for number, line in enumerate(below, start=len(above)) if (key := _key_of(line.strip()))]
    lost = ((key, number) for number, key in found if restricts(key) and folded_key(key) not in read)
    return next(lost, None)


def restriction_below(body: str) -> tuple[str, int] | None:
    """The first key that restricts where the body begins with keys alone, up to a second closing fence.

    The first fence may then be part of a text of several lines. Most tools end the frontmatter at it.

    Returns:
        The key, and the 0-based line of the body that it is on.
    """
    found: tuple[str, int] | None = None
    for number, line in enumerate(body.splitlines()):
        if line.rstrip() == "---":
            return found
        key = _key_of(line)
        if key is None and line.strip() and line[0] not in " \t#" and not f"{line} ".startswith("- "):
            return None
        if key and restricts(key):
            found = found or (key, number)
    return None


def _key_of(line: str) -> str | None:
    """The key that a line starts with."""
    if (match := _KEY.match(line)) and (_is_known(match["key"]) or match["separated"] is not None):
        return match["key"]
    match = _LONG_KEY.match(line)
    return match["key"] if match and restricts(match["key"]) else None


def _is_known(key: str) -> bool:
    """Whether agents have such a key; one that restricts is known in every spelling."""
    return key in _PLAIN_KEYS or restricts(key)


def _in_description(groups: list[tuple[str, int, list[str]]]) -> bool:
    return bool(groups) and groups[-1][0] == "description"


def _is_prose(line: str) -> bool:
    return line[:1] not in ("", " ", "\t", "\r")


def _unwrap(text: str) -> tuple[str, int, tuple[tuple[Code, int], ...]]:
    """The text with its fence first, how many lines stood before that, and what was wrong."""
    found: list[tuple[Code, int]] = []
    blank = _BLANK_LINES.match(text)
    rest = text[blank.end() :] if blank else text
    dropped = blank[0].count("\n") if blank else 0
    if rest.lstrip(" \t").startswith("---"):
        if blank:
            found.append((Code.LEADING_BLANK, 1))
        if rest[0] != "-":
            rest = dedent(rest)
            found.append((Code.INDENTED, dropped + 1))
        return rest, dropped, tuple(found)
    fenced = _CODE_FENCED.match(text)
    if fenced:
        line = text.count("\n", 0, fenced.start("fenced"))
        return fenced["fenced"] + fenced["before"] + text[fenced.end() :], line, ((Code.CODE_FENCED, line),)
    return text, 0, ()


def _cut(text: str, start: int, closing: re.Match[str], *found: tuple[Code, int]) -> Split:
    return Split(_lines(text[start : closing.start() + 1]), text[closing.end() :], found=found)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n") if "\r" in text else text


def _odd_close(text: str, start: int, exact: Split | None) -> Split | None:
    closing = _ODD_CLOSE.search(text, start - 1)
    if closing is None:
        return None
    cut = _cut(text, start, closing, (Code.CLOSING_FENCE, text.count("\n", 0, closing.start() + 1) + 1))
    return None if exact and not _holds_all_keys(cut.head, exact.head) else cut


def _unclosed(text: str, start: int, exact: Split | None) -> Split | None:
    """Ends the frontmatter at the first blank line that prose follows.

    A fence further down may be a rule in the prompt, so this is tried even where there is one; but then not after
    a description, which is known to go on below a blank line.
    """
    lines = text[start:].split("\n")
    fence = exact.head.count("\n") if exact else -1
    last, end, blank = "", 0, False
    for index, line in enumerate(lines):
        if index == fence:
            return None
        key = _key_of(line)
        if key and (_is_known(key) or not blank):
            last, end, blank = key, index + 1, False
        elif not line.strip():
            blank = True
        elif blank and _is_prose(line):
            break
        else:
            end = index + 1
    head = _lines("\n".join(lines[:end]) + "\n")
    if not last or (exact and last == "description") or not _holds_all_keys(head, exact.head if exact else text):
        return None
    return Split(head, "\n".join(lines[end:]), found=((Code.UNCLOSED, end + 1),))


def _holds_all_keys(head: str, text: str) -> bool:
    return _known_keys(text) <= _known_keys(head)


def _known_keys(text: str) -> set[str]:
    keys = (key for line in text.split("\n") if (key := _key_of(line)) and _is_known(key))
    return {folded_key(key) if restricts(key) else key for key in keys}


def _flattened(text: str) -> Split | None:
    """Frontmatter on one line, and perhaps the whole file: cut before each known key."""
    line, _, rest = text.partition("\n")
    ends = list(_FLAT_CLOSE.finditer(line, 4))
    if not line.startswith("--- ") or not ends:
        return None
    span, beyond = line[4 : ends[0].start()], line[ends[0].end() : ends[-1].end()]
    head, names = _unflattened(span)
    # A key after what may be a rule in the description leaves open what it was.
    if not head or not {key for _, key in _flat_keys(beyond)} <= names:
        return None
    same_line = line[ends[0].end() :].strip()
    return Split(head, f"{same_line}\n{rest}" if same_line else rest, line=1, found=((Code.FLATTENED, 1),), flat=True)


def _flattened_head(exact: Split) -> Split | None:
    """Frontmatter of which all keys are on one line between its fences."""
    line = exact.head.removesuffix("\n")
    head, names = _unflattened(line) if "\n" not in line else ("", frozenset())
    return replace(exact, head=head, found=((Code.FLATTENED, exact.line),), flat=True) if len(names) > 1 else None


def _unflattened(span: str) -> tuple[str, frozenset[str]]:
    """A head of one line with a line for each known key, and these keys; neither where a key is there twice."""
    span = span.strip()
    keys = _flat_keys(span)
    names = frozenset(key for _, key in keys)
    if not keys or keys[0][0] or len(names) < len(keys):
        return "", frozenset()
    starts = [start for start, _ in keys]
    lines = [span[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return "".join(f"{line}\n" for line in lines), names


def _flat_keys(text: str) -> list[tuple[int, str]]:
    """The known keys within one line, each with the place where it starts; of several words where these restrict."""
    found: list[tuple[int, str]] = []
    for match in _FLAT_KEY.finditer(text):
        start, key = match.start(), match["key"]
        before = _WORDS_BEFORE.search(text, max(0, start - _LONGEST_WORDS), start)
        words = before[0].split() if before else []
        for count in range(len(words), 0, -1):
            phrase = " ".join((*words[-count:], key))
            if restricts(phrase):
                start, key = start - len(phrase) + len(key), phrase
                start -= text[max(0, start - 1) : start] in ("'", '"')
                break
        if _is_known(key):
            found.append((start, key))
    return found
