"""OpenCode: Markdown with YAML frontmatter, and ordered permission rules with globs.

Facts: https://opencode.ai/docs/agents, https://opencode.ai/docs/permissions, and the tool itself, version 1.18.33
(November 2026). A value of a wrong type in one file makes OpenCode refuse every command, so it is an error here.
"""

from __future__ import annotations

from typing import Final

from agentsync.dialects._base import Kind, Moved, NameRule, Recognition
from agentsync.dialects.opencode.family import Family
from agentsync.dialects.opencode.permissions import UNITS, Permissions
from agentsync.dialects.opencode.settings_file import settings_file

# The catalogue that version 1.18.33 ships (models.dev, November 2026).
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

# A file named like a built-in agent changes that agent, which only an author for OpenCode can intend.
_NAMES: Final = NameRule(
    reserved=frozenset("build compaction explore general plan summary title".split()), scripts=True
)

DIALECT: Final = Family(
    name="opencode",
    title="OpenCode",
    permissions=Permissions("OpenCode", "refuses every command", UNITS, others=frozenset({"doom_loop"}), names=_NAMES),
    models=_MODELS,
    catalogue=_CATALOGUE,
    names=_NAMES,
).dialect(
    user_directory=".config/opencode/agents",
    environment=(Moved("XDG_CONFIG_HOME", ".config"),),  # observed; OPENCODE_CONFIG_DIR adds a directory and moves none
    project_directories=(".opencode/agents", ".opencode/agent"),
    binaries=("opencode",),
    version="1.18.33",
    source="https://opencode.ai/docs/agents",
    settings=settings_file(("/opencode.json", "/opencode.jsonc"), _NAMES.reserved),
    recognition=Recognition(
        other_directories=(),
        not_synced={
            Kind.SETTINGS: ("/opencode.json", "/opencode.jsonc"),
            Kind.PLUGIN: ("/.opencode/plugin/", "/.opencode/plugins/"),
        },
    ),
)
