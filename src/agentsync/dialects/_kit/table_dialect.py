"""Reader and writer, built from a few tables and a permission codec, for tools with plain keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal

from pydantic import JsonValue

from agentsync.agents.key_effects import KeyEffect
from agentsync.agents.model import Agent, Mode
from agentsync.agents.narrowing import WriteOptions
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import is_slug
from agentsync.dialects._base import (
    SLUGS,
    Dialect,
    Moved,
    NameRule,
    Reading,
    Recognition,
    Review,
    SettingsFile,
    SharedFile,
    Writing,
    refused,
)
from agentsync.dialects._kit.fields import Fields, identity, losses, meant_as, speaks, unknown_keys
from agentsync.dialects._kit.keys import Key, read_keys, write_keys
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import PermissionCodec
from agentsync.formats.document import Document
from agentsync.formats.frontmatter import format_markdown, parse_markdown


@dataclass(frozen=True, slots=True)
class TableDialect:
    """A tool with agents that consist of plain keys and instructions.

    A tool that differs overrides a method: `check` and `loads` most often, `read` and `write` where its instructions
    are more than text.

    Attributes:
        name, title: as in Dialect.
        permissions: how the tool restricts an agent.
        keys: the fields of Agent that have a key, in the order in which they are written.
        models: the tool's names for models.
        own: the fields of Agent with values in the tool's own terms, which are written for its own agents only.
        native: known keys that mean nothing elsewhere.
        required: the keys without which the tool does not load a file; `prompt` means the instructions.
        names: the names that the tool accepts.
        name_key: what the key `name` is to the tool. "checked": a name that it does not accept keeps the file from
            loading. "free": any name loads, and its own agents keep theirs. "ignored": the file's name counts, so any
            name loads; the key is written only where its value is another than the file's name. "unread": the same,
            and the key is not the agent's name for people either.
        mode: the mode of every agent, unless there is a key for it; None where an agent can be started in any way.
        prompt_key: the key of the instructions; empty where they are the text below the keys.
        longest: the most characters that instructions for the tool may have.
        title_key: the key of what people see instead of the name, if there is one. It keeps a name that is not ASCII.
        invalid: the code for a value of a wrong type: INVALID_VALUE where the tool drops the value, LEFT_OUT where it
            refuses the file.
        strict: whether the tool refuses a file with a key that it does not know.
        runs_hooks: as in Dialect.
        format: metadata and prompt to the file's bytes.
    """

    name: str
    title: str
    permissions: PermissionCodec
    keys: Mapping[str, Key]
    models: Models = Models()
    own: frozenset[str] = frozenset()
    native: frozenset[str] = frozenset()
    required: tuple[str, ...] = ("name", "description")
    names: NameRule = SLUGS
    name_key: Literal["checked", "free", "ignored", "unread"] = "checked"
    mode: Mode | None = "subagent"
    prompt_key: str = ""
    longest: float = inf
    title_key: str = ""
    invalid: Code = Code.INVALID_VALUE
    strict: bool = False
    runs_hooks: bool = False
    format: Callable[[Mapping[str, JsonValue], str], bytes] = format_markdown

    @property
    def carries(self) -> frozenset[str]:
        """The fields of Agent that have a key for an agent of any dialect."""
        return (frozenset(self.keys) - self.own) | ({"model"} if self.models.key else frozenset())

    @property
    def known_keys(self) -> frozenset[str]:
        """The keys that the tool reads, in its own spelling."""
        plain = {name for key in self.keys.values() for name in (key.name, *key.synonyms)}
        given = {"name", "description", self.models.key, self.prompt_key, self.title_key} - {""}
        return frozenset({*plain, *given, *self.native, *(self.permissions.spelled or self.permissions.keys)})

    def knows(self, key: str, value: JsonValue) -> Iterable[bool]:
        """As `Dialect.knows`."""
        if key in self.permissions.keys or key in self.permissions.spelled:
            return self.permissions.knows(key, value)
        if key == self.models.key:
            return self.models.knows(value)
        own = next((one for one in self.keys.values() if key in (one.name, *one.synonyms)), None)
        return own.knows(value) if own else ()

    def read(self, document: Document, stem: str) -> Reading:
        """As `Dialect.reader`."""
        fields = Fields(document, self.invalid, self.title)
        key = "" if self.name_key == "unread" else "name"
        name = fields.name(stem, required="name" in self.required, key=key)
        description = fields.description(required="description" in self.required)
        prompt = self._prompt(fields)
        self.permissions.check(fields)
        self.check(fields)
        model = self.model(fields) if self.models.key else None
        values = read_keys(fields, self.keys)
        if "prompt" in self.required and prompt is not None and not prompt.strip():
            fields.report(Code.WRONG_TYPE, f"{self.title} takes no agent without instructions", self.prompt_key)
        own = self.permissions.own(fields, self.permissions.keys)
        native, unknown = fields.rest(self.native)
        if self.strict and unknown:
            names, first = unknown_keys([*unknown], self.known_keys.difference(fields.keys)), next(iter(unknown))
            fields.refuse(f"{self.title} does not load a file with keys that it does not know: {names}", first)
        if name is None or description is None or refused(fields.diagnostics):
            return Reading(None, fields.diagnostics)
        agent = Agent.model_validate(
            {
                "mode": self.mode,
                **identity(name, stem),
                **values,
                "description": description,
                "dialect": self.name,
                "prompt": prompt,
                "grants": self.permissions.intended(document.metadata),
                "own_permissions": own,
                "model": self.models.read(model),
                "native": native,
                "unknown": unknown,
            }
        )
        loads = not fields.respelled and self._takes_name(document, name) and self.loads(document)
        return Reading(agent, fields.diagnostics, loads, fields.refusals)

    def _prompt(self, fields: Fields) -> str | None:
        """Return the instructions; None where they are no text, which is reported."""
        if not self.prompt_key:
            return fields.document.body
        value = fields.raw(self.prompt_key)
        if value is not None and not isinstance(value, str):
            fields.report(Code.WRONG_TYPE, f"`{self.prompt_key}` must be text", self.prompt_key)
            return None
        return value or ""

    def _takes_name(self, document: Document, name: str) -> bool:
        given = "name" in document.metadata or "name" not in self.required
        fits = self.names.keeps(name) or (self.names.takes(name) and is_slug(name))
        return given and (fits or self.name_key != "checked")

    def check(self, fields: Fields) -> None:
        """Report what is wrong beyond permissions and keys; keys that it reads count as known."""

    def loads(self, document: Document) -> bool:
        """Whether the tool finds the same keys and instructions in the bytes as they are."""
        del document
        return True

    def model(self, fields: Fields) -> str | None:
        """The tool's name for the agent's model."""
        return fields.text(self.models.key)

    def write(self, agent: Agent, options: WriteOptions) -> Writing:
        """As `Dialect.write`."""
        name, diagnostics = self._name(agent)
        known = speaks(agent, self.name)
        diagnostics += losses(agent, self.name, self.carries | (self.own if known else frozenset()))
        needed = {"description": "a description", "prompt": "instructions"}
        missing = [text for key, text in needed.items() if key in self.required and not getattr(agent, key).strip()]
        if len(agent.prompt.strip()) > self.longest:
            missing.append(f"instructions of at most {self.longest:,} characters")
        if missing:
            hint = "" if agent.description.strip() else meant_as("description", agent.unknown)
            diagnostics.append(Diagnostic(Code.REFUSED_REQUIRED, f"{self.title} needs {missing[0]}", hint=hint))
            return Writing(None, tuple(diagnostics))
        own = agent.dialect == self.name
        permissions: dict[str, JsonValue] = dict(agent.own_permissions)
        if not own:
            permissions, permission_diagnostics = self.permissions.write(agent, options)
            diagnostics += permission_diagnostics
        model, model_diagnostics = self.models.write(agent, self.name, options)
        if not own and agent.effort and not self.models.takes_effort(model or "", agent.effort):
            message = f"reasoning effort `{agent.effort}` is left out: {self.title} takes it only with some models"
            diagnostics.append(Diagnostic(Code.FIELD_LOST, message))
            agent = agent.model_copy(update={"effort": None})
        keys = {field: key for field, key in self.keys.items() if known or field not in self.own}
        values, value_diagnostics = write_keys(agent, keys, own=own)
        is_named = self.name_key in ("checked", "free") or (self.name_key == "ignored" and name != agent.slug)
        metadata: dict[str, JsonValue] = {"name": name} if is_named else {}
        if self.title_key and name != agent.name and not agent.name.isascii():
            metadata[self.title_key] = agent.name
        if agent.description:
            metadata["description"] = agent.description
        metadata |= permissions
        if model is not None:
            metadata[self.models.key] = model
        metadata |= values
        if known:
            metadata |= {**agent.native, **agent.unknown}
        return Writing(self.format(metadata, agent.prompt), (*diagnostics, *value_diagnostics, *model_diagnostics))

    def _name(self, agent: Agent) -> tuple[str, list[Diagnostic]]:
        is_kept = agent.dialect == self.name and self.name_key in ("free", "ignored")
        name = agent.name if is_kept else self.names.spelled(agent.name, agent.slug)
        diagnostics: list[Diagnostic] = []
        if not self.names.takes(name) and not is_kept:
            low, high = self.names.low, self.names.high
            message = f"{self.title} takes no agent of the name `{name}`"
            hint = f"use {low} to {high} characters that match `{self.names.pattern}`"
            hint = "it is reserved" if name in self.names.reserved else hint
            diagnostics.append(Diagnostic(Code.REFUSED_REQUIRED, message, hint=hint))
        elif name != agent.name:
            diagnostics.append(Diagnostic(Code.NAME_CHANGED, f"{agent.name!r} is called `{name}` here"))
        return name, diagnostics

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
        parse: Callable[[bytes, str], Document] = parse_markdown,
        environment: tuple[Moved, ...] = (),
        also_reads: tuple[str, ...] = (),
        built_in: frozenset[str] = frozenset(),
        notice: str = "",
        shared: SharedFile | None = None,
        settings: SettingsFile | None = None,
        recognition: Recognition = Recognition(),
        review: Review | None = None,
        effects: Mapping[str, tuple[KeyEffect, ...]] | None = None,
        undeclared: Callable[[Mapping[str, JsonValue]], Iterable[str]] | None = None,
        unasked: frozenset[str] = frozenset(),
        never_asks: bool = False,
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
            known_keys=self.known_keys,
            knows=self.knows,
            strict=self.strict,
            reader=self.read,
            write=self.write,
            capabilities=self.permissions.capabilities,
            enforced=self.permissions.enforced,
            permission_keys=self.permissions.keys,
            any_spelling=self.permissions.any_spelling,
            carries=self.carries,
            remedy=self.permissions.remedy,
            guarded_tools=self.permissions.guarded_tools,
            runs_hooks=self.runs_hooks,
            lists=self.permissions.lists,
            uses_effects=self.permissions.uses_effects,
            required=tuple(self.prompt_key or key if key == "prompt" else key for key in self.required),
            names=self.names,
            environment=environment,
            also_reads=also_reads,
            built_in=built_in,
            notice=notice,
            shared=shared,
            settings=settings,
            recognition=recognition,
            review=review,
            effects=effects or {},
            undeclared=undeclared,
            unasked=unasked,
            never_asks=never_asks,
        )
