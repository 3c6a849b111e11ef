"""Text in, text out: where frontmatter stands when its fences are wrong, and its entries when its YAML is.

Nothing here reads YAML. What is cut or grouped here is read by agentsync.frontmatter, which refuses what is
unsafe however it was found. No cut may hide a key: a lost `tools` line would give an agent every tool.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from textwrap import dedent
from typing import TYPE_CHECKING

from agentsync.diagnostics import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

# The top-level keys that the tools' documentation names, and the ones that authors commonly add.
KNOWN_KEYS = frozenset(
    """
    name description tools model color disallowedTools permissionMode effort mcpServers hooks maxTurns skills
    initialPrompt memory background isolation observer observerMessage observeToolResults observeSubagents omitClaudeMd
    autoCompactWindow experimental
    mode permission permissions variant temperature top_p steps maxSteps hidden disable options reasoningEffort
    textVerbosity prompt
    developer_instructions nickname_candidates model_provider model_reasoning_effort model_reasoning_summary
    model_verbosity sandbox_mode approval_policy web_search personality service_tier
    kind display_name mcp_servers max_turns timeout_mins agent_card_url agent_card_json auth
    approvalMode runConfig executor executionBackend
    mcp-servers model-policy reasoning-effort user-invocable user-invokable disable-model-invocation
    include-custom-instructions deferred-tool-loading strict-tools-list target metadata argument-hint handoffs agents
    infer
    providerId modelId maxIterations
    readonly is_background
    toolAliases allowedTools toolsSettings resources keyboardShortcut welcomeMessage
    disabled_tools enabled_tools safety agent_type instructions active_model
    reasoningLevel slug roleDefinition groups whenToUse customInstructions
    allowed-tools license compatibility version author category emoji vibe tags id role tier
    """.split()
)

_FENCE = re.compile(r"---[ \t]*\r?\n")
# The opening fence's own line end is where the search starts, so that empty frontmatter is found too.
_CLOSE = re.compile(r"\n---[ \t]*(?:\r?\n|\Z)")
_ODD_CLOSE = re.compile(r"\n(?:-{4,}|\.{3}|[–—─━]{3,})[ \t]*(?:\r?\n|\Z)")  # noqa: RUF001 (word processors draw these)
_KEY = re.compile(r"""["']?([A-Za-z][\w-]*)["']?[ \t]*:(\s|$)?""")
_FLAT_CLOSE = re.compile(r" ---(?=[ \t\r]|$)")
_FLAT_KEY = re.compile(r"(?:(?<=[ \t])|^)([A-Za-z][\w-]*):(?=[ \t]|$)")
_BLANK_LINES = re.compile(r"(?:[ \t]*+\r?\n)++")
_CODE_FENCED = re.compile(
    r"(?P<before>(?:#[^\n]*+\n|[ \t]*+\r?\n)*+)(?P<ticks>`{3,}+|~{3,}+)\w*[ \t]*\r?\n"
    r"(?P<fenced>---[ \t]*\r?\n.*?\n---[ \t]*\r?\n)(?P=ticks)[ \t]*(?:\r?\n|\Z)",
    re.DOTALL,
)
_STAR_KEY = re.compile(r"""^([ \t]+(?:- )?)(\*[^:"'\n]*)(?=:(?:\s|$))""", re.MULTILINE)
_STAR_VALUE = re.compile(r"""((?::|^[ \t]*-)[ \t]+)(\*[^\s"'\[\]{},]*)[ \t]*$""", re.MULTILINE)
_MAX_ENTRIES = 200


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
        ways = [_odd_close(text, opening.end(), exact), _unclosed(text, opening.end(), exact), exact]
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
        match = _KEY.match(line)
        if match and (match[1] in KNOWN_KEYS or (match[2] is not None and not _in_description(groups))):
            groups.append((match[1], number, [line]))
        elif groups:
            groups[-1][2].append(line)
        elif line.strip() and not line.startswith("#"):
            return []
    if len(groups) > _MAX_ENTRIES or not any(key in KNOWN_KEYS for key, _, _ in groups):
        return []
    return [
        Entry(key, number, "\n".join(lines), has_prose=key == "description" and any(map(_is_prose, lines[1:])))
        for key, number, lines in groups
    ]


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
        key = _KEY.match(line)
        if key and (key[1] in KNOWN_KEYS or not blank):
            last, end, blank = key[1], index + 1, False
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
    return {key[1] for line in text.split("\n") if (key := _KEY.match(line)) and key[1] in KNOWN_KEYS}


def _flattened(text: str) -> Split | None:
    """Frontmatter on one line, and perhaps the whole file: cut before each known key."""
    line, _, rest = text.partition("\n")
    ends = list(_FLAT_CLOSE.finditer(line, 4))
    if not line.startswith("--- ") or not ends:
        return None
    span = line[4 : ends[0].start()].strip()
    keys = [key for key in _FLAT_KEY.finditer(span) if key[1] in KNOWN_KEYS]
    names = {key[1] for key in keys}
    hidden = {key[1] for key in _FLAT_KEY.finditer(line[ends[0].end() : ends[-1].end()])} & KNOWN_KEYS
    # A key that stands twice, or after what may be a rule in the description, leaves open what it was.
    if not keys or keys[0].start() or len(names) < len(keys) or hidden - names:
        return None
    starts = [key.start() for key in keys]
    head = "".join(span[start:end].strip() + "\n" for start, end in zip(starts, [*starts[1:], None], strict=True))
    same_line = line[ends[0].end() :].strip()
    return Split(head, f"{same_line}\n{rest}" if same_line else rest, line=1, found=((Code.FLATTENED, 1),), flat=True)
