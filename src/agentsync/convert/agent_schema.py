"""JSON Schema of the neutral dialect's frontmatter, for editors; built from the tables that it is read with."""

from __future__ import annotations

from typing import assert_never

from pydantic import JsonValue

from agentsync.agents.grants import TOOLS
from agentsync.dialects import dialects
from agentsync.dialects.neutral import FOR_TARGETS, KEYS, LEVELS, Kind

_DESCRIPTIONS = {
    "name": "Name of the agent; without it the file's name is used.",
    "description": "When to use the agent: tools show it and choose by it.",
    "model": "`provider/id`, or opus, sonnet or haiku; `inherit`, or no key, for the session's own.",
    "tools": "The tools that the agent has; every other one is denied. An empty list grants nothing.",
    "permissions": "Permission level of each call; the last rule that matches a call wins.",
    "effort": "minimal, low, medium, high, xhigh or max, or a budget in tokens.",
    "temperature": "Sampling temperature.",
    "top_p": "Nucleus sampling.",
    "max_turns": "How many turns the agent may take.",
    "mode": "Whether it is called by other agents, by the user, or by both.",
    "hidden": "Whether it is hidden from the list that the user chooses from.",
    "disabled": "Whether it is switched off; targets that cannot express this do not get the agent.",
    "color": "A name such as blue, or `#rrggbb`.",
    "skills": "Names of skills to load.",
    "memory": "Where the tool keeps the agent's own notes: user, project or local.",
    "background": "Whether it runs beside the session.",
    "isolation": "Where it works: worktree or remote.",
    "initial_prompt": "First prompt when it is the session's own agent.",
    "tags": "Words to choose agents by.",
    "mcp_servers": "MCP servers, in the tool's own form.",
    "hooks": "Hooks, in the tool's own form.",
}


def agent_schema() -> dict[str, JsonValue]:
    """Build the schema, in draft 2020-12 (https://json-schema.org/draft/2020-12)."""
    own = {name: _described(name, _of_kind(key.kind, [*key.words])) for name, key in KEYS.items()}
    grants: dict[str, JsonValue] = {
        "description": _described("description", {"type": "string", "minLength": 1}),
        "model": _described("model", {"type": "string"}),
        "tools": _described("tools", {"type": "array", "items": {"$ref": "#/$defs/tool"}}),
        "permissions": _described("permissions", _permissions()),
    }
    for_all = {name: value for name, value in own.items() if name not in FOR_TARGETS}
    for_one = {name: value for name, value in own.items() if name != "tags"}
    native: JsonValue = {"type": "object", "description": "The tool's own keys, written as they are."}
    exclude: JsonValue = {"type": "boolean", "description": "Whether this tool does not get the agent."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An agent in agentsync's own format",
        "type": "object",
        "required": ["description"],
        "additionalProperties": False,
        "properties": {
            "name": _described("name", {"type": "string", "minLength": 1}),
            **grants,
            **for_all,
            "targets": {
                "type": "object",
                "description": "Settings that differ for one tool.",
                "propertyNames": {"enum": list[JsonValue](dialects())},
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {**grants, **for_one, "native": native, "exclude": exclude},
                },
            },
        },
        "$defs": {
            "level": {"enum": list[JsonValue](LEVELS)},
            "tool": {
                "anyOf": [{"enum": list[JsonValue](sorted(TOOLS))}, {"type": "string", "pattern": "^(mcp|other)/.+"}]
            },
        },
    }


def _described(name: str, schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"description": _DESCRIPTIONS[name], **schema}


def _permissions() -> dict[str, JsonValue]:
    level: JsonValue = {"$ref": "#/$defs/level"}
    rules: dict[str, JsonValue] = {
        "type": "object",
        "propertyNames": {"anyOf": [{"const": "*"}, {"$ref": "#/$defs/tool"}]},
        "additionalProperties": {"anyOf": [level, {"type": "object", "additionalProperties": level}]},
    }
    return {"anyOf": [rules, {"type": "array", "items": rules}]}


def _of_kind(kind: Kind, words: list[str | bool]) -> dict[str, JsonValue]:
    match kind:
        case "text":
            return {"enum": list[JsonValue](words)} if words else {"type": "string"}
        case "number":
            return {"type": "number"}
        case "count":
            return {"type": "integer", "minimum": 1}
        case "flag":
            return {"type": "boolean"}
        case "names":
            return {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}
        case "level":
            return {"type": ["string", "integer"]}
        case "any":
            return {}
        case _:
            assert_never(kind)
