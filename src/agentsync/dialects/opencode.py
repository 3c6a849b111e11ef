"""OpenCode: Markdown with YAML frontmatter, and ordered permission rules with globs.

Facts: https://opencode.ai/docs/agents, https://opencode.ai/docs/permissions, and the tool itself, version 1.18.33
(November 2026). One file with a value of a wrong type makes OpenCode refuse every command, so those are errors here.
"""

from __future__ import annotations

import re
from typing import Final

from pydantic import JsonValue

from agentsync.diagnostics import Code, Diagnostic
from agentsync.dialects import Dialect, Reading, Writing, refused
from agentsync.dialects._fields import Fields, file_name, identity, losses, model_name, without_none
from agentsync.dialects._opencode_grants import KEYS, RESTRICTIONS, SHAPE, check, enforced, meant, spell
from agentsync.document import Document
from agentsync.fitting import WriteOptions, fit
from agentsync.frontmatter import format_markdown, parse_markdown
from agentsync.model import Agent
from agentsync.permissions import Grants

# Plain keys that YAML 1.1 may read as something else than text, of which JavaScript then makes another text.
_RESPELLED_KEY: Final = re.compile(
    rb"(?:^|[{,])[ \t]*(?:\?[ \t]+)?(?!(?:0|-?[1-9][0-9]{0,14})[ \t]*(?::\s|\r?$))"
    rb"(?:[-+]?\.?[0-9][\w.:+-]*?|[-+]?\.(?i:inf|nan)|True|TRUE|False|FALSE|Null|NULL|~)[ \t]*(?::\s|\r?$)",
    re.MULTILINE,
)

_MODES: Final = ("subagent", "primary", "all")
_THEME_COLORS: Final = ("primary", "secondary", "accent", "success", "warning", "error", "info")
_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}")
# Any other name of a colour stops OpenCode from starting. The hues are those that Claude Code shows.
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
_NATIVE: Final = frozenset({"options", "variant"})

# The catalogue that version 1.18.33 ships (models.dev, November 2026). A model that is not in it is left out, since
# OpenCode fails an agent whose model it does not know.
_MODELS: Final = {
    "anthropic/opus": "anthropic/claude-opus-5-5",
    "anthropic/sonnet": "anthropic/claude-sonnet-5",
    "anthropic/haiku": "anthropic/claude-haiku-4-5",
}
_CATALOGUE: Final = {
    "anthropic": frozenset(
        "claude-fable-5 claude-fable-5-1 claude-haiku-4-5 claude-haiku-4-5-20251001 claude-opus-4-5 "
        "claude-opus-4-5-20251101 claude-opus-4-6 claude-opus-4-7 claude-opus-4-8 claude-opus-5 claude-opus-5-5 "
        "claude-sonnet-4-5 claude-sonnet-4-5-20250929 claude-sonnet-4-6 claude-sonnet-5".split()
    ),
    "openai": frozenset(
        "gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4o gpt-4o-mini gpt-5 gpt-5-mini gpt-5-nano gpt-5-pro gpt-5.1 gpt-5.2 "
        "gpt-5.2-pro gpt-5.3-codex gpt-5.3-codex-spark gpt-5.4 gpt-5.4-mini gpt-5.4-nano gpt-5.4-pro gpt-5.5 "
        "gpt-5.5-pro gpt-5.6 gpt-5.6-luna gpt-5.6-sol gpt-5.6-terra gpt-6-astra gpt-6-luna gpt-6-sol o1 o1-pro o3 "
        "o3-mini o3-pro o4-mini".split()
    ),
    "google": frozenset(
        "gemini-2.5-flash gemini-2.5-flash-lite gemini-2.5-pro gemini-3-flash-preview gemini-3.1-flash-lite "
        "gemini-3.1-pro-preview gemini-3.5-flash gemini-3.5-flash-lite gemini-3.6-flash gemini-3.7-flash "
        "gemini-3.8-flash gemini-flash-latest gemini-flash-lite-latest".split()
    ),
}


def read(document: Document, stem: str) -> Reading:
    fields = Fields(document, Code.WRONG_TYPE)
    name, description = fields.name(stem, required=False), fields.description(required=False)
    check(fields)
    own = {key: fields.raw(key) for key in KEYS if fields.has(key)}
    color = fields.text("color")
    if color is not None and not (_HEX.fullmatch(color) or color in _THEME_COLORS):
        fields.tell(Code.WRONG_TYPE, f"color `{color}` is neither #rrggbb nor a theme colour", "color")
    model = fields.text("model")
    if model is not None and "/" not in model:
        hint = "leave the key out to inherit" if model == "inherit" else "write `provider/id`"
        fields.tell(Code.WRONG_TYPE, f"model `{model}` has no provider", "model", hint=hint)
    values = {
        "model": model,
        "effort": fields.text("reasoningEffort"),
        "temperature": fields.number("temperature"),
        "top_p": fields.number("top_p"),
        "max_turns": fields.count("steps"),
        "mode": fields.text("mode", _MODES),
        "hidden": fields.flag("hidden"),
        "disabled": fields.flag("disable"),
        "color": _COLOR_NAMES.get(color, color) if color else None,
    }
    if name is None or description is None or refused(fields.diagnostics):
        return Reading(None, fields.diagnostics)
    native, unknown = fields.rest(_NATIVE)
    agent = Agent.model_validate(
        {
            **identity(name),
            **values,
            "description": description,
            "dialect": "opencode",
            "prompt": document.body,
            "grants": meant(document.metadata),
            "own_permissions": own,
            "native": native,
            "unknown": unknown,
        }
    )
    return Reading(agent, fields.diagnostics, loads=not fields.respelled and _reads_alike(document))


def _reads_alike(document: Document) -> bool:
    """Whether OpenCode finds the same keys: it ends the frontmatter at any line that starts with three dashes."""
    head = document.data.removesuffix(document.body.encode())
    return head.count(b"\n---") == 1 and not _RESPELLED_KEY.search(head)


_COLOR_NAMES: Final = {hexadecimal: name for name, hexadecimal in _COLORS.items()}


def write(agent: Agent, options: WriteOptions) -> Writing:
    name, found = file_name(agent)
    found += losses(agent, "opencode", _CARRIED)
    own = agent.dialect == "opencode"
    permissions: dict[str, JsonValue] = dict(agent.own_permissions)
    if not own:
        fitted = fit(agent.grants, SHAPE, options)
        found += fitted.diagnostics
        permissions, permission_found = spell(fitted, options)
        found += permission_found
    model, model_found = model_name(agent, options, _MODELS, lambda model: own or _in_catalogue(model))
    color, color_found = _write_color(agent)
    effort, effort_found = _write_effort(agent, model)
    metadata: dict[str, JsonValue] = without_none(
        {
            "name": agent.name if own and agent.name != name else None,
            "description": agent.description or None,
            "mode": agent.mode,
            "model": model,
            "reasoningEffort": effort,
            "temperature": agent.temperature,
            "top_p": agent.top_p,
            "steps": agent.max_turns,
            "color": color,
            "hidden": agent.hidden,
            "disable": agent.disabled,
        }
    )
    metadata |= permissions
    if own:
        metadata |= {**agent.native, **agent.unknown}
    return Writing(format_markdown(metadata, agent.prompt), (*found, *model_found, *color_found, *effort_found))


_CARRIED: Final = ("mode", "effort", "temperature", "top_p", "max_turns", "hidden", "disabled", "color")


def enforced_by(document: Document) -> Grants:
    return enforced(document.metadata)


def _in_catalogue(model: str) -> bool:
    provider, _, identifier = model.partition("/")
    return identifier in _CATALOGUE.get(provider, ())


def _write_color(agent: Agent) -> tuple[str | None, list[Diagnostic]]:
    if agent.color is None or agent.color in _THEME_COLORS or _HEX.fullmatch(agent.color):
        return agent.color, []
    if agent.color in _COLORS:
        return _COLORS[agent.color], []
    return None, [Diagnostic(Code.FIELD_LOST, f"color `{agent.color}` is no colour that OpenCode takes")]


def _write_effort(agent: Agent, model: str | None) -> tuple[str | None, list[Diagnostic]]:
    """An effort travels as an option of the provider, and only OpenAI's takes it in these words."""
    if agent.effort is None:
        return None, []
    if agent.dialect == "opencode" or (isinstance(agent.effort, str) and (model or "").startswith("openai/")):
        return str(agent.effort), []
    return None, [Diagnostic(Code.FIELD_LOST, f"reasoning effort `{agent.effort}` is left out for this model")]


def score(document: Document) -> int:
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


DIALECT: Final = Dialect(
    name="opencode",
    title="OpenCode",
    suffix=".md",
    user_directory=".config/opencode/agents",
    project_directories=(".opencode/agents", ".opencode/agent"),
    recursive=True,
    binaries=("opencode",),
    version="1.18.33",
    source="https://opencode.ai/docs/agents",
    parse=parse_markdown,
    score=score,
    read=read,
    write=write,
    shape=SHAPE,
    enforced=enforced_by,
    restrictions=RESTRICTIONS,
)
