"""Reader and writer, built from a few tables, for tools with plain keys and a list of tools for each agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, Grants, Rule
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key, is_slug
from agentsync.dialects._base import SLUGS, Dialect, Moved, NameRule, Reading, ToolLists, Writing, refused
from agentsync.dialects._kit.fields import Fields, identity, losses, speaks
from agentsync.dialects._kit.foreign_restrictions import report_foreign, without_what_is_foreign
from agentsync.dialects._kit.keys import Key, read_keys, write_keys
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.tool_names import ToolNames, listed, named_in, spell_lists
from agentsync.formats.document import Document
from agentsync.formats.frontmatter import format_markdown, parse_markdown


@dataclass(frozen=True)  # without slots, so that `capabilities` is built once: `narrow` caches by its identity
class TableDialect:
    """A tool with agents that consist of plain keys and a list of tools.

    A tool that also restricts agents in other ways overrides `rules`, `check` and `spell`.

    Attributes:
        name, title: as in Dialect.
        tools: the vocabulary of the lists.
        lists: how the tool reads a list that restricts less than it seems to.
        keys: the fields of Agent that have a key, in the order in which they are written.
        models: the tool's names for models.
        own: the fields of Agent with values in the tool's own terms, which are written for its own agents only.
        native: known keys that mean nothing elsewhere.
        required: the keys without which the tool does not load a file; `prompt` means the instructions.
        names: the names that the tool accepts.
        title_key: the key of what people see instead of the name, if there is one. It keeps a name that is not ASCII.
        tools_key: the key of the list of tools.
        further: other keys that restrict, which a subclass reads and writes.
        invalid: the code for a value of a wrong type: INVALID_VALUE where the tool drops the value, WRONG_TYPE where it
            refuses the file.
        strict: whether the tool refuses a file with a key that it does not know.
        format: metadata and prompt to the file's bytes.
    """

    name: str
    title: str
    tools: ToolNames
    lists: ToolLists
    keys: Mapping[str, Key]
    models: Models = Models()
    own: frozenset[str] = frozenset()
    native: frozenset[str] = frozenset()
    required: tuple[str, ...] = ("name", "description")
    names: NameRule = SLUGS
    title_key: str = ""
    tools_key: str = "tools"
    further: tuple[str, ...] = ()
    invalid: Code = Code.INVALID_VALUE
    strict: bool = False
    format: Callable[[Mapping[str, JsonValue], str], bytes] = format_markdown

    @cached_property
    def capabilities(self) -> Capabilities:
        """The permissions that the lists can express."""
        return self.tools.capabilities()

    @property
    def carries(self) -> frozenset[str]:
        """The fields of Agent that have a key for an agent of any dialect."""
        return (frozenset(self.keys) - self.own) | ({"model"} if self.models.key else frozenset())

    @property
    def restrictions(self) -> frozenset[str]:
        """The keys, folded, that are read as restrictions."""
        return frozenset(folded_key(key) for key in (*self._list_keys(), *self.further))

    def enforced(self, document: Document) -> Grants:
        """The widest grants that the tool may enforce; tools that it has no name for are denied, whatever the list."""
        return Grants((*self.rules(document.metadata, intended=False), *self.capabilities.denials))

    def intended(self, metadata: Mapping[str, JsonValue]) -> Grants:
        """The grants that the author of these keys intended."""
        rules = self.rules(metadata, intended=True) + self.tools.excepted(metadata.get(self.tools_key))
        return Grants(tuple(without_what_is_foreign(rules, metadata, self._known_keys())))

    def rules(self, metadata: Mapping[str, JsonValue], *, intended: bool) -> list[Rule]:
        """The rules of the lists: as their author intended them if `intended`, else as the tool enforces them."""
        rules = self._granted(metadata, intended=intended)
        denied = metadata.get(self.lists.denied) if self.lists.denied else None
        if intended:
            return rules + self.tools.taken(named_in(denied), intended=True)
        return rules if self._mistyped(denied) else rules + self.tools.taken(self.names_in(denied), intended=False)

    def _granted(self, metadata: Mapping[str, JsonValue], *, intended: bool) -> list[Rule]:
        if self.tools_key not in metadata:
            return list(EVERYTHING.rules)
        value = metadata[self.tools_key]
        names = self.names_in(value)
        if names and (not self._mistyped(value) or (intended and isinstance(value, str))):
            known = [name for name in names if self.tools.is_known(name)]
            rules = self.tools.intended(names) if intended else self.tools.granted(known)
            return rules or self._under(self.lists.empty, intended=intended)
        if value is None:
            return self._under(self.lists.null, intended=intended)
        return self._under(self.lists.mistyped if self._mistyped(value) else self.lists.empty, intended=intended)

    def names_in(self, value: JsonValue) -> list[str]:
        """The names of a list as the tool reads them."""
        return [*listed(value, trims=self.lists.trims)]

    @staticmethod
    def _under(meaning: str, *, intended: bool) -> list[Rule]:
        """The rules of a list that names nothing: as the tool reads it, but no tools as its author intended it."""
        return list(EVERYTHING.rules) if meaning == "all" and not intended else []

    def _mistyped(self, value: JsonValue) -> bool:
        """Whether a value is neither a list of names nor, where the tool reads such, a string of names."""
        if value is None or isinstance(value, str):
            return value is not None and not self.lists.strings
        return not (isinstance(value, list) and all(isinstance(item, str) for item in value))

    def _known_keys(self) -> frozenset[str]:
        named = {key.name for key in self.keys.values()}
        return frozenset({*self._list_keys(), *self.further, *self.native, *named, self.models.key})

    def read(self, document: Document, stem: str) -> Reading:
        """As `Dialect.read`."""
        fields = Fields(document, self.invalid)
        name = fields.name(stem, required="name" in self.required)
        description = fields.description(required="description" in self.required)
        self._check_lists(fields)
        self.check(fields)
        model = self.model(fields) if self.models.key else None
        values = read_keys(fields, self.keys)
        if "prompt" in self.required and not document.body.strip():
            fields.report(Code.WRONG_TYPE, f"{self.title} takes no agent without instructions")
        hint = f"write `{self.tools_key}`" if self.tools_key else "leave it to tools that know it"
        report_foreign(fields, self._known_keys(), title=self.title, hint=hint)
        own = {key: fields.raw(key) for key in (*self._list_keys(), *self.further) if fields.has(key)}
        native, unknown = fields.rest(self.native)
        if self.strict and unknown:
            names = ", ".join(f"`{key}`" for key in unknown)
            fields.report(Code.WRONG_TYPE, f"{self.title} refuses a file with keys that it does not know: {names}")
        if name is None or description is None or refused(fields.diagnostics):
            return Reading(None, fields.diagnostics)
        agent = Agent.model_validate(
            {
                "mode": "subagent",
                **identity(name, stem),
                **values,
                "description": description,
                "dialect": self.name,
                "prompt": document.body,
                "grants": self.intended(document.metadata),
                "own_permissions": own,
                "model": self.models.read(model),
                "native": native,
                "unknown": unknown,
            }
        )
        loads = not fields.respelled and self._takes_name(document, name) and self.loads(document)
        return Reading(agent, fields.diagnostics, loads=loads)

    def _takes_name(self, document: Document, name: str) -> bool:
        given = "name" in document.metadata or "name" not in self.required
        return given and self.names.takes(name) and (is_slug(name) or self.names.spelled(name, "") == name)

    def _list_keys(self) -> tuple[str, ...]:
        return tuple(key for key in (self.tools_key, self.lists.denied) if key)

    def _check_lists(self, fields: Fields) -> None:
        for key in self._list_keys():
            value = fields.raw(key)
            if not fields.has(key):
                continue
            if key == self.tools_key and (value is None or self._mistyped(value) or not [*listed(value)]):
                self._check_nothing(fields, value)
            elif self._mistyped(value):
                fields.report(self.invalid, f"`{key}` must be a list of names", key)
            names = self.names_in(value)
            nothing = key == self.tools_key and self.lists.empty == "none" and self.lists.unknown == "dropped"
            if nothing and names and not any(map(self.tools.is_known, names)):
                self._check_nothing(fields, [])
            for name in names:
                if not self.tools.is_known(name):
                    code = Code.WRONG_TYPE if self.lists.unknown == "refused" else Code.UNKNOWN_TOOL
                    verb = "refuses the file" if self.lists.unknown == "refused" else "drops it"
                    fields.report(code, f"{self.title} has no tool `{name}` and {verb}", key)

    def _check_nothing(self, fields: Fields, value: JsonValue) -> None:
        """Report how the tool reads a list that names no tool."""
        lists = self.lists
        kind, meaning = ("is not a list", lists.mistyped) if self._mistyped(value) else ("names no tool", lists.empty)
        if value is None:
            kind, meaning = "is empty", lists.null
        key = self.tools_key
        match meaning:
            case "refused":
                fields.report(Code.WRONG_TYPE, f"`{key}` {kind}, so {self.title} refuses the file", key)
            case "all":
                message = f"`{key}` {kind}, which {self.title} reads as every tool there is"
                fields.report(Code.NO_EFFECT, message, key, hint="leave the key out, or name a tool")
            case "none":
                message = f"`{key}` {kind}, which {self.title} reads as no tools at all"
                fields.report(Code.TOOLS_NONE, message, key)

    def write(self, agent: Agent, options: WriteOptions) -> Writing:
        """As `Dialect.write`."""
        name, diagnostics = self._name(agent)
        known = speaks(agent, self.name)
        diagnostics += losses(agent, self.name, self.carries | (self.own if known else frozenset()))
        missing = [key for key in ("description", "prompt") if key in self.required and not getattr(agent, key).strip()]
        if missing:
            diagnostics.append(Diagnostic(Code.REFUSED_REQUIRED, f"{self.title} needs a {missing[0]}"))
            return Writing(None, tuple(diagnostics))
        own = agent.dialect == self.name
        permissions: dict[str, JsonValue] = dict(agent.own_permissions)
        if not own:
            permissions, permission_diagnostics = self.spell(agent, options)
            diagnostics += permission_diagnostics
        keys = {field: key for field, key in self.keys.items() if known or field not in self.own}
        values, value_diagnostics = write_keys(agent, keys)
        model, model_diagnostics = self.models.write(agent, self.name, options)
        named = "name" in self.required or not own or name != agent.slug
        metadata: dict[str, JsonValue] = {"name": name} if named else {}
        if self.title_key and name != agent.name and not agent.name.isascii():
            metadata[self.title_key] = agent.name
        metadata["description"] = agent.description
        metadata |= permissions
        if model is not None:
            metadata[self.models.key] = model
        metadata |= values
        if known:
            metadata |= {**agent.native, **agent.unknown}
        return Writing(self.format(metadata, agent.prompt), (*diagnostics, *value_diagnostics, *model_diagnostics))

    def _name(self, agent: Agent) -> tuple[str, list[Diagnostic]]:
        name = self.names.spelled(agent.name, agent.slug)
        diagnostics: list[Diagnostic] = []
        if not self.names.takes(name):
            low, high = self.names.low, self.names.high
            message = f"{self.title} takes no agent of the name `{name}`"
            hint = f"use {low} to {high} characters that match `{self.names.pattern}`"
            hint = "it is reserved" if name in self.names.reserved else hint
            diagnostics.append(Diagnostic(Code.REFUSED_REQUIRED, message, hint=hint))
        elif name != agent.name:
            diagnostics.append(Diagnostic(Code.NAME_CHANGED, f"{agent.name!r} is called `{name}` here"))
        return name, diagnostics

    def loads(self, document: Document) -> bool:
        """Whether the tool finds the same keys and instructions in the bytes as they are."""
        del document
        return True

    def model(self, fields: Fields) -> str | None:
        """The tool's name for the agent's model."""
        return fields.text(self.models.key)

    def check(self, fields: Fields) -> None:
        """Report what is wrong beyond the lists and keys; keys that it reads count as known."""

    def spell(self, agent: Agent, options: WriteOptions) -> tuple[dict[str, JsonValue], list[Diagnostic]]:
        """The permission keys for an agent of another dialect, and diagnostics for what they cannot express."""
        narrowed = narrow(agent.grants, self.capabilities, options)
        lists = spell_lists(narrowed, self.tools, denies=bool(self.lists.denied))
        diagnostics = [*narrowed.diagnostics, *lists.diagnostics]
        permissions: dict[str, JsonValue] = {}
        if lists.allowed is not None:
            permissions[self.tools_key] = list[JsonValue](lists.allowed)
            if not lists.allowed and self.lists.empty != "none":
                message = f"no tool is left, and {self.title} reads an empty list as every tool there is"
                diagnostics.append(Diagnostic(Code.REFUSED_WIDER, message))
        if lists.denied:
            permissions[self.lists.denied] = list[JsonValue](lists.denied)
        return permissions, diagnostics

    def dialect(
        self,
        *,
        suffixes: tuple[str, ...] = (".md",),
        user_directory: str,
        project_directories: tuple[str, ...],
        recursive: bool = False,
        binaries: tuple[str, ...],
        version: str,
        source: str,
        score: Callable[[Document], int],
        parse: Callable[[bytes, str], Document] = parse_markdown,
        environment: tuple[Moved, ...] = (),
        also_reads: tuple[str, ...] = (),
        notice: str = "",
    ) -> Dialect:
        """Build the `Dialect` of this tool, which documents the arguments."""
        return Dialect(
            name=self.name,
            title=self.title,
            suffixes=suffixes,
            user_directory=user_directory,
            project_directories=project_directories,
            recursive=recursive,
            binaries=binaries,
            version=version,
            source=source,
            parse=parse,
            score=score,
            read=self.read,
            write=self.write,
            capabilities=self.capabilities,
            enforced=self.enforced,
            restrictions=self.restrictions,
            carries=self.carries,
            lists=self.lists,
            required=self.required,
            names=self.names,
            environment=environment,
            also_reads=also_reads,
            notice=notice,
        )
