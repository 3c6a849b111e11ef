"""OpenCode: Markdown with YAML frontmatter, and ordered permission rules with globs.

Facts: https://opencode.ai/docs/agents, https://opencode.ai/docs/permissions, and the tool itself, version 1.18.33
(November 2026). A value of a wrong type in one file makes OpenCode refuse every command, so it is an error here.
"""

from __future__ import annotations

from typing import Final

from agentsync.dialects._base import Kind, Moved, NameRule, Recognition
from agentsync.dialects.opencode.family import ANTHROPIC, EFFECTS, GOOGLE, UNASKED, Family, keys, models
from agentsync.dialects.opencode.permissions import UNITS, PermissionRules
from agentsync.dialects.opencode.settings_file import settings_file

# A file named like a built-in agent changes that agent, which only an author for OpenCode can intend.
_NAMES: Final = NameRule(
    reserved=frozenset("build compaction explore general plan summary title".split()), scripts=True
)

_OPENCODE: Final = Family(
    name="opencode",
    title="OpenCode",
    permissions=PermissionRules(
        "OpenCode", "refuses every command", UNITS, others=frozenset({"doom_loop"}), names=_NAMES
    ).codec,
    keys=keys("steps"),
    models=models(
        {
            "anthropic": ANTHROPIC,
            "google": GOOGLE,
            "openai": "gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4o gpt-4o-mini gpt-5 gpt-5-mini gpt-5-nano gpt-5-pro "
            "gpt-5.1 gpt-5.2 gpt-5.2-pro gpt-5.3-codex gpt-5.3-codex-spark gpt-5.4 gpt-5.4-mini gpt-5.4-nano "
            "gpt-5.4-pro gpt-5.5 gpt-5.5-pro gpt-5.6 gpt-5.6-luna gpt-5.6-sol gpt-5.6-terra gpt-6-astra gpt-6-luna "
            "gpt-6-sol o1 o1-pro o3 o3-mini o3-pro o4-mini",
        }
    ),
    names=_NAMES,
)

DIALECT: Final = _OPENCODE.dialect(
    user_directory=".config/opencode/agents",
    project_directories=(".opencode/agents", ".opencode/agent"),
    recursive=True,
    binaries=("opencode",),
    version="1.18.33",
    source="https://opencode.ai/docs/agents",
    environment=(Moved("XDG_CONFIG_HOME", ".config"),),  # observed; OPENCODE_CONFIG_DIR adds a directory and moves none
    effects=EFFECTS,
    unasked=UNASKED,
    settings=settings_file(("/opencode.json", "/opencode.jsonc"), _NAMES.reserved),
    recognition=Recognition(
        prior=2,
        other_directories=(),
        not_synced={
            Kind.SETTINGS: ("/opencode.json", "/opencode.jsonc"),
            Kind.PLUGIN: ("/.opencode/plugin/", "/.opencode/plugins/"),
        },
    ),
)
