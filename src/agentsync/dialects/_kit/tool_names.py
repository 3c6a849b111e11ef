"""A tool's own names for the tools that an agent may use, and lists of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from agentsync.agents.grants import MCP, OTHER, READING, Approval, Rule
from agentsync.agents.narrowing import Capabilities, Narrowed
from agentsync.agents.patterns import ANY, matches
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._kit.intent import excepted, intended_by, known_as

PATH_TOOLS = frozenset({"read", "write", "edit", "notebook", "grep", "glob", "list"})
"""Tools that take a path: with one of them, an agent may reach outside the project, if the session allows it."""


@dataclass(frozen=True, slots=True)
class ServerNames:
    """How a tool joins the names of an MCP server and of one of its tools.

    Attributes:
        prefix: the beginning of such a name.
        separator: the text between the two; `mcp__github__search` has `__`.
        whole: whether a server's name alone means all of its tools.

    A pattern of a server's tools is read and spelled as it is (`github__get_*`). For a tool without patterns, or with
    `*` for a whole server only, a subclass returns None for the others.
    """

    prefix: str
    separator: str
    whole: bool = False

    def spell(self, pattern: str) -> str | None:
        """The tool's name for `mcp/server/tool`; None for more than one server, or a pattern without a tool."""
        server, slash, tool = pattern.removeprefix(MCP).partition("/")
        return f"{self.prefix}{server}{self.separator}{tool}" if slash and ANY not in server else None

    def read(self, name: str) -> str | None:
        """The canonical pattern of a name; None where it does not belong to a server."""
        if not name.startswith(self.prefix):
            return None
        server, separator, tool = name.removeprefix(self.prefix).partition(self.separator)
        if not separator and self.whole and server:
            return f"{MCP}{server}/{ANY}"
        return f"{MCP}{server}/{tool}" if server and tool else None


@dataclass(frozen=True, slots=True)
class ToolNames:
    """A tool's vocabulary.

    Attributes:
        written: the names that are written, each with the canonical tools that it covers.
        read: further names that the tool accepts, each with the canonical tools that it covers, if any.
        gone: names that no longer grant anything; denying one means its former tools.
        everything: the names that mean all tools.
        folds: whether the tool ignores case.
        servers: the form of names of MCP tools; None where a list cannot name any.
    """

    written: Mapping[str, tuple[str, ...]]
    read: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gone: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    everything: frozenset[str] = frozenset({ANY})
    folds: bool = False
    servers: ServerNames | None = None
    _known: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Collect the names that grant something, as they are looked up."""
        known: dict[str, tuple[str, ...]] = {**self.read, **self.written}
        if self.folds:
            known = {key.lower(): tools for key, tools in reversed(known.items())}  # the first one counts
        object.__setattr__(self, "_known", known)

    def capabilities(
        self,
        *,
        asks: frozenset[str] = frozenset(),
        spells: Callable[[str, tuple[Rule, ...]], bool] | None = None,
        overwrites: bool = False,
    ) -> Capabilities:
        """The permissions that a list of these names can express."""
        server_name = self.servers.spell if self.servers else lambda _pattern: None
        plain = Capabilities(units=self.written, asks=asks, server_name=server_name, overwrites=overwrites)
        return replace(plain, spells=spells) if spells else plain

    def tools(self, name: str) -> tuple[str, ...]:
        """The canonical tools and patterns that a name grants; an unknown name stays as it is, below `other/`."""
        if name in self.everything:
            return (ANY,)
        if (known := self._known.get(name.lower() if self.folds else name)) is not None:
            return known
        if self.servers and name == name.strip() and (pattern := self.servers.read(name)):
            return (pattern,)
        return (OTHER + name,)

    def denied(self, name: str) -> tuple[str, ...]:
        """The tools that a denial of this name means, in any case, with arguments, or as another tool's name."""
        bare = name.partition("(")[0].strip().lower()
        known = [*self.gone.items(), *self.read.items(), *self.written.items()]
        is_exact = name in self.written or name in self.read
        own = () if is_exact else (tool for key, tools in known if key.lower() == bare for tool in tools)
        meanings = (*self.tools(name), *own)
        # A name that looks like a server and its tool may mean two tools: `shell/edit`.
        first, slash, _ = name.partition("/")
        several = slash and known_as(first) and any(tool.startswith(MCP) for tool in meanings)
        unclear = several or all(tool.startswith(OTHER) for tool in meanings)
        return (*meanings, *intended_by(name)) if unclear else meanings

    def is_known(self, name: str) -> bool:
        """Whether the name means something to the tool."""
        return not any(tool.startswith(OTHER) for tool in self.tools(name))

    def recognised(self, names: Iterable[str], *, refuses: bool = False) -> Iterator[bool]:
        """The names that are the tool's in its own spelling, as `Dialect.knows`.

        A name that agentsync writes counts twice, since many tools accept those of other tools as well.

        Args:
            names: the names of a list.
            refuses: whether the tool refuses a file with a name that it does not know.
        """
        for name in names:
            if name in self.written:
                yield from (True, True)
            elif name in self.read or name in self.gone or (self.servers and self.servers.read(name)):
                yield True
            elif refuses and not self.is_known(name):
                yield False

    def granted(self, names: Iterable[str]) -> list[Rule]:
        """The rules of a list of tools: those that it names are available, with the session's approval."""
        return available(tool for name in names for tool in self.tools(name))

    def intended(self, names: Iterable[str]) -> list[Rule]:
        """The rules of a list of tools as its author intended it, without the tools that it excepts."""
        given, _ = excepted(names)
        return self.granted(given)

    def excepted(self, value: JsonValue) -> list[Rule]:
        """The denials of the tools that a list excepts; they come after all rules that grant."""
        _, excluded = excepted(listed(value))
        return self.intended_denials([*excluded, *nested_in(value)])

    def denials(self, names: Iterable[str]) -> list[Rule]:
        """The rules of a list of denied tools as the tool enforces them."""
        return _denying(tool for name in names for tool in self.tools(name))

    def intended_denials(self, names: Iterable[str]) -> list[Rule]:
        """The rules of a list of denied tools as its author may have intended them, where that is more."""
        return _denying(tool for name in names for tool in self.denied(name))


def _denying(tools: Iterable[str]) -> list[Rule]:
    return [Rule(tool, Approval.DENY) for tool in dict.fromkeys(tools)]


def available(tools: Iterable[str]) -> list[Rule]:
    """The rules that make these canonical tools and patterns available, with the session's approval."""
    tools = list(dict.fromkeys(tools))
    rules = [Rule(tool, Approval.SESSION) for tool in tools]
    if ANY in tools or any(tool in PATH_TOOLS for tool in tools):
        rules.append(Rule("external_directory", Approval.SESSION))
    return rules


def listed(value: JsonValue, *, trims: bool = True) -> Iterator[str]:
    """The names of a list, or of one string with commas between them; anything else holds none.

    Args:
        value: the list.
        trims: whether names in a list lose the blanks around them, as those in a string always do.
    """
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            parts = [text] if isinstance(value, list) else text.split(",")
            untrimmed = isinstance(value, list) and not trims
            yield from (part if untrimmed else name for part in parts if (name := part.strip()))


def nested_in(value: JsonValue) -> list[str]:
    """The names in maps and lists within a list, which no tool reads: they are not granted, whatever their values."""
    inner = [item for item in value if isinstance(item, dict | list)] if isinstance(value, list) else []
    return [name for item in inner for name in (*(item if isinstance(item, dict) else ()), *named_in(item))]


def named_in(value: JsonValue) -> Iterator[str]:
    """The names in a value of any form; those of a map are its keys, unless they are switched off."""
    match value:
        case str():
            yield from listed(value)
        case list():
            for item in value:
                yield from [item] if isinstance(item, str) else named_in(item)
        case dict():
            for key, inner in value.items():
                yield from () if inner is False else (key, *named_in(inner))
        case _:
            pass


@dataclass(frozen=True, slots=True)
class ListedTools:
    """Lists of tools that express narrowed grants.

    Attributes:
        allowed: the complete list; None where every tool is granted.
        denied: the names that are denied, for tools that have such a list.
        diagnostics: reports of what the lists cannot express.
    """

    allowed: list[str] | None
    denied: list[str]
    diagnostics: list[Diagnostic]


def spell_lists(narrowed: Narrowed, names: ToolNames, *, denies: bool) -> ListedTools:
    """The lists that grant exactly what was narrowed.

    Args:
        narrowed: the levels of the tool's units and servers.
        names: the tool's vocabulary.
        denies: whether the tool also has a list of denied tools; without one, a denial makes the list complete.
    """
    levels = {**narrowed.units, **narrowed.servers}
    diagnostics: list[Diagnostic] = []
    closed = narrowed.default is Approval.DENY
    if not closed and not denies and not all(levels.values()):
        message = "only a complete list can take a tool away here, so tools that it does not name are left out"
        diagnostics.append(Diagnostic(Code.TOOL_LOST, message))
        closed = True
    allowed = [name for name, level in levels.items() if level]
    holes = [name for name, level in narrowed.servers.items() if not level]
    if not denies:
        mixed = [name for name in allowed if any(matches(name, hole) or matches(hole, name) for hole in holes)]
        allowed = [name for name in allowed if name not in mixed]
        diagnostics += [
            Diagnostic(Code.GLOB_NARROWED, f"`{name}` is refused in part, so it is left out") for name in mixed
        ]
    else:
        granted = [name for name, level in narrowed.servers.items() if level]
        swallowed = [name for name in granted if any(matches(hole, name) for hole in holes)]
        allowed = [name for name in allowed if name not in swallowed]
        message = "is left out: a denial covers it, and counts before what is granted"
        diagnostics += [Diagnostic(Code.TOOL_LOST, f"`{name}` {message}") for name in swallowed]
    # A complete list needs no denials but those that cut a hole into a server's pattern.
    denied = [name for name, level in levels.items() if not level and not (closed and name in narrowed.units)]
    freed = [name for name, level in levels.items() if level is Approval.ALLOW and _changes(name, names)]
    if freed:
        shown = ", ".join(f"`{name}`" for name in freed)
        message = f"allowed by the source, left to the user's own settings here: {shown}"
        diagnostics.append(Diagnostic(Code.APPROVAL_NARROWED, message))
    return ListedTools(allowed if closed else None, denied if denies else [], diagnostics)


def _changes(name: str, names: ToolNames) -> bool:
    return not READING.issuperset(names.written.get(name, (name,)))
