"""What runs without asking is judged by what a file does in its tool, alike in all dialects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentsync.agents.narrowing import WriteOptions
from agentsync.agents.unattended import unattended_calls
from agentsync.config import Target
from agentsync.convert.policy import Policy, PolicyTable, Rules
from agentsync.convert.policy_check import judge_output
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.formats.frontmatter import format_markdown
from agentsync.git.objects import Entry
from agentsync.repository.selection import Selection
from agentsync.sync.build import _make
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.contents import ContentStore
from agentsync.sync.snapshot import Snapshot
from support.conversion import read
from support.policies import codes, file_with

STRICT = Rules(
    **dict.fromkeys(("hooks", "mcp_servers", "programs", "addresses", "files"), "allow"),
    modes=("*",),
    unattended="refuse",
)
LIMITED = STRICT.model_copy(update={"unattended": "limited"})
OPEN = STRICT.model_copy(update={"unattended": "allow"})

TRUSTING = "mcpServers: {db: {command: db, %s}}"
ASKED = "edit: ask, bash: ask, webfetch: ask, websearch: ask, external_directory: ask"
WAYS = [
    ("antigravity", "commandExecutionPolicy: eager", True),
    ("antigravity", "", True),  # commands run in a sandbox where nothing else is set
    ("auggie", TRUSTING % "alwaysAllow: [query]", True),
    ("claude", "permissionMode: bypassPermissions", True),
    ("claude", "permissionMode: acceptEdits", True),
    ("claude", "permissionMode: plan", False),
    ("claude", "permission-mode: auto", True),
    ("cline", "", True),  # it never asks
    ("codex", 'sandbox_mode = "workspace-write"\napproval_policy = "never"', True),
    ("codex", 'sandbox_mode = "workspace-write"', True),
    ("codex", 'sandbox_mode = "danger-full-access"', True),
    ("codex", 'default_permissions = ":danger-full-access"', True),
    ("codex", '[mcp_servers.db]\ncommand = "db"\ndefault_tools_approval_mode = "approve"', True),
    ("codex", '[mcp_servers.db]\ncommand = "db"\n[mcp_servers.db.tools.drop]\napproval_mode = "approve"', True),
    ("codex", '[mcp_servers.trust]\ncommand = "db"\n[mcp_servers.trust.tools.drop]\napproval_mode = "prompt"', False),
    ("codex", 'sandbox_mode = "read-only"\napproval_policy = "on-request"', False),
    ("codex", 'approval_policy = "never"', False),  # the sandbox is the session's
    ("copilot", TRUSTING % "autoApprove: true", True),
    ("cursor", TRUSTING % "autoApprove: ['*']", True),
    ("factory", TRUSTING % "autoApprove: ['*']", True),
    ("gemini", TRUSTING % "trust: true", True),
    ("gemini", TRUSTING % "trust: false", False),
    ("goose", TRUSTING % "always_allow: ['*']", True),
    ("junie", TRUSTING % "trusted: true", True),
    ("kilo", "permission: {edit: allow}", True),
    ("kiro", "allowedTools: [write]", True),
    ("kiro", "allowedTools: [read]", False),
    ("kiro", "permissions: {rules: [{capability: shell, effect: allow, match: ['git *']}]}", True),
    ("kiro2", '"allowedTools": ["@git"]', True),
    ("kiro2", '"toolsSettings": {"execute_bash": {"autoAllowReadonly": true}}', True),
    ("kiro2", '"allowedTools": ["fs_read"]', False),
    ("neutral", "permissions: {'*': deny, bash: allow}", True),
    ("neutral", "permissions: {bash: {'*': ask, 'git *': allow}}", True),
    ("opencode", "permission: allow", True),
    ("opencode", "permission: {edit: ask, bash: {'*': ask, 'git *': allow}}", True),
    ("opencode", "permission: {'github_*': allow}", True),
    ("opencode", f"permission: {{'*': allow, {ASKED}}}", True),  # but servers
    ("opencode", "permission: {bash: {'git *': allow, '*': ask}}", False),  # the last rule counts
    ("opencode", "permission: {read: allow, task: allow}", False),
    ("opencode", "", False),  # what runs is the session's decision
    ("qwen", "approvalMode: yolo", True),
    ("qwen", "approvalMode: auto-edit", True),
    ("roo", TRUSTING % "alwaysAllow: [x]", True),
    ("rovodev", TRUSTING % "autoApprove: true", True),
    ("vibe", "bypass_tool_permissions = true", True),
    ("vibe", '[tools.bash]\npermission = "always"', True),
    ("vibe", '[tools.bash]\npermission = "ask"', False),
    ("vibe", '[tools.bash]\nallowlist = ["git push"]', True),
    ("vibe", '[tools.bash]\npermission = "never"\nallowlist = ["git push"]', True),
    ("vibe", 'disabled_tools = ["bash"]\n[tools.bash]\nallowlist = ["git push"]', False),
    ("vibe", 'agent_type = "subagent"\n[tools.bash]\nallowlist = ["git push"]', False),  # the session asks
    ("vibe", '[tools.read_file]\nallowlist = ["/etc/*"]', True),
    ("vibe", '[tools.read_file]\nallowlist = ["docs/notes"]', False),
    ("vibe", '[tools.db_drop]\npermission = "always"', True),
    ("vibe", 'disabled_tools = ["db_*"]\n[tools.db_drop]\npermission = "always"', False),
]


def parsed(dialect: str, keys: str) -> Any:
    tool = dialects()[dialect]
    if dialect == "kiro2":
        head = '{"name": "x", "description": "d", "prompt": "p", "tools": ["*"]'
        return tool.parse(f"{head}, {keys}}}".encode(), "x.json")
    if dialect == "roo":
        text = f"customModes:\n- slug: x\n  name: x\n  roleDefinition: You help.\n  groups: [edit, command]\n  {keys}\n"
        return tool.parse(text.encode(), "x.yaml")
    if dialect in ("cline", "opencode"):  # whose lists would name no tool of theirs
        return tool.parse(f"---\nname: x\ndescription: d\n{keys}\n---\nYou help.\n".encode(), f"x{tool.suffix}")
    return file_with(dialect, keys)


def test_every_dialect_is_tried() -> None:
    assert {dialect for dialect, _, _ in WAYS} == {*dialects()}


@pytest.mark.parametrize(("dialect", "keys", "is_refused"), WAYS)
def test_nothing_that_changes_or_sends_runs_unattended_in_any_dialect(
    dialect: str, keys: str, *, is_refused: bool
) -> None:
    """The setting counts even where each mode, server and key is allowed."""
    document = parsed(dialect, keys)
    found = codes(judge_output(dialects()[dialect], document, "x", [STRICT]))
    assert found == [Code.UNATTENDED_REFUSED] * is_refused
    assert judge_output(dialects()[dialect], document, "x", [OPEN]) == ()


@pytest.mark.parametrize(
    ("dialect", "keys", "expected"),
    [
        ("opencode", "permission: {edit: allow, bash: allow, 'github_*': allow}", []),  # as in any session of it
        ("opencode", "permission: {'*': allow}", [Code.UNATTENDED_REFUSED]),  # also outside of the project
        ("kilo", "permission: {edit: allow}", []),
        ("kilo", "permission: {bash: allow}", [Code.UNATTENDED_REFUSED]),  # which it asks about
        ("kilo", "permission: {bash: {'*': ask, 'git *': allow}}", []),
        ("kilo", "permission: {bash: {'?*': allow}}", [Code.UNATTENDED_REFUSED]),
        ("kiro", "allowedTools: [write]", [Code.UNATTENDED_REFUSED]),
        ("kiro", "allowedTools: ['*']", [Code.UNATTENDED_REFUSED]),
        ("codex", 'sandbox_mode = "workspace-write"', []),
        ("vibe", '[tools.bash]\npermission = "always"', [Code.UNATTENDED_REFUSED]),
        ("vibe", 'safety = "smart"\n[tools.bash]\npermission = "always"', [Code.UNATTENDED_REFUSED]),
        ("vibe", '[tools.bash]\nallowlist = ["git push"]', []),
        ("vibe", '[tools.bash]\nallowlist = ["*"]', [Code.UNATTENDED_REFUSED]),
        ("vibe", '[tools.write_file]\nallowlist = ["docs/**"]', [Code.UNATTENDED_REFUSED]),
        ("claude", "permissionMode: bypassPermissions", []),  # which `modes` names
        ("cline", "", []),
        ("antigravity", "", []),
        ("neutral", "permissions: {bash: allow}", []),  # no tool runs it; what is written from it is judged again
    ],
)
def test_by_default_an_agent_may_skip_what_its_tool_does_not_ask_about_and_single_calls(
    dialect: str, keys: str, expected: list[Code]
) -> None:
    assert codes(judge_output(dialects()[dialect], parsed(dialect, keys), "x", [LIMITED])) == expected


def compiled(head: dict[str, Any], source: str, rules: Rules, approval: str = "ask") -> CompiledAgent:
    """The agent with an output for each target."""
    data = format_markdown({"name": "x", "description": "d", **head}, "You help with things.\n")
    options = WriteOptions(approval=approval)  # type: ignore[arg-type]
    targets = [
        Target(name=name, dialect=name, directory=Path("/", name), create=False, follow_symlinks=False, options=options)
        for name in dialects()
    ]
    nowhere: Any = None  # nothing is read from it
    snapshot = Snapshot("team", "u", "c", nowhere, [], Selection(dialects=(("**", source),)), {})
    policy = Policy((PolicyTable.model_validate(rules.model_dump()),)).of_source("team", "u")
    contents = ContentStore([snapshot], targets)
    return _make(snapshot, Entry("x.md", "100644", "b", len(data)), data, targets, contents=contents, policy=policy)


def without_approval(agent: CompiledAgent) -> dict[str, set[Code]]:
    """The policy's codes for each target that got no file."""
    refusing = {Code.MODE_REFUSED, Code.UNATTENDED_REFUSED}
    return {
        name: {one.code for one in output.diagnostics} & refusing
        for name, output in agent.outputs.items()
        if not output.digest
    }


@pytest.mark.parametrize("approval", ["ask", "allow"])
@pytest.mark.parametrize("mode", ["bypassPermissions", "acceptEdits"])
def test_a_mode_that_is_not_allowed_has_its_effect_in_no_target(mode: str, approval: str) -> None:
    head = {"permissionMode": mode, "tools": "Read, Edit, Write, NotebookEdit, Bash"}
    agent = compiled(head, "claude", Rules(), approval)
    refused = {name for name, found in without_approval(agent).items() if found == {Code.MODE_REFUSED}}
    assert {"claude", "opencode", "kilo", "kiro", "kiro2", "neutral"} <= refused
    assert_all_ask(head, "claude", agent, approval)
    allowing = compiled(head, "claude", Rules(modes=(mode,)), approval)
    assert refused <= {name for name, output in allowing.outputs.items() if output.digest}


@pytest.mark.parametrize("approval", ["ask", "allow"])
@pytest.mark.parametrize(
    ("head", "source"),
    [
        ({"permissionMode": "bypassPermissions"}, "claude"),
        ({"tools": "Read, Edit, Bash"}, "claude"),
        ({"permission": {"bash": {"*": "ask", "git *": "allow"}, "edit": "allow"}}, "opencode"),
        ({"permissions": {"bash": {"*": "ask", "git *": "allow"}}}, "neutral"),
        ({"targets": {name: {"permissions": {"bash": "allow"}} for name in dialects()}}, "neutral"),
        ({"targets": {"opencode": {"native": {"permission": {"bash": "allow"}}}}}, "neutral"),
        ({"targets": {"kiro": {"native": {"allowedTools": ["shell"]}}}}, "neutral"),
        ({"targets": {"qwen": {"native": {"approvalMode": "yolo"}}}}, "neutral"),
    ],
)
def test_no_conversion_and_no_key_for_a_target_evades_the_strictest_setting(
    head: dict[str, Any], source: str, approval: str
) -> None:
    agent = compiled(head, source, STRICT, approval)
    assert any(output.digest for output in agent.outputs.values())
    loose = compiled(head, source, OPEN, approval)
    for name, output in loose.outputs.items():
        if output.digest and not agent.outputs[name].digest:
            assert without_approval(agent)[name] == {Code.UNATTENDED_REFUSED}, name
    assert_all_ask(head, source, agent, approval)


def assert_all_ask(head: dict[str, Any], source: str, agent: CompiledAgent, approval: str) -> None:
    """Render again without a policy, and look at what each accepted file lets through."""
    data = format_markdown({"name": "x", "description": "d", **head}, "You help with things.\n")
    for name, output in agent.outputs.items():
        if output.digest:
            file = render(read("x.md", data, source), dialects()[name], WriteOptions(approval=approval))  # type: ignore[arg-type]
            assert file.document is not None
            assert unattended_calls(dialects()[name].most(file.document)) == (), name


def test_a_machine_that_frees_its_session_frees_no_more_than_that() -> None:
    """With `approval = "allow"` each agent's calls run without asking; that is no doing of the agent's file."""
    agent = compiled({"tools": "Read, Edit, Bash"}, "claude", Rules(), "allow")
    assert agent.outputs["kiro"].digest
    assert not set().union(*without_approval(agent).values())
