"""Codex: TOML, and no list of tools: a sandbox and an approval policy say what its one shell may do.

Facts: https://developers.openai.com/codex/subagents, and the tool itself, version 0.169.0 (November 2026). An unknown
key makes Codex refuse the file. docs/permissions.md says how grants become a sandbox.
"""

from __future__ import annotations

import re
from typing import Final

import tomli_w
from pydantic import JsonValue

from agentsync.diagnostics import Code, Diagnostic
from agentsync.dialects import Dialect, Reading, Writing, refused
from agentsync.dialects._fields import (
    UNKNOWN_VENDOR,
    Fields,
    file_name,
    identity,
    known_vendor,
    losses,
    model_name,
    without_none,
)
from agentsync.fitting import Fitted, Shape, WriteOptions, fit
from agentsync.frontmatter import Document, parse_toml
from agentsync.model import Agent
from agentsync.permissions import EVERYTHING, TOOLS, Approval, Grants, Rule

_SANDBOXES: Final = ("read-only", "workspace-write", "danger-full-access")
_POLICIES: Final = ("untrusted", "on-failure", "on-request", "never")
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_PERMISSION_KEYS: Final = ("sandbox_mode", "approval_policy", "web_search", "sandbox_workspace_write")
_NATIVE: Final = frozenset(
    {"nickname_candidates", "model_provider", "model_reasoning_summary", "model_verbosity", "personality"}
    | {"service_tier", "features", "skills"}
)
# What a multi-line literal cannot hold: its own quotes, and control characters other than tab and line feed.
_NOT_LITERAL: Final = re.compile("'''|[\\x00-\\x08\\x0b-\\x1f\\x7f]")
_VENDORS: Final = {"gpt-": "openai", "codex-": "openai", "o1": "openai", "o3": "openai", "o4": "openai"}
# The models that version 0.169.0 lists.
_MODELS: Final = frozenset(
    "gpt-5.5 gpt-5.6-luna gpt-5.6-sol gpt-5.6-terra gpt-6-astra gpt-6-luna gpt-6-sol gpt-6.1-sol gpt-6.1-terra".split()
)

# Codex has one shell. Reading is free in every sandbox; everything else is the shell's to do, so it is granted only
# where all of it is.
SHAPE: Final = Shape(
    units={
        "reading": ("read", "grep", "glob", "list"),
        "shell": ("bash", "write", "edit", "notebook", "webfetch"),
        "web_search": ("websearch",),
    },
    asks=frozenset({"bash", "write", "edit", "notebook", "webfetch"}),
)
# What every sandbox lets through: reading, and a search of the web that the session decides about.
_CONFINED: Final = (
    *(Rule(tool, Approval.ALLOW) for tool in SHAPE.units["reading"]),
    Rule("websearch", Approval.SESSION),
)
_SHELL: Final = (*SHAPE.units["shell"], "external_directory")


def read(document: Document, stem: str) -> Reading:
    fields = Fields(document, Code.WRONG_TYPE)
    name, description = fields.name(stem, required=True), fields.description(required=True)
    prompt = fields.text("developer_instructions")
    if not (prompt or "").strip():
        fields.tell(Code.WRONG_TYPE, "`developer_instructions` must hold the prompt", "developer_instructions")
    if fields.has("tools"):
        fields.tell(Code.WRONG_DIALECT, "Codex has no list of tools and refuses a file with `tools`", "tools")
    fields.text("sandbox_mode", _SANDBOXES)
    fields.text("approval_policy", _POLICIES)
    own = {key: fields.raw(key) for key in _PERMISSION_KEYS if fields.has(key)}
    model = fields.text("model")
    effort = fields.text("model_reasoning_effort")
    mcp_servers = fields.raw("mcp_servers")
    if name is None or description is None or refused(fields.diagnostics):
        return Reading(None, fields.diagnostics)
    native, unknown = fields.rest(_NATIVE)
    agent = Agent.model_validate(
        {
            **identity(name),
            "description": description,
            "dialect": "codex",
            "prompt": prompt,
            "grants": _grants(document, enforced=False),
            "own_permissions": own,
            "model": known_vendor(model, _VENDORS) if model else None,
            "effort": effort,
            "mode": "subagent",
            "mcp_servers": mcp_servers,
            "native": native,
            "unknown": unknown,
        }
    )
    return Reading(agent, fields.diagnostics, loads="name" in document.metadata and not fields.respelled)


def write(agent: Agent, options: WriteOptions) -> Writing:
    name, found = file_name(agent)
    found += losses(agent, "codex", ("effort", "mcp_servers") if agent.dialect == "codex" else ("effort",))
    prompt = agent.prompt.strip()
    if not (prompt and agent.description.strip()):
        missing = "a description" if prompt else "instructions"
        found.append(Diagnostic(Code.REFUSED_REQUIRED, f"Codex needs {missing}"))
        return Writing(None, tuple(found))
    own = agent.dialect == "codex"
    permissions: dict[str, JsonValue] = dict(agent.own_permissions)
    if not own:
        fitted = fit(agent.grants.with_effects(), SHAPE, options)
        permissions, permission_found = _permissions(fitted, agent.grants, options)
        found += dict.fromkeys((*fitted.diagnostics, *permission_found))
    model, model_found = model_name(agent, options, {}, lambda model: own or model.removeprefix("openai/") in _MODELS)
    effort, effort_found = _write_effort(agent)
    metadata = without_none(
        {
            "name": agent.name if own else name,
            "description": agent.description,
            "model": model.removeprefix("openai/").removeprefix(f"{UNKNOWN_VENDOR}/") if model else None,
            "model_reasoning_effort": effort,
            **permissions,
            "mcp_servers": agent.mcp_servers if own else None,
        }
    )
    if own:
        metadata |= {**agent.native, **agent.unknown}
    # Tables must follow the plain keys, or these would become the table's.
    tables = {key: value for key, value in metadata.items() if isinstance(value, dict)}
    plain = {key: value for key, value in metadata.items() if key not in tables}
    parts = [tomli_w.dumps(plain), _instructions(prompt), tomli_w.dumps(tables)]
    return Writing("\n".join(filter(None, parts)).encode(), (*found, *model_found, *effort_found))


def _instructions(prompt: str) -> str:
    """The prompt as a TOML literal, which a person can read, or escaped where a literal cannot hold it."""
    if _NOT_LITERAL.search(prompt):
        return tomli_w.dumps({"developer_instructions": f"{prompt}\n"}, multiline_strings=True)
    return f"developer_instructions = '''\n{prompt}\n'''\n"


def enforced(document: Document) -> Grants:
    """The widest that the sandbox and the approval policy let through.

    MCP servers and skills are the session's own, which no key of an agent can take away; `write` says so.
    """
    return _grants(document, enforced=True)


def _grants(document: Document, *, enforced: bool) -> Grants:
    metadata = document.metadata
    sandbox, policy = metadata.get("sandbox_mode"), metadata.get("approval_policy")
    rules = list(_CONFINED if enforced else EVERYTHING.rules)
    match sandbox:
        case "read-only":
            rules += _shell(_escalated(policy, enforced=enforced))
        case "workspace-write" if enforced:
            rules += _shell(Approval.ALLOW)
        case "workspace-write":
            # What leaves the workspace is asked for or refused; other tools have no such bounds, so they ask.
            beyond = _escalated(policy or "on-request", enforced=False)
            rules += [*_shell(beyond), Rule("write", Approval.ALLOW), Rule("edit", Approval.ALLOW)]
        case "danger-full-access" if enforced or policy == "never":
            rules += _shell(Approval.ALLOW)
        case _ if enforced:
            rules += _shell(Approval.SESSION)
        case _:
            rules = list(EVERYTHING.rules)
    if metadata.get("web_search") == "disabled":
        rules.append(Rule("websearch", Approval.DENY))
    return Grants(tuple(rules))


def _shell(approval: Approval) -> list[Rule]:
    return [Rule(tool, approval) for tool in _SHELL]


def _escalated(policy: JsonValue, *, enforced: bool) -> Approval:
    """What a call that the sandbox stops gets: refused where nothing may be asked, else asked for."""
    if policy == "never" or (policy is None and not enforced):
        return Approval.DENY
    return Approval.SESSION if policy is None else Approval.ASK


def _permissions(
    fitted: Fitted, grants: Grants, options: WriteOptions
) -> tuple[dict[str, JsonValue], list[Diagnostic]]:
    levels = fitted.units
    permissions: dict[str, JsonValue] = {}
    found: list[Diagnostic] = []
    if not levels["reading"]:
        found.append(Diagnostic(Code.REFUSED_WIDER, "Codex lets every agent read files, and this one may not"))
    # Codex cannot restrict other tools alone, and a shell that asks is the least that can do what is left.
    if fitted.default < Approval.SESSION or any(
        min(grants.approvals(tool)) < Approval.SESSION for tool in TOOLS - {"websearch"}
    ):
        free = Approval.SESSION if options.approval == "allow" else Approval.ALLOW
        # A workspace that can be written is for agents that may edit, not for all that have a shell to do it with.
        writes = min(levels["shell"], *(min(grants.approvals(tool)) for tool in ("write", "edit"))) >= free
        permissions = {
            "sandbox_mode": "workspace-write" if writes else "read-only",
            "approval_policy": "on-request" if levels["shell"] else "never",
        }
        if levels["shell"] and not writes and _allows_changes(grants):
            found.append(Diagnostic(Code.APPROVAL_NARROWED, "`shell` asks for more calls than the source does"))
    if not levels["web_search"]:
        permissions["web_search"] = "disabled"
    if not fitted.default:
        message = "Codex has no list of tools: MCP servers that the user configured stay available"
        found.append(Diagnostic(Code.UNRESTRICTABLE, message))
    return permissions, found


def _allows_changes(grants: Grants) -> bool:
    return any(Approval.ALLOW in grants.approvals(tool) for tool in SHAPE.units["shell"])


def _write_effort(agent: Agent) -> tuple[str | None, list[Diagnostic]]:
    if agent.effort is None or agent.effort in _EFFORTS or agent.dialect == "codex":
        return None if agent.effort is None else str(agent.effort), []
    return None, [Diagnostic(Code.FIELD_LOST, f"reasoning effort `{agent.effort}` is no level that Codex takes")]


def score(document: Document) -> int:
    return 4 * ("developer_instructions" in document.metadata) + ("name" in document.metadata)


DIALECT: Final = Dialect(
    name="codex",
    title="Codex",
    suffix=".toml",
    user_directory=".codex/agents",
    project_directories=(".codex/agents",),
    recursive=True,
    binaries=("codex",),
    version="0.169.0",
    source="https://developers.openai.com/codex/subagents",
    parse=parse_toml,
    score=score,
    read=read,
    write=write,
    shape=SHAPE,
    enforced=enforced,
    restrictions=frozenset({"sandboxmode", "approvalpolicy", "websearch", "defaultpermissions", "permissions"}),
    environment="CODEX_HOME",
    uses_effects=True,
)
