"""The permissions of a tool whose agents have a list of tools, and perhaps one of denied tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, Grants, Rule
from agentsync.agents.key_effects import Meaning, meaning
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key
from agentsync.dialects._base import ToolLists
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.permission_codec import PermissionCodec, Permissions, as_they_are
from agentsync.dialects._kit.tool_names import ToolNames, listed, named_in, spell_lists
from agentsync.formats.document import Document

_SERVERS: Final = meaning(Meaning.SERVERS)


@dataclass(frozen=True)  # without slots, so that `capabilities` is built once: `narrow` caches by its identity
class ToolList:
    """Lists of tools, and how the tool reads them.

    A tool that also restricts agents in other ways overrides `intended_rules`, `enforced_rules`, `check` and `write`,
    and names the keys for that in `further`; one that can ask before a call overrides `capabilities` as well, with
    `ToolNames.capabilities(asks=...)`. What a mode allows counts as enforced for the tools that it certainly covers,
    and as intended it restricts all that it may.

    Attributes:
        tools: the vocabulary of the lists.
        lists: how the tool reads a list that restricts less than it seems to.
        tools_key: the key of the list of tools; empty where there is none.
        further: other keys that restrict, which a subclass reads and writes.
        overwrites: as in Capabilities.
        uses_effects: as in Dialect.
    """

    tools: ToolNames
    lists: ToolLists
    tools_key: str = "tools"
    further: tuple[str, ...] = ()
    overwrites: bool = False
    uses_effects: bool = False

    @cached_property
    def capabilities(self) -> Capabilities:
        """The permissions that the lists can express."""
        return self.tools.capabilities(overwrites=self.overwrites)

    @property
    def keys(self) -> frozenset[str]:
        """The keys that are read as restrictions."""
        return frozenset((*self._list_keys(), *self.further))

    @property
    def codec(self) -> PermissionCodec:
        """The codec for these lists."""
        return PermissionCodec(
            keys=self.keys,
            capabilities=self.capabilities,
            intended=self.intended,
            enforced=self.enforced,
            write=self.write,
            remedy=f"write `{self.tools_key}`" if self.tools_key else "leave it to tools that know it",
            check=self._check_all,
            own=self.own,
            knows=self.knows,
            guarded_tools=self.guarded_tools,
            lists=self.lists,
            uses_effects=self.uses_effects,
        )

    def intended(self, metadata: Mapping[str, JsonValue]) -> Grants:
        """The grants that the author of these keys intended."""
        return Grants((*self.intended_rules(metadata), *self.tools.excepted(metadata.get(self.tools_key))))

    def enforced(self, document: Document) -> Grants:
        """The widest grants that the tool may enforce; tools that it has no name for are denied, whatever the list."""
        return Grants((*self.enforced_rules(document.metadata), *self.capabilities.denials))

    def intended_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        """The rules of the lists as their author intended them: a list that names nothing grants nothing."""
        denied = metadata.get(self.lists.denied) if self.lists.denied else None
        return self._intended_list(metadata) + self.tools.intended_denials(named_in(denied))

    def _intended_list(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        if self.tools_key not in metadata:
            return list(EVERYTHING.rules)
        value = metadata[self.tools_key]
        return self.tools.intended(self.names_in(value)) if isinstance(value, str) or not self.mistyped(value) else []

    def enforced_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        """The rules of the lists as the tool enforces them."""
        denied = metadata.get(self.lists.denied) if self.lists.denied else None
        taken = [] if self.mistyped(denied) else self.tools.denials(self.names_in(denied))
        return self._enforced_list(metadata) + taken

    def _enforced_list(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        if self.tools_key not in metadata:
            return list(EVERYTHING.rules)
        value = metadata[self.tools_key]
        if value is None:
            meaning = self.lists.null
        elif self.mistyped(value):
            meaning = self.lists.mistyped
        elif rules := self.tools.granted(filter(self.tools.is_known, self.names_in(value))):
            return rules
        else:
            meaning = self.lists.empty
        return list(EVERYTHING.rules) if meaning == "all" else []

    def names_in(self, value: JsonValue) -> list[str]:
        """The names of a list as the tool reads them."""
        return [*listed(value, trims=self.lists.trims)]

    def mistyped(self, value: JsonValue) -> bool:
        """Whether a value is neither a list of names nor, where the tool reads such, a string of names."""
        if value is None or isinstance(value, str):
            return value is not None and not self.lists.strings
        return not (isinstance(value, list) and all(isinstance(item, str) for item in value))

    def own(self, fields: Fields, keys: frozenset[str]) -> dict[str, JsonValue]:
        """The keys as they are, but for names in a list for which the tool would refuse the file."""
        own = as_they_are(fields, keys)
        value = own.get(self.tools_key)
        if self.lists.unknown == "refused" and isinstance(value, list):
            own[self.tools_key] = [name for name in value if self.tools.is_known(str(name))]
        return own

    def knows(self, key: str, value: JsonValue) -> Iterable[bool]:
        """As `PermissionCodec.knows`."""
        if key in self.further and folded_key(key) in _SERVERS:
            return (False,) if self.mistyped(value) else ()  # other tools define servers there
        if key not in self._list_keys() or value is None:
            return ()
        if self.mistyped(value):
            return (False,)
        return self.tools.recognised(self.names_in(value), refuses=self.lists.unknown == "refused")

    def guarded_tools(self, name: str) -> Iterable[str]:
        """As `Dialect.guarded_tools`."""
        return self.tools.denied(name)

    def _list_keys(self) -> tuple[str, ...]:
        return tuple(key for key in (self.tools_key, self.lists.denied) if key)

    def _check_all(self, fields: Fields) -> None:
        for key in self._list_keys():
            if fields.has(key):
                self._check_list(fields, key)
        self.check(fields)

    def check(self, fields: Fields) -> None:
        """Report what is wrong beyond the lists."""

    def _check_list(self, fields: Fields, key: str) -> None:
        value, is_main = fields.raw(key), key == self.tools_key
        if is_main and (value is None or self.mistyped(value) or not [*listed(value)]):
            self.check_nothing(fields, value)
        elif self.mistyped(value):
            fields.wrong_type(key, "a list of names")
        names = self.names_in(value)
        nothing = is_main and self.lists.empty == "none" and self.lists.unknown == "dropped"
        if nothing and names and not any(map(self.tools.is_known, names)):
            self.check_nothing(fields, [])
        for name in names:
            if not self.tools.is_known(name):
                verb = "drops it"
                if self.lists.unknown == "refused":
                    verb, fields.respelled = "refuses a file with it, so it is left out", True
                fields.report(Code.UNKNOWN_TOOL, f"{fields.title} has no tool `{name}` and {verb}", key)

    def check_nothing(self, fields: Fields, value: JsonValue) -> None:
        """Report how the tool reads a list that names no tool."""
        lists, key, title = self.lists, self.tools_key, fields.title
        kind, meaning = ("is not a list", lists.mistyped) if self.mistyped(value) else ("names no tool", lists.empty)
        if value is None:
            kind, meaning = "is empty", lists.null
        match meaning:
            case "refused":
                fields.report(Code.WRONG_TYPE, f"`{key}` {kind}, so {title} refuses the file", key)
            case "all":
                message = f"`{key}` {kind}, which {title} reads as every tool there is"
                fields.report(Code.NO_EFFECT, message, key, hint="leave the key out, or name a tool")
            case "none":
                fields.report(Code.TOOLS_NONE, f"`{key}` {kind}, which {title} reads as no tools at all", key)

    def write(self, agent: Agent, options: WriteOptions) -> Permissions:
        """The keys for an agent of another dialect, and diagnostics for what they cannot express."""
        narrowed = narrow(agent.grants, self.capabilities, options)
        lists = spell_lists(narrowed, self.tools, denies=bool(self.lists.denied))
        diagnostics = [*narrowed.diagnostics, *lists.diagnostics]
        permissions: dict[str, JsonValue] = {}
        if lists.allowed is not None:
            permissions[self.tools_key] = list[JsonValue](lists.allowed)
            if not lists.allowed and self.lists.empty != "none":
                message = "no tool is left, and an empty list means every tool here"
                diagnostics.append(Diagnostic(Code.REFUSED_WIDER, message))
        if lists.denied:
            permissions[self.lists.denied] = list[JsonValue](lists.denied)
        return permissions, diagnostics
