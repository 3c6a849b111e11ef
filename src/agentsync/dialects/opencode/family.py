"""What OpenCode and its forks share: the keys of an agent, and how its file is found and split."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import Grants
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import (
    SLUGS,
    Dialect,
    Moved,
    NameRule,
    Reading,
    Recognition,
    Review,
    SettingsFile,
    Writing,
    refused,
)
from agentsync.dialects._kit.fields import Fields, identity, losses, model_name, name_here, speaks, without_none
from agentsync.dialects.opencode.permissions import KEYS, KEYS_READ, Permissions
from agentsync.formats.document import Document
from agentsync.formats.frontmatter import format_markdown, parse_markdown
from agentsync.formats.yaml_types import types_a_value

# Plain keys that YAML 1.1 may read as another type than text, and that JavaScript then turns into a different text.
_RESPELLED_KEY: Final = re.compile(
    rb"(?:^|[{,])[ \t]*(?:\?[ \t]+)?(?!(?:0|-?[1-9][0-9]{0,14})[ \t]*(?::\s|\r?$))"
    rb"(?:[-+]?\.?[0-9][\w.:+-]*?|[-+]?\.(?i:inf|nan)|True|TRUE|False|FALSE|Null|NULL|~)[ \t]*(?::\s|\r?$)",
    re.MULTILINE,
)

_MODES: Final = ("subagent", "primary", "all")
_THEME_COLORS: Final = ("primary", "secondary", "accent", "success", "warning", "error", "info")
_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}")
# Any other colour name keeps OpenCode from starting. The hues are those that Claude Code shows.
_COLORS: Final = {
    "red": "#dc2626",
    "blue": "#2563eb",
    "green": "#16a34a",
    "yellow": "#ca8a04",
    "purple": "#9333ea",
    "orange": "#ea580c",
    "pink": "#db2777",
    "cyan": "#0891b2",
}
_COLOR_NAMES: Final = {hexadecimal: name for name, hexadecimal in _COLORS.items()}

_TEXTS: Final = ("name", "description", "model", "variant", "mode", "color")
_TYPED: Final = frozenset(
    {*_TEXTS, *KEYS, "temperature", "top_p", "steps", "maxSteps", "hidden", "disable", "prompt", "options"}
)

_CARRIED: Final = frozenset(
    {"model", "mode", "effort", "temperature", "top_p", "max_turns", "hidden", "disabled", "color"}
)


@dataclass(frozen=True)
class Family:
    """OpenCode, or a fork of it.

    Attributes:
        name, title: as in Dialect.
        permissions: how it reads and writes permissions.
        models: canonical models for which it has a name of its own.
        catalogue: the ids that it knows, by provider. Any other model is left out, since an agent with an unknown
            model fails.
        native: known keys that mean nothing elsewhere.
        turns: the keys of the turn limit; the first is written, and the first that is present counts.
        empties: the keys that may lack a value; an empty value of any other key keeps the file from loading.
        names: the names it accepts for agents of other tools.
    """

    name: str
    title: str
    permissions: Permissions
    models: Mapping[str, str]
    catalogue: Mapping[str, Collection[str]]
    native: frozenset[str] = frozenset({"options", "variant"})
    turns: tuple[str, ...] = ("steps",)
    empties: frozenset[str] = frozenset()
    names: NameRule = field(default=SLUGS)

    def read(self, document: Document, stem: str) -> Reading:
        """As `Dialect.reader`."""
        fields = Fields(document, Code.WRONG_TYPE)
        name, description = fields.name(stem, required=False), fields.description(required=False)
        self.permissions.check(fields)
        present = [key for key in KEYS_READ if fields.has(key)]
        own = {key: value for key in present if (value := fields.raw(key)) is not None or key in self.empties}
        color = fields.text("color")
        if color is not None and not (_HEX.fullmatch(color) or color in _THEME_COLORS):
            fields.report(Code.WRONG_TYPE, f"color `{color}` is neither #rrggbb nor a theme colour", "color")
        model = fields.text("model")
        if model is not None and "/" not in model:
            hint = "leave the key out to inherit" if model == "inherit" else "write `provider/id`"
            fields.report(Code.WRONG_TYPE, f"model `{model}` has no provider", "model", hint=hint)
        turns = [fields.count(key) for key in self.turns]
        values = {
            "model": model,
            "effort": fields.text("reasoningEffort"),
            "temperature": fields.number("temperature"),
            "top_p": fields.number("top_p"),
            "max_turns": next((count for count in turns if count is not None), None),
            "mode": fields.text("mode", _MODES),
            "hidden": fields.flag("hidden"),
            "disabled": fields.flag("disable"),
            "color": _COLOR_NAMES.get(color, color) if color else None,
        }
        if name is None or description is None or refused(fields.diagnostics):
            return Reading(None, fields.diagnostics)
        native, unknown = fields.rest(self.native)
        agent = Agent.model_validate(
            {
                **identity(name, stem),
                **values,
                "description": description,
                "dialect": self.name,
                "prompt": document.body,
                "grants": self.permissions.intended(document.metadata),
                "own_permissions": own,
                "native": native,
                "unknown": unknown,
            }
        )
        return Reading(agent, fields.diagnostics, loads=not fields.respelled and self._loads(document))

    def _loads(self, document: Document) -> bool:
        """Whether the tool reads the same keys, each with a value that it accepts.

        It ends the frontmatter at any line that starts with three dashes, and requires text values to be text.
        """
        head = document.data.removesuffix(document.body.encode())
        empty = {key for key, value in document.metadata.items() if value is None}
        return (
            head.count(b"\n---") == 1
            and not _RESPELLED_KEY.search(head)
            and not types_a_value(head.decode(errors="replace"), _TEXTS)
            and not empty & _TYPED - self.empties
        )

    def write(self, agent: Agent, options: WriteOptions) -> Writing:
        """As `Dialect.write`."""
        name, diagnostics = name_here(agent, self.names)
        diagnostics += losses(agent, self.name, _CARRIED)
        own = agent.dialect == self.name
        if not own and not self.names.takes(name):
            message = f"{self.title} has an agent `{name}` of its own, which this one would change"
            diagnostics.append(Diagnostic(Code.REFUSED_REQUIRED, message, hint="give it another name"))
        permissions: dict[str, JsonValue] = dict(agent.own_permissions)
        if not own:
            narrowed = narrow(agent.grants, self.permissions.capabilities, options)
            diagnostics += narrowed.diagnostics
            permissions, permission_diagnostics = self.permissions.spell(narrowed, options)
            diagnostics += permission_diagnostics
        model, model_diagnostics = model_name(agent, options, self.models, lambda model: own or self._knows(model))
        color, color_diagnostics = self._write_color(agent)
        effort, effort_diagnostics = self._write_effort(agent, model)
        diagnostics += [*model_diagnostics, *color_diagnostics, *effort_diagnostics]
        metadata: dict[str, JsonValue] = without_none(
            {
                # The file's name is the agent's where there is no key.
                "name": shown if (shown := agent.name if own else name) != agent.slug else None,
                "description": agent.description or None,
                "mode": agent.mode,
                "model": model,
                "reasoningEffort": effort,
                "temperature": agent.temperature,
                "top_p": agent.top_p,
                self.turns[0]: agent.max_turns,
                "color": color,
                "hidden": agent.hidden,
                "disable": agent.disabled,
            }
        )
        metadata |= permissions
        if speaks(agent, self.name):
            metadata |= {**agent.native, **agent.unknown}
        return Writing(format_markdown(metadata, agent.prompt), tuple(diagnostics))

    def enforced(self, document: Document) -> Grants:
        """As `Dialect.enforced`."""
        return self.permissions.enforced(document.metadata)

    def _knows(self, model: str) -> bool:
        provider, _, identifier = model.partition("/")
        return identifier in self.catalogue.get(provider, ())

    def _write_color(self, agent: Agent) -> tuple[str | None, list[Diagnostic]]:
        if agent.color is None or agent.color in _THEME_COLORS or _HEX.fullmatch(agent.color):
            return agent.color, []
        if agent.color in _COLORS:
            return _COLORS[agent.color], []
        return None, [Diagnostic(Code.FIELD_LOST, f"color `{agent.color}` is not one that {self.title} accepts")]

    def _write_effort(self, agent: Agent, model: str | None) -> tuple[str | None, list[Diagnostic]]:
        """The effort for a model: it is an option of the provider, and only OpenAI accepts these values."""
        if agent.effort is None:
            return None, []
        if agent.dialect == self.name or (isinstance(agent.effort, str) and (model or "").startswith("openai/")):
            return str(agent.effort), []
        return None, [Diagnostic(Code.FIELD_LOST, f"reasoning effort `{agent.effort}` is left out for this model")]

    def score(self, document: Document) -> int:
        """As `Dialect.score`."""
        metadata = document.metadata
        tools = metadata.get("tools")
        return (
            3 * (metadata.get("mode") in _MODES)
            + 6 * isinstance(metadata.get("permission"), dict | str)
            + 2 * (isinstance(tools, dict) and all(isinstance(value, bool) for value in tools.values()))
            + 2 * ("/" in str(metadata.get("model", "")))
            + sum(key in metadata for key in ("temperature", "top_p", "steps", "reasoningEffort", "disable"))
            + ("name" not in metadata and "description" in metadata)
        )

    def dialect(
        self,
        *,
        user_directory: str,
        environment: tuple[Moved, ...],
        project_directories: tuple[str, ...],
        binaries: tuple[str, ...],
        version: str,
        source: str,
        recognition: Recognition = Recognition(),
        settings: SettingsFile | None = None,
        review: Review | None = None,
    ) -> Dialect:
        """The `Dialect` of this tool, which explains the arguments."""
        return Dialect(
            name=self.name,
            title=self.title,
            suffixes=(".md",),
            user_directory=user_directory,
            project_directories=project_directories,
            recursive=True,
            binaries=binaries,
            version=version,
            source=source,
            parse=parse_markdown,
            score=self.score,
            reader=self.read,
            write=self.write,
            capabilities=self.permissions.capabilities,
            enforced=self.enforced,
            permission_keys=frozenset(KEYS),
            remedy="write `permission`",
            carries=_CARRIED,
            names=self.names,
            environment=environment,
            recognition=recognition,
            settings=settings,
            review=review,
        )
