"""What both forms of a Kiro agent share beside permissions: keys, models, and their checks."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from agentsync.core.codes import Code
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.tool_names import listed
from agentsync.dialects.kiro.permissions import KEYS, is_known
from agentsync.dialects.kiro.rules import understood

NATIVE: Final = frozenset(
    {"prompt", "resources", "toolAliases", "includeMcpJson", "useLegacyMcpJson", "includePowers", "keyboardShortcut"}
    | {"welcomeMessage", "toolSchema", "$schema"}
)

# As listed by https://kiro.dev/docs/models/available-models in August 2026. An unknown id makes every request of the
# agent fail, so no other is written.
MODELS: Final = Models(
    names={
        "anthropic/claude-opus-5": "claude-opus-5",
        "anthropic/claude-opus-4-8": "claude-opus-4.8",
        "anthropic/claude-sonnet-5": "claude-sonnet-5",
        "anthropic/claude-sonnet-4-6": "claude-sonnet-4.6",
        "anthropic/claude-haiku-4-5": "claude-haiku-4.5",
        "openai/gpt-5.6-sol": "gpt-5.6-sol",
        "openai/gpt-5.6-terra": "gpt-5.6-terra",
        "openai/gpt-5.6-luna": "gpt-5.6-luna",
        "anthropic/opus": "claude-opus-5",
        "anthropic/sonnet": "claude-sonnet-5",
        "anthropic/haiku": "claude-haiku-4.5",
    }
)


REMEDY: Final = "write `tools` or `excludedTools`"


def check(fields: Fields) -> None:
    """Report values that Kiro refuses, and values that it reads differently than they look."""
    tools = fields.raw("tools")
    if not fields.has("tools"):
        fields.report(Code.TOOLS_NONE, "there is no `tools`, so the agents of other tools are given none")
    elif tools != "*" and not (isinstance(tools, list) and all(isinstance(item, str) for item in tools)):
        fields.report(Code.WRONG_TYPE, "`tools` must be a list of names and tags", "tools")
    for key in ("tools", "excludedTools"):
        for name in listed(fields.raw(key)):
            if not is_known(name):
                fields.report(Code.UNKNOWN_TOOL, f"Kiro has no tool `{name}` and drops it", key)
    if fields.has("permissions"):
        _check_permissions(fields)
    for key in KEYS:
        fields.raw(key)


def _check_permissions(fields: Fields) -> None:
    permissions = fields.raw("permissions")
    if not (isinstance(permissions, dict) and isinstance(permissions.get("rules"), list)):
        message = "`permissions` must hold `rules`; a bare list of rules was the format of early versions"
        fields.report(Code.NO_EFFECT, message, "permissions", hint="put the list under `permissions.rules`")
    elif not understood(permissions):
        message = "`permissions` has a rule that Kiro may read differently than its author intended"
        fields.report(
            Code.NO_EFFECT,
            message,
            "permissions",
            hint="write a `capability`, an `effect`, and lists as `match` and `exclude`",
        )


def values_of(fields: Fields) -> dict[str, JsonValue]:
    """The fields of Agent that have keys in both forms."""
    return {
        "model": MODELS.read(fields.text("model")),
        "mcp_servers": fields.raw("mcpServers"),
        "hooks": fields.raw("hooks"),
    }
