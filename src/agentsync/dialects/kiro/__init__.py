"""Kiro: Markdown with YAML frontmatter, tags for its tools, and rules for calls that run without asking.

For the IDE from version 1 and the command line from version 3. Facts, none of them measured, since the program is not
available without an account: https://kiro.dev/docs/custom-agents/configuration-reference and
https://kiro.dev/docs/permissions (October 2026). The meaning of a missing or broken `tools` is not documented, so every
tool counts as available, and agents for other tools get none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agentsync.core.codes import Code
from agentsync.dialects._base import Kind, Recognition, Review, ToolLists
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects.kiro.effects import EFFECTS
from agentsync.dialects.kiro.keys import KEYS, MODELS, NATIVE
from agentsync.dialects.kiro.permissions import codec
from agentsync.dialects.kiro.writer import CAPABILITIES, write


@dataclass(frozen=True, slots=True)
class _Kiro(TableDialect):
    """A table dialect that has a key for instructions in its other form only."""

    def check(self, fields: Fields) -> None:
        if fields.has("prompt"):
            message = "the instructions are below the frontmatter, so `prompt` is not used"
            fields.report(Code.NO_EFFECT, message, "prompt")


_KIRO: Final = _Kiro(
    name="kiro",
    title="Kiro",
    permissions=codec(3, CAPABILITIES, write, ToolLists(denied="excludedTools")),
    keys=KEYS,
    models=MODELS,
    own=frozenset(KEYS),
    native=NATIVE,
    required=(),
    name_key="ignored",
    mode=None,
    invalid=Code.LEFT_OUT,
    runs_hooks=True,
)


DIALECT: Final = _KIRO.dialect(
    user_directory=".kiro/agents",
    project_directories=(".kiro/agents",),
    recursive=True,
    binaries=("kiro", "kiro-cli"),
    review=Review(
        restricted_by="`tools`, `permissions`; deny takes precedence over ask, ask over allow, whatever their order",
        handling=(
            "ordered rules are written with `exclude`; without `tools`, other tools get nothing; a pattern or "
            "an agent in `excludedTools` is read as a denial"
        ),
        from_documentation=True,
    ),
    version="IDE 1.2, CLI 3",
    source="https://kiro.dev/docs/custom-agents/configuration-reference",
    also_reads=("kiro2",),
    notice="agents of a project count where its folder is trusted",
    effects=EFFECTS,
    recognition=Recognition(
        sign=lambda document: -("tools" not in document.metadata),  # hardly an agent here: it has no tools
        not_synced={Kind.RULE: ("/.kiro/steering/",), Kind.MCP: ("/.kiro/settings/mcp.json",)},
    ),
)
