"""What both forms of a Kiro agent share beside permissions: keys and models."""

from __future__ import annotations

from typing import Final

from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models

KEYS: Final = {"mcp_servers": Key("mcpServers", "any"), "hooks": Key("hooks", "any")}
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
