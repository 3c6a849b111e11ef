"""Grants from Codex's sandbox and approval policy, and how to write them.

There are two readings. The enforced grants are the widest that the tool's documentation allows. The intended grants are
read in the narrower sense wherever the two may differ, and are the ones that other tools get. docs/permissions.md
explains how grants become a sandbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PureWindowsPath
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, MCP, READING, TOOLS, UNTRANSLATED, Approval, Grants, Rule
from agentsync.agents.key_effects import FOREIGN_RESTRICTING
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.permission_codec import PermissionCodec, Permissions
from agentsync.dialects._kit.session_limits import beyond, reads_anyway
from agentsync.formats.document import Document

_SANDBOXES: Final = ("read-only", "workspace-write", "danger-full-access")  # from the narrowest
# The built-in permission profiles: https://developers.openai.com/codex/permissions.
_PROFILES: Final = {
    ":read-only": "read-only",
    ":workspace": "workspace-write",
    ":danger-full-access": "danger-full-access",
}
_POLICIES: Final = ("untrusted", "on-failure", "on-request", "never")
_SEARCHES: Final = ("disabled", "cached", "indexed", "live")
_WORDS: Final = {"sandbox_mode": _SANDBOXES, "approval_policy": _POLICIES, "web_search": _SEARCHES}

_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "sandbox_mode": _SANDBOXES,
    "default_permissions": tuple(_PROFILES),
    "approval_policy": _POLICIES,
    "web_search": _SEARCHES[:1],
}
"""The keys of permissions, each with the values that grants express in full; other values mean nothing elsewhere."""

_PERMISSION_KEYS: Final = frozenset({*_KEYS, "permissions", "tools"})
_FOLDED_KEYS: Final = frozenset(map(folded_key, _PERMISSION_KEYS))

# Codex has one shell. Reading is free in every sandbox. The shell does everything else, so these tools are granted all
# together or not at all.
_CAPABILITIES: Final = Capabilities(
    units={
        "reading": ("read", "grep", "glob", "list"),
        "shell": ("bash", "write", "edit", "notebook", "webfetch"),
        "web_search": ("websearch",),
    },
    asks=frozenset({"bash", "write", "edit", "notebook", "webfetch"}),
    reads=True,
)
SHELL: Final = (*_CAPABILITIES.units["shell"], "external_directory")
"""The tools that the sandbox and the policy decide about."""

# Switches that take tools away from an agent where they are off. Without a shell Codex does not read files either, but
# its patches still change them.
_SWITCHES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("features", "shell_tool"): (*_CAPABILITIES.units["reading"], "bash", "webfetch"),
    ("features", "apply_patch_freeform"): ("write", "edit", "notebook"),
    ("features", "web_search_request"): ("websearch",),
    ("features", "web_search_cached"): ("websearch",),
    ("tools", "web_search"): ("websearch",),
    ("features", "multi_agent"): ("task",),
    ("features", "multi_agent_v2"): ("task",),
    ("agents", "enabled"): ("task",),
}
# As tried with 0.169.0 and 0.171.0: the session sets these again after the agent's file.
_OF_SESSION: Final = Diagnostic(
    Code.UNRESTRICTABLE,
    "Codex starts an agent with its session's sandbox, approvals, web search, MCP servers, skills and agents",
    hint="Use the agent in a session that may do no more than it, as with `codex --sandbox read-only`.",
)
# Rules in every sandbox: reading is allowed, and the session decides about web search.
_CONFINED: Final = (
    *(Rule(tool, Approval.ALLOW) for tool in _CAPABILITIES.units["reading"]),
    Rule("websearch", Approval.SESSION),
)


def _enforced(document: Document) -> Grants:
    """The widest that the sandbox and the approval policy let through.

    MCP servers and skills come from the session, and no key of an agent can take them away; `_write` reports that. A
    permission profile counts only where the user's configuration names no sandbox, so it takes nothing away here.
    """
    metadata = document.metadata
    sandbox, policy = metadata.get("sandbox_mode"), metadata.get("approval_policy")
    match sandbox, policy:
        case "read-only", "never":
            shell = Approval.DENY
        case (None, _) | ("read-only", None):
            shell = Approval.SESSION
        case "read-only", _:
            shell = Approval.ASK
        case _:
            shell = Approval.ALLOW
    if "profile" in metadata:  # which may name another sandbox in the user's configuration
        shell = Approval.ALLOW
    rules = [*_CONFINED, *_rules(SHELL, shell)]
    if metadata.get("web_search") == "disabled":
        rules.append(Rule("websearch", Approval.DENY))
    return Grants(tuple(rules))


def _intended(metadata: Mapping[str, JsonValue]) -> Grants:
    """The grants that the author of these keys intended.

    A policy alone restricts only as `untrusted`, which asks before all but reading. `on-request` and `on-failure`
    leave approval to the session's sandbox, and `never` refuses calls that the sandbox stops: the session decides.
    """
    policy = metadata.get("approval_policy")
    untrusted = policy == "untrusted"
    rules = [Rule(ANY, Approval.ASK), *_rules(sorted(READING), Approval.SESSION)] if untrusted else [*EVERYTHING.rules]
    # A table of policies may refuse some questions unasked, so it is read as refusing all.
    escalated = Approval.ASK if policy in _POLICIES and policy != "never" else Approval.DENY
    match _sandbox(metadata):
        case "read-only":
            rules += _rules(SHELL, escalated)
        case "workspace-write":
            # Calls outside the workspace need approval or are refused; other tools have no such bounds, so they ask.
            rules += _rules(SHELL, Approval.ASK if policy is None else escalated)
            rules += _rules(("write", "edit"), Approval.ASK if untrusted else Approval.ALLOW)
        case "danger-full-access" if policy == "never":
            rules += _rules(SHELL, Approval.ALLOW)
    if _has_own_profile(metadata):
        # It may also keep files from being read, in a syntax of its own.
        rules += _rules(SHELL, Approval.DENY)
        rules += _rules(_CAPABILITIES.units["reading"], Approval.DENY, f"{UNTRANSLATED}profile")
    for switch in _switched_off(metadata):
        rules += _rules(_SWITCHES[switch], Approval.DENY)
    if metadata.get("web_search") == "disabled":
        rules.append(Rule("websearch", Approval.DENY))
    rules += (Rule("skill", Approval.DENY, name) for name in _skills_off(metadata))
    rules += (Rule(tool, Approval.ASK) for tool in _prompting(metadata.get("mcp_servers")))
    return Grants(tuple(rules))


def _check(fields: Fields) -> None:
    """Report keys that Codex refuses, and restrictions that no other tool can express.

    The keys stay unread: what grants do not express in full is native.
    """
    metadata = fields.metadata
    if not isinstance(metadata.get("tools", {}), dict):
        fields.report(Code.WRONG_DIALECT, "Codex has no list of tools and refuses a file with one in `tools`", "tools")
    for key in fields.keys:
        if folded_key(key) in FOREIGN_RESTRICTING | _FOLDED_KEYS and key not in _PERMISSION_KEYS:
            message = f"Codex does not know `{key}`, and refuses a file with a key that it does not know"
            fields.report(Code.WRONG_DIALECT, message, key)
    for key, words in _WORDS.items():
        value = metadata.get(key, words[0])
        if value not in words and not (key == "approval_policy" and isinstance(value, dict)):
            fields.wrong_type(key, f"one of {', '.join(words)}")
    if not isinstance(metadata.get("default_permissions", ""), str):
        fields.wrong_type("default_permissions", "text")
    if _has_own_profile(metadata):
        key = "default_permissions" if "default_permissions" in metadata else "permissions"
        message = "other tools have no permission profiles, so they get no shell and change nothing"
        fields.report(Code.OWN_RESTRICTION, message, key)
    for name, key in _switched_off(metadata):
        tools = ", ".join(f"`{tool}`" for tool in _SWITCHES[name, key])
        fields.report(Code.OWN_RESTRICTION, f"`{name}.{key}` is off, so other tools do without {tools}", name)


def _rules(tools: Iterable[str], approval: Approval, argument: str = ANY) -> list[Rule]:
    return [Rule(tool, approval, argument) for tool in tools]


def _sandbox(metadata: Mapping[str, JsonValue]) -> str | None:
    """The narrower of the sandbox and the built-in profile, although Codex ignores a profile beside a sandbox."""
    named = (metadata.get("sandbox_mode"), _PROFILES.get(str(metadata.get("default_permissions"))))
    return next((sandbox for sandbox in _SANDBOXES if sandbox in named), None)


def _has_own_profile(metadata: Mapping[str, JsonValue]) -> bool:
    return "permissions" in metadata or metadata.get("default_permissions") not in (None, *_PROFILES)


def _switched_off(metadata: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    for name, key in _SWITCHES:
        table = metadata.get(name)
        value = table.get(key) if isinstance(table, dict) else None
        if value is False or (isinstance(value, dict) and value.get("enabled") is False):
            yield name, key


def _skills_off(metadata: Mapping[str, JsonValue]) -> Iterator[str]:
    """The names of the skills that `[[skills.config]]` switches off, by name or by path."""
    skills = metadata.get("skills")
    entries = skills.get("config") if isinstance(skills, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("enabled") is False:
            path = PureWindowsPath(str(entry.get("path", "")))  # which takes slashes, too
            directory = path.parent if path.name == "SKILL.md" else path
            yield str(entry.get("name") or directory.name)


def _prompting(servers: JsonValue) -> Iterator[str]:
    """The tools of servers that need approval in Codex, whatever its policy."""
    for server, settings in servers.items() if isinstance(servers, dict) else ():
        table = settings if isinstance(settings, dict) else {}
        if table.get("default_tools_approval_mode") == "prompt":
            yield f"{MCP}{server}/{ANY}"
        tools = table.get("tools")
        for tool, modes in tools.items() if isinstance(tools, dict) else ():
            if isinstance(modes, dict) and modes.get("approval_mode") == "prompt":
                yield f"{MCP}{server}/{tool}"


def _own(fields: Fields, _keys: frozenset[str]) -> dict[str, JsonValue]:
    values = {key: fields.peek(key) for key in _KEYS if fields.has(key)}
    return {key: fields.raw(key) for key, value in values.items() if value in _KEYS[key]}


def _write(agent: Agent, options: WriteOptions) -> Permissions:
    grants = agent.grants
    narrowed = narrow(grants.with_effects(), _CAPABILITIES, options)
    levels = narrowed.units
    permissions: dict[str, JsonValue] = {}
    diagnostics = [*narrowed.diagnostics]
    if not levels["reading"]:
        diagnostics.append(reads_anyway("Codex"))
    # Codex cannot restrict single other tools, and a shell that asks is the narrowest one that still does the rest.
    if narrowed.default < Approval.SESSION or any(
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
            diagnostics.append(Diagnostic(Code.APPROVAL_NARROWED, "`shell` asks for more calls than the source does"))
    if not levels["web_search"]:
        permissions["web_search"] = "disabled"
    if permissions:
        diagnostics.append(_OF_SESSION)
    if grants.everything_else:  # an agent with a complete list gets only the sentence above
        diagnostics += beyond(grants, {*_CAPABILITIES.tools, *SHELL}, "Codex", options)
    return permissions, [*dict.fromkeys(diagnostics)]


def _allows_changes(grants: Grants) -> bool:
    return any(Approval.ALLOW in grants.approvals(tool) for tool in _CAPABILITIES.units["shell"])


PERMISSIONS: Final = PermissionCodec(
    keys=_PERMISSION_KEYS,
    capabilities=_CAPABILITIES,
    intended=_intended,
    enforced=_enforced,
    write=_write,
    remedy="write `sandbox_mode`",
    check=_check,
    own=_own,
    uses_effects=True,
)
