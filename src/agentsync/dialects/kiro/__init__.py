"""Kiro: Markdown with YAML frontmatter, tags for its tools, and rules for calls that run without asking.

For the IDE from version 1 and the command line from version 3. Facts, none of them measured, since the program is not
available without an account: https://kiro.dev/docs/custom-agents/configuration-reference and
https://kiro.dev/docs/permissions (October 2026). The meaning of a missing or broken `tools` is not documented, so every
tool counts as available, and agents for other tools get none.
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import Grants
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Dialect, Kind, NameRule, Reading, Recognition, Review, ToolLists, Writing, refused
from agentsync.dialects._kit.fields import Fields, identity, losses, speaks
from agentsync.dialects.kiro.effects import EFFECTS
from agentsync.dialects.kiro.keys import MODELS, NATIVE, REMEDY, check, values_of
from agentsync.dialects.kiro.permissions import KEYS, enforced, guarded_tools, intended
from agentsync.dialects.kiro.writer import CAPABILITIES, spell, with_search
from agentsync.formats.document import Document
from agentsync.formats.frontmatter import format_markdown, parse_markdown

_CARRIED: Final = frozenset({"model"})


def read(document: Document, stem: str) -> Reading:
    fields = Fields(document, Code.WRONG_TYPE)
    name, description = fields.name(stem, required=False), fields.description(required=False)
    check(fields)
    if fields.has("prompt"):
        fields.report(Code.NO_EFFECT, "the instructions are below the frontmatter, so `prompt` is not used", "prompt")
    values = values_of(fields)
    if name is None or description is None or refused(fields.diagnostics):
        return Reading(None, fields.diagnostics)
    native, unknown = fields.rest(NATIVE)
    agent = Agent.model_validate(
        {
            **identity(name, stem),
            **values,
            "description": description,
            "dialect": "kiro",
            "prompt": document.body,
            "grants": intended(document.metadata, version=3),
            "own_permissions": {key: document.metadata[key] for key in KEYS if fields.has(key)},
            "native": native,
            "unknown": unknown,
        }
    )
    return Reading(agent, fields.diagnostics, loads=not fields.respelled)


def write(agent: Agent, options: WriteOptions) -> Writing:
    own, speaking = agent.dialect == "kiro", speaks(agent, "kiro")
    diagnostics = losses(agent, "kiro", _CARRIED | ({"mcp_servers", "hooks"} if speaking else frozenset()))
    if agent.name != agent.slug and not own:
        diagnostics.append(Diagnostic(Code.NAME_CHANGED, f"{agent.name!r} is called `{agent.slug}` here"))
    permissions: dict[str, JsonValue] = dict(agent.own_permissions)
    if not own:
        narrowed = narrow(with_search(agent.grants), CAPABILITIES, options)
        permissions, permission_diagnostics = spell(narrowed)
        diagnostics += [*narrowed.diagnostics, *permission_diagnostics]
    model, model_diagnostics = MODELS.write(agent, "kiro", options)
    metadata: dict[str, JsonValue] = {"name": agent.name} if own and agent.name != agent.slug else {}
    metadata["description"] = agent.description
    if model:
        metadata["model"] = model
    metadata |= permissions
    if speaking:
        servers = {"mcpServers": agent.mcp_servers, "hooks": agent.hooks}
        metadata |= {key: value for key, value in servers.items() if value is not None}
        metadata |= {**agent.native, **agent.unknown}
    return Writing(format_markdown(metadata, agent.prompt), (*diagnostics, *model_diagnostics))


def enforced_by(document: Document) -> Grants:
    return enforced(document.metadata, version=3)


def score(document: Document) -> int:
    metadata = document.metadata
    permissions = metadata.get("permissions")
    rules = permissions.get("rules") if isinstance(permissions, dict) else None
    return 6 * isinstance(rules, list) + 3 * any(key in metadata for key in ("includeMcpJson", "welcomeMessage"))


DIALECT: Final = Dialect(
    name="kiro",
    title="Kiro",
    suffixes=(".md",),
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
    parse=parse_markdown,
    score=score,
    reader=read,
    write=write,
    capabilities=CAPABILITIES,
    enforced=enforced_by,
    permission_keys=frozenset(KEYS),
    remedy=REMEDY,
    guarded_tools=guarded_tools,
    runs_hooks=True,
    effects=EFFECTS,
    carries=_CARRIED,
    lists=ToolLists(denied="excludedTools"),
    names=NameRule(slugs=False),
    also_reads=("kiro2",),
    notice="agents of a project count where its folder is trusted",
    uses_effects=True,
    recognition=Recognition(
        not_synced={Kind.RULE: ("/.kiro/steering/",), Kind.MCP: ("/.kiro/settings/mcp.json",)},
    ),
)
