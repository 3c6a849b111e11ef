"""Codex: TOML, and no list of tools: a sandbox and an approval policy say what its one shell may do.

Facts: https://developers.openai.com/codex/subagents, and the tool itself, version 0.169.0 (November 2026). An unknown
key makes Codex refuse the file. docs/permissions.md says how grants become a sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
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
from agentsync.permissions import ANY, EVERYTHING, MCP, READING, TOOLS, UNTRANSLATED, Approval, Grants, Rule

_SANDBOXES: Final = ("read-only", "workspace-write", "danger-full-access")  # from the narrowest
# The built-in permission profiles: https://developers.openai.com/codex/permissions.
_PROFILES: Final = {
    ":read-only": "read-only",
    ":workspace": "workspace-write",
    ":danger-full-access": "danger-full-access",
}
_POLICIES: Final = ("untrusted", "on-failure", "on-request", "never")
_SEARCHES: Final = ("disabled", "cached", "indexed", "live")
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# The keys of permissions, each with those of its values that grants say in full.
_CARRIED: Final[dict[str, tuple[str, ...]]] = {
    "sandbox_mode": _SANDBOXES,
    "default_permissions": tuple(_PROFILES),
    "approval_policy": _POLICIES,
    "web_search": _SEARCHES[:1],
}
_NATIVE: Final = frozenset(
    {"nickname_candidates", "model_provider", "model_reasoning_summary", "model_verbosity", "personality"}
    | {"service_tier", "features", "skills", "tools", "agents", "permissions", "sandbox_workspace_write"}
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
_SHELL: Final = (*SHAPE.units["shell"], "external_directory")
# Switches that take tools away from an agent where they are off; without a shell Codex does not read files either.
_SWITCHES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("features", "shell_tool"): (*SHAPE.units["reading"], *SHAPE.units["shell"]),
    ("features", "apply_patch_freeform"): ("write", "edit", "notebook"),
    ("features", "web_search_request"): ("websearch",),
    ("features", "web_search_cached"): ("websearch",),
    ("tools", "web_search"): ("websearch",),
    ("features", "multi_agent"): ("task",),
    ("features", "multi_agent_v2"): ("task",),
    ("agents", "enabled"): ("task",),
}
# What every sandbox lets through: reading, and a search of the web that the session decides about.
_CONFINED: Final = (
    *(Rule(tool, Approval.ALLOW) for tool in SHAPE.units["reading"]),
    Rule("websearch", Approval.SESSION),
)


def read(document: Document, stem: str) -> Reading:
    fields = Fields(document, Code.WRONG_TYPE)
    name, description = fields.name(stem, required=True), fields.description(required=True)
    prompt = fields.text("developer_instructions")
    if not (prompt or "").strip():
        fields.tell(Code.WRONG_TYPE, "`developer_instructions` must hold the prompt", "developer_instructions")
    _check_permissions(document.metadata, fields)
    said = {key: fields.raw(key) for key in _CARRIED if fields.has(key)}
    own = {key: value for key, value in said.items() if value in _CARRIED[key]}
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
            "grants": _meant(document.metadata),
            "own_permissions": own,
            "model": known_vendor(model, _VENDORS) if model else None,
            "effort": effort,
            "mode": "subagent",
            "mcp_servers": mcp_servers,
            "native": {**native, **{key: value for key, value in said.items() if key not in own}},
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

    MCP servers and skills are the session's own, which no key of an agent can take away; `write` says so. A permission
    profile counts only where no configuration of the user's names a sandbox, so it takes nothing away here.
    """
    sandbox, policy = document.metadata.get("sandbox_mode"), document.metadata.get("approval_policy")
    match sandbox, policy:
        case "read-only", "never":
            shell = Approval.DENY
        case (None, _) | ("read-only", None):
            shell = Approval.SESSION
        case "read-only", _:
            shell = Approval.ASK
        case _:
            shell = Approval.ALLOW
    rules = [*_CONFINED, *_rules(_SHELL, shell)]
    if document.metadata.get("web_search") == "disabled":
        rules.append(Rule("websearch", Approval.DENY))
    return Grants(tuple(rules))


def _meant(metadata: Mapping[str, JsonValue]) -> Grants:
    """What the author meant, in the narrower sense.

    A policy alone restricts only as `untrusted`, which asks before all but reading. `on-request` and `on-failure`
    leave the asking to the session's sandbox, and `never` refuses what that sandbox stops: the session decides.
    """
    policy = metadata.get("approval_policy")
    untrusted = policy == "untrusted"
    rules = [Rule(ANY, Approval.ASK), *_rules(sorted(READING), Approval.SESSION)] if untrusted else [*EVERYTHING.rules]
    # A table of policies may refuse some questions unasked, so it is read as refusing all.
    escalated = Approval.ASK if policy in _POLICIES and policy != "never" else Approval.DENY
    match _sandbox(metadata):
        case "read-only":
            rules += _rules(_SHELL, escalated)
        case "workspace-write":
            # What leaves the workspace is asked for or refused; other tools have no such bounds, so they ask.
            rules += _rules(_SHELL, Approval.ASK if policy is None else escalated)
            rules += _rules(("write", "edit"), Approval.ASK if untrusted else Approval.ALLOW)
        case "danger-full-access" if policy == "never":
            rules += _rules(_SHELL, Approval.ALLOW)
    if _has_own_profile(metadata):
        # It may also keep files from being read, in a syntax of its own.
        rules += _rules(_SHELL, Approval.DENY)
        rules += _rules(SHAPE.units["reading"], Approval.DENY, f"{UNTRANSLATED}profile")
    for switch in _switched_off(metadata):
        rules += _rules(_SWITCHES[switch], Approval.DENY)
    if metadata.get("web_search") == "disabled":
        rules.append(Rule("websearch", Approval.DENY))
    return Grants(tuple(rules))


def _rules(tools: Iterable[str], approval: Approval, argument: str = ANY) -> list[Rule]:
    return [Rule(tool, approval, argument) for tool in tools]


def _sandbox(metadata: Mapping[str, JsonValue]) -> str | None:
    """The narrower of the sandbox and the built-in profile, although Codex heeds no profile beside a sandbox."""
    said = (metadata.get("sandbox_mode"), _PROFILES.get(str(metadata.get("default_permissions"))))
    return next((sandbox for sandbox in _SANDBOXES if sandbox in said), None)


def _has_own_profile(metadata: Mapping[str, JsonValue]) -> bool:
    return "permissions" in metadata or metadata.get("default_permissions") not in (None, *_PROFILES)


def _switched_off(metadata: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    for name, key in _SWITCHES:
        table = metadata.get(name)
        value = table.get(key) if isinstance(table, dict) else None
        if value is False or (isinstance(value, dict) and value.get("enabled") is False):
            yield name, key


def _check_permissions(metadata: Mapping[str, JsonValue], fields: Fields) -> None:
    if not isinstance(metadata.get("tools", {}), dict):
        fields.tell(Code.WRONG_DIALECT, "Codex has no list of tools and refuses a file with one in `tools`", "tools")
    fields.text("sandbox_mode", _SANDBOXES)
    fields.text("default_permissions")
    if not isinstance(metadata.get("approval_policy"), dict):
        fields.text("approval_policy", _POLICIES)
    fields.text("web_search", _SEARCHES)
    if _has_own_profile(metadata):
        key = "default_permissions" if "default_permissions" in metadata else "permissions"
        message = "other tools have no permission profiles, so they get no shell and change nothing"
        fields.tell(Code.OWN_RESTRICTION, message, key)
    for name, key in _switched_off(metadata):
        tools = ", ".join(f"`{tool}`" for tool in _SWITCHES[name, key])
        fields.tell(Code.OWN_RESTRICTION, f"`{name}.{key}` is off, so other tools do without {tools}", name)


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
    return permissions, [*found, *_beyond(grants, options)]


def _beyond(grants: Grants, options: WriteOptions) -> Iterator[Diagnostic]:
    """The restrictions of what is no part of Codex's shell, and so stays as the user's session has it."""
    if not grants.everything_else:
        message = "Codex has no list of tools: MCP servers, skills and agents of the user's session stay available"
        yield Diagnostic(Code.UNRESTRICTABLE, message)
        return
    others = [*sorted(TOOLS - {*SHAPE.tools, *_SHELL}), *(tool for tool in grants.patterns if tool.startswith(MCP))]
    for level, code, verb in (
        (Approval.DENY, Code.UNRESTRICTABLE, "take away"),
        (Approval.ASK, Code.APPROVAL_SESSION, "ask before"),
    ):
        restricted = [tool for tool in others if min(grants.approvals(tool)) == level < grants.everything_else]
        names = ", ".join(f"`{tool.removeprefix(MCP)}`" for tool in restricted)
        message = f"Codex cannot {verb} {names}: the user's session decides"
        if restricted and options.strict_approval:
            yield Diagnostic(Code.REFUSED_WIDER, f"{message}, and `strict_approval` is set")
        elif restricted:
            yield Diagnostic(code, message)


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
    restrictions=frozenset(
        {"sandboxmode", "approvalpolicy", "websearch", "defaultpermissions", "permissions", "tools"}
    ),
    environment="CODEX_HOME",
    uses_effects=True,
)
