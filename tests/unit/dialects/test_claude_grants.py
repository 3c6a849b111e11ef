"""Every restricting key, name and mode of Claude Code: what it denies, what it leaves, and what is reported."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentsync.agents.grants import CHANGING, READING, TOOLS, Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.agents.patterns import matches
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from support.conversion import read
from support.grants import CHANGES, PATHS, available, claude, opencode, reported

DENY, ASK, SESSION, ALLOW = Approval
CLAUDE = dialects()["claude"]


# Every name that Claude Code has or had, and its tool; those in the second table no longer grant anything.
CLAUDE_NAMES = {
    "Read": "read",
    "Write": "write",
    "Edit": "edit",
    "NotebookEdit": "notebook",
    "Bash": "bash",
    "Grep": "grep",
    "Glob": "glob",
    "LSP": "lsp",
    "WebFetch": "webfetch",
    "WebSearch": "websearch",
    "Agent": "task",
    "Task": "task",
    "TodoWrite": "todo",
    "Skill": "skill",
    "AskUserQuestion": "question",
}


CLAUDE_GONE = {
    "NotebookRead": "read",
    "MultiEdit": "edit",
    "LS": "list",
    "BashOutput": "bash",
    "KillBash": "bash",
    "KillShell": "bash",
    "TodoRead": "todo",
}


# What names of servers' tools grant in `tools` and deny in `disallowedTools`, as Claude Code 2.1.329 answered with two
# live servers, `tracker` and `other`.
SERVER_NAMES = {
    # name: (the pattern that is granted, the pattern that is denied)
    "mcp__tracker__get_a": ("mcp/tracker/get_a", "mcp/tracker/get_a"),
    "mcp__tracker": ("mcp/tracker/*", "mcp/tracker/*"),
    "mcp__tracker__*": ("mcp/tracker/*", "mcp/tracker/*"),
    "mcp__*": ("", "mcp/*"),
    "mcp__*__*": ("", "mcp/*"),
    **dict.fromkeys(
        (
            *("mcp__tr*", "mcp__tr*__get_a", "mcp__*__search_tickets", "mcp__tracker__get_*", "mcp__tracker__get_?"),
            *("mcp__tracke?", "mcp__tracke?__get_a", "mcp__tracker_*", "mcp__tracker__**", "mcp__*tr*__*", "m*"),
            *("mcp__tracker__*_a", "mcp__tr*er__*"),
        ),
        ("", ""),
    ),
}
CALLS = [f"mcp/{server}/{tool}" for server in ("tracker", "other") for tool in ("get_a", "get_b", "search_tickets")]


@pytest.mark.parametrize(("name", "granted", "denied"), [(name, *patterns) for name, patterns in SERVER_NAMES.items()])
def test_server_names_are_read_as_claude_code_reads_them(name: str, granted: str, denied: str) -> None:
    given, taken = claude(f"tools: [Read, '{name}']"), claude(f"disallowedTools: ['{name}']")
    for call in CALLS:
        level = SESSION if granted and matches(granted, call) else DENY
        assert given.agent.grants.approval(call) is level
        assert CLAUDE.enforced(given.document).approval(call) is level
        assert bool(CLAUDE.enforced(taken.document).approval(call)) is not (bool(denied) and matches(denied, call))
    for read_agent, known in ((given, granted), (taken, denied)):
        assert (Code.UNKNOWN_TOOL in {diagnostic.code for diagnostic in read_agent.diagnostics}) is not bool(known)


@pytest.mark.parametrize("name", [name for name, (granted, _) in SERVER_NAMES.items() if not granted])
def test_no_other_tool_gets_more_than_such_a_name_grants(name: str) -> None:
    for target in dialects().values():
        file = render(claude(f"tools: [Read, '{name}']"), target, WriteOptions())
        plain = render(claude("tools: [Read]"), target, WriteOptions())
        if target.name == "neutral":
            assert file.document is not None
            assert not any(target.enforced(file.document).approval(call) for call in CALLS)
        elif target is not CLAUDE:
            assert file.data == plain.data, target.name


def test_a_denial_by_such_a_name_is_intended_for_all_that_it_covers() -> None:
    denied = {
        "mcp__tr*": ("mcp/tracker/get_a", "mcp/other/get_a"),
        "mcp__*__get_a": ("mcp/other/get_a", "mcp/other/get_b"),
        "mcp__tracker__get_?": ("mcp/tracker/get_b", "mcp/tracker/search_tickets"),
        "mcp__tracker_*": ("mcp/tracker_x/get_a", "mcp/tracker/get_a"),
    }
    for name, (covered, other) in denied.items():
        grants = claude(f"disallowedTools: ['{name}']").agent.grants
        assert (grants.approval(covered), grants.approval(other)) == (DENY, SESSION), name
    assert not claude("disallowedTools: ['mcp__*']").agent.grants.approval("mcp/other/get_a")


def test_arguments_in_a_list_of_claude_code_confine_nothing_there() -> None:
    agent = claude("tools: Bash(git *), Read(src/**), Skill(x), Bash(ls)")
    assert agent.dialect.enforced(agent.document).approval("bash", "rm") is SESSION
    assert agent.agent.grants.approval("bash", "rm") is DENY
    (diagnostic,) = agent.diagnostics
    assert diagnostic.code is Code.NO_EFFECT
    assert "`Bash(git *)`, `Read(src/**)`, `Skill(x)`, `Bash(ls)` restrict nothing" in diagnostic.message
    assert reported("tools: Read, Agent(helper), Task(a, b)", "claude") == []  # which do restrict
    assert Code.NO_EFFECT not in reported("tools: Workflow(scan)", "claude")  # which was not tried


@pytest.mark.parametrize(
    "tools",
    [
        "Read, Bash (git *)",
        "Bash (git *), Read",
        "Read Bash  ( git * )",
        '["Read", "Bash (git *)"]',
        '["Read", "Bash", "(git *)"]',
    ],
)
def test_arguments_separated_from_their_tool_are_intended_but_ignored(tools: str) -> None:
    """As observed, Claude Code reads them as an unknown tool."""
    agent = claude(f"tools: {tools}")
    assert reported(f"tools: {tools}", "claude") == [Code.NO_EFFECT]
    assert agent.dialect.enforced(agent.document).approval("bash", "rm") is SESSION
    assert agent.agent.grants.approval("bash", "git status") is SESSION
    assert agent.agent.grants.approval("bash", "rm") is DENY
    assert agent.agent.grants.approval("read") is SESSION


def test_parentheses_confine_only_the_tool_before_them() -> None:
    agent = claude("tools: (git *), Read, Bash(ls) (git *)")
    assert agent.agent.grants.approval("read") is SESSION
    assert [agent.agent.grants.approval("bash", command) for command in ("ls", "git x", "rm")] == [
        SESSION,
        SESSION,
        DENY,
    ]
    read_only = claude("tools: Read (src/**)").agent.grants
    assert read_only.approval("read", "x") is DENY


def test_the_key_that_claude_code_reads_counts_before_one_that_only_looks_like_it() -> None:
    granted = claude("tools: Read\nTools: Read, Bash").agent.grants
    assert (granted.approval("read"), granted.approval("bash")) == (SESSION, DENY)


def test_a_denial_counts_with_quotes_and_signs_around_the_name() -> None:
    granted = claude("disallowedTools: '`Bash`: [Write]; \"Edit:(x)\"'").agent.grants
    assert [granted.approval(tool) for tool in ("bash", "write", "edit", "read")] == [DENY, DENY, DENY, SESSION]


def test_a_denial_keeps_every_letter_of_the_name() -> None:
    assert claude("disallowedTools: mcp__XX").agent.grants.approval("mcp/XX/x") is DENY


@pytest.mark.parametrize(
    "names", ["'Bash', 'Write'", '"Bash", "Write"', "`Bash`, `Write`", "[Bash, Write", "Bash: Write"]
)
def test_a_denial_that_is_not_valid_yaml_is_written_as_intended(names: str) -> None:
    agent = claude(f"disallowedTools: {names}")
    assert agent.document.repaired
    written = render(agent, CLAUDE, WriteOptions()).data
    assert written is not None
    assert available(CLAUDE.enforced(CLAUDE.parse(written, "x.md"))).isdisjoint({"bash", "write"})


@pytest.mark.parametrize("memory", ["user", "project", "local"])
def test_a_memory_grants_the_tools_it_needs_unless_they_are_denied(memory: str) -> None:
    agent = claude(f"tools: Grep\nmemory: {memory}")
    most = agent.dialect.enforced(agent.document)
    assert available(most) == {"grep", "read", "write", "edit", "external_directory"}
    assert available(agent.agent.grants) == {"grep", "external_directory"}
    data = f"---\nname: x\ndescription: d\ntools: [grep]\nmemory: {memory}\n---\np\n".encode()
    written = render(read("x.md", data, "neutral"), CLAUDE, WriteOptions()).data
    assert written is not None
    assert available(CLAUDE.enforced(CLAUDE.parse(written, "x.md"))) == {"grep", "external_directory"}


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("disallowedTools: {Bash: true}", Code.WRONG_TYPE),
        ("tools: {Bash: true}", Code.TOOLS_NONE),
        ("tools: [Read, 3]", Code.INVALID_VALUE),
    ],
)
def test_a_list_that_claude_code_reads_differently_is_reported(keys: str, code: Code) -> None:
    assert code in reported(keys, "claude")


@pytest.mark.parametrize(("name", "tool"), [*CLAUDE_NAMES.items(), *CLAUDE_GONE.items()])
def test_a_name_of_claude_code_denies_its_tool_and_no_other(name: str, tool: str) -> None:
    for spelled in (name, name.lower(), name.upper(), f"{name}(x)"):
        assert available(claude(f"disallowedTools: {spelled}").agent.grants) == TOOLS - {tool}


@pytest.mark.parametrize(("name", "tool"), CLAUDE_NAMES.items())
def test_a_claude_code_name_grants_its_tool_and_a_path_tool_the_outside(name: str, tool: str) -> None:
    agent = claude(f"tools: {name}")
    expected = {tool, "external_directory"} if tool in PATHS else {tool}
    # Write replaces files that are there, so it can do what Edit can.
    assert available(agent.agent.grants) == (expected | {"edit"} if tool == "write" else expected)
    assert available(agent.dialect.enforced(agent.document)) == expected


@pytest.mark.parametrize("name", CLAUDE_GONE)
def test_a_former_claude_code_name_grants_nothing(name: str) -> None:
    agent = claude(f"tools: {name}")
    assert available(agent.agent.grants) == set()
    assert available(agent.dialect.enforced(agent.document)) == set()


def test_a_denial_of_a_former_name_denies_nothing_in_claude_code() -> None:
    """As observed; other tools do without its successor all the same."""
    for name in CLAUDE_GONE:
        agent = claude(f"disallowedTools: {name}")
        everything = claude("").dialect.enforced(claude("").document)
        assert available(agent.dialect.enforced(agent.document)) == available(everything), name
    assert reported("disallowedTools: MultiEdit, LS", "claude") == [Code.NO_EFFECT]


def test_one_diagnostic_names_the_successors_of_all_former_names() -> None:
    agent = claude("tools: Write, MultiEdit, LS, NotebookRead, TeamCreate, LS")
    (diagnostic,) = agent.diagnostics
    assert diagnostic.code is Code.UNKNOWN_TOOL
    assert "`MultiEdit`, `LS`, `NotebookRead`, `TeamCreate`" in diagnostic.message
    successors = {"MultiEdit": "`Edit`", "LS": "`Glob`, or `Bash` with `ls`,", "NotebookRead": "`Read`"}
    for name, successor in successors.items():
        assert f"; {successor} took the place of `{name}`" in diagnostic.message
    assert {"write", "edit"} <= available(agent.agent.grants)  # writing replaces files, so it implies editing


def test_tools_that_only_claude_code_has_are_not_called_unknown() -> None:
    agent = claude("tools: Read, TaskCreate, TaskGet, TaskList, TaskUpdate, SendMessage, KillShell")
    (diagnostic,) = agent.diagnostics
    assert diagnostic.code is Code.OWN_TOOL
    assert "`TaskCreate`, `TaskGet`, `TaskList`, `TaskUpdate`, `SendMessage`, `KillShell`" in diagnostic.message
    assert available(agent.agent.grants) == {"read", "external_directory"}
    assert reported("tools: TaskFoo", "claude") == [Code.UNKNOWN_TOOL]


@pytest.mark.parametrize(
    "keys",
    [
        *(f"{key}: Read, Grep" for key in ("Tools", "allowedTools", "allowed-tools", "allowed_tools")),
        *(f"{key}: Bash" for key in ("disallowed-tools", "deniedTools", "disabled_tools", "disabledTools")),
        *(f"{key}: plan" for key in ("permission-mode", "PermissionMode", "permission_mode")),
    ],
)
def test_a_key_similar_to_a_claude_code_key_restricts_as_its_author_intended(keys: str) -> None:
    agent = claude(keys)
    assert agent.agent.grants.approval("bash") is DENY
    assert agent.agent.grants.approval("read") is SESSION
    assert agent.dialect.enforced(agent.document).approval("bash") is SESSION


@pytest.mark.parametrize("key", ["Tools", "allowedTools", "allowed-tools"])
def test_a_key_that_looks_like_a_list_grants_what_it_names(key: str) -> None:
    assert available(claude(f"{key}: Read").agent.grants) == {"read", "external_directory"}


@pytest.mark.parametrize("key", ["disallowed-tools", "deniedTools", "disabled_tools"])
def test_a_key_that_looks_like_a_denial_denies_what_it_names(key: str) -> None:
    assert available(claude(f"{key}: Read").agent.grants) == TOOLS - {"read"}


@pytest.mark.parametrize(
    "key",
    "permission permissions readonly read-only sandbox_mode approval_policy approvalMode default_permissions".split(),
)
def test_a_restriction_of_another_tool_leaves_reading_only(key: str) -> None:
    for value in ("x", "true"):
        assert available(claude(f"{key}: {value}").agent.grants) == READING | {"external_directory"}


@pytest.mark.parametrize(
    ("mode", "edit", "shell", "task"),
    [
        ("default", ASK, ASK, ASK),
        ("acceptEdits", ALLOW, SESSION, SESSION),
        ("bypassPermissions", ALLOW, ALLOW, ALLOW),
        ("dontAsk", DENY, DENY, DENY),
        ("plan", DENY, DENY, SESSION),
        ("auto", SESSION, SESSION, SESSION),
    ],
)
def test_a_permission_mode_of_claude_code(mode: str, edit: Approval, shell: Approval, task: Approval) -> None:
    for tools in ("", "tools: Read, Write, Edit, NotebookEdit, Bash, Agent\n"):
        agent = claude(f"{tools}permissionMode: {mode}")
        for granted in (agent.agent.grants, agent.dialect.enforced(agent.document)):
            assert {granted.approval(tool) for tool in CHANGES} == {edit}
            assert (granted.approval("bash"), granted.approval("task")) == (shell, task)
            assert min(granted.approval("read"), SESSION) is SESSION
    assert available(claude(f"tools: Read\npermissionMode: {mode}").agent.grants) == {"read", "external_directory"}


@pytest.mark.parametrize(
    ("mode", "shell", "task"),
    [
        ("DEFAULT", ASK, ASK),
        ("odd", ASK, ASK),
        ("3", ASK, ASK),
        ("[]", ASK, ASK),
        ("{plan: 1}", ASK, ASK),
        ("dontask", DENY, DENY),
        ("Plan", DENY, SESSION),
        ("[plan]", DENY, SESSION),
    ],
)
def test_an_unknown_permission_mode_restricts_as_intended_or_asks(mode: str, shell: Approval, task: Approval) -> None:
    agent = claude(f"permissionMode: {mode}")
    assert (agent.agent.grants.approval("bash"), agent.agent.grants.approval("task")) == (shell, task)
    assert agent.dialect.enforced(agent.document).approval("bash") is SESSION


@pytest.mark.parametrize(
    ("matcher", "guarded"),
    [
        ("matcher: Bash", {"bash"}),
        ("matcher: Write|Edit", {"write", "edit"}),
        ("matcher: Read", {"read"}),
        ("matcher: bash", {"bash"}),
        ("matcher: 'Ba.*'", CHANGING - {"external_directory"}),
        ("matcher: '*'", CHANGING - {"external_directory"}),
        ("matcher: ''", CHANGING - {"external_directory"}),
        ("matcher: 3", CHANGING - {"external_directory"}),
        ("x: y", CHANGING - {"external_directory"}),
    ],
)
def test_a_hook_that_may_refuse_a_tool_is_a_restriction(matcher: str, guarded: set[str]) -> None:
    granted = claude(f"hooks: {{PreToolUse: [{{{matcher}, hooks: [{{type: command, command: x}}]}}]}}").agent.grants
    assert {tool for tool in TOOLS if DENY in granted.approvals(tool)} == guarded


@pytest.mark.parametrize(
    "hooks",
    [
        "{preToolUse: [{matcher: Bash, command: x}]}",
        "{pre_tool_use: [{matcher: Bash, command: x}]}",
        "{PermissionRequest: [{matcher: Bash, command: x}]}",
        "{PreToolUse: {matcher: Bash, command: x}}",
        "{PreToolUse: check.sh}",
        "{PreToolUse: [check.sh]}",
        "[{event: PreToolUse, matcher: Bash, command: x}]",
    ],
)
def test_a_hook_in_another_form_counts_as_a_guard(hooks: str) -> None:
    assert DENY in claude(f"hooks: {hooks}").agent.grants.approvals("bash")


@pytest.mark.parametrize("matcher", ["mcp__db__query", "mcp__db__.*", "'*'", "''", "Bash|mcp__db__query"])
@pytest.mark.parametrize("target", ["opencode", "copilot", "gemini", "junie", "kiro", "kiro2", "qwen", "neutral"])
def test_a_hook_may_guard_tools_of_servers_too(matcher: str, target: str) -> None:
    keys = f"tools: Read, mcp__db__query\nhooks: {{PreToolUse: [{{matcher: {matcher}, hooks: []}}]}}"
    agent = claude(keys)
    agent = replace(agent, agent=agent.agent.model_copy(update={"prompt": "Look at the data, with care.\n"}))
    assert DENY in agent.agent.grants.approvals("mcp/db/query")
    file = render(agent, dialects()[target], WriteOptions())
    if file.data is not None and target != "neutral":
        written = dialects()[target].enforced(dialects()[target].parse(file.data, file.path)).with_flat_names()
        assert not written.approval("mcp/db_query")


def test_a_server_that_a_hook_guards_is_written_whole_where_that_is_accepted() -> None:
    agent = claude("tools: Read, mcp__db__query\nhooks: {PreToolUse: [{matcher: mcp__db__query, hooks: []}]}")
    file = render(agent, dialects()["opencode"], WriteOptions(unenforceable="accept"))
    assert b"db_query: ask\n" in (file.data or b"")
    assert Code.ACCEPTED_WIDER in {diagnostic.code for diagnostic in file.diagnostics}


@pytest.mark.parametrize(
    ("item", "command", "approval"),
    [
        ("Bash(git:*)", "git push", SESSION),
        ("Bash(git:*)", "gitk", DENY),
        ("Bash(npm test)", "npm test", SESSION),
        ("Bash(npm test)", "npm test x", DENY),
        ("Bash(a?b)", "axb", DENY),
        ("Bash(git *, npm test)", "npm test", SESSION),
        ("Bash(git *, npm test)", "rm", DENY),
        ("Bash()", "rm", DENY),
        ("Bash( )", "rm", DENY),
        ("Bash(a(b)c)", "rm", DENY),
        ("Bash(git *) x", "git", SESSION),
        ("(Bash)", "rm", DENY),
        ("*(git)", "rm", DENY),
        ("Bash(git *", "git push", DENY),
        ("Bash)", "rm", DENY),
    ],
)
def test_arguments_of_claude_code_grant_the_commands_they_match(item: str, command: str, approval: Approval) -> None:
    assert claude(f"tools: {item}").agent.grants.approval("bash", command) is approval


@pytest.mark.parametrize("item", ["Read(src/**)", "WebFetch(domain:x.org)", "Edit(./a)", "Skill(x)"])
def test_arguments_that_only_claude_code_can_read_grant_no_call_elsewhere(item: str) -> None:
    tool = CLAUDE_NAMES[item.partition("(")[0]]
    assert DENY in claude(f"tools: {item}").agent.grants.approvals(tool)


def test_only_lists_of_agents_are_written_with_arguments() -> None:
    source = opencode(
        "permission: {'*': deny, task: {'*': deny, explore: ask, 'a*': ask}, bash: {'*': deny, 'git *': ask}}"
    )
    assert b"Agent" not in (render(source, CLAUDE, WriteOptions()).data or b"")
    source = opencode("permission: {'*': deny, read: allow, task: {'*': deny, explore: ask}}")
    assert b"Read, Agent(explore)" in (render(source, CLAUDE, WriteOptions()).data or b"")
    source = opencode("permission: {'*': deny, read: allow, task: {'*': ask, explore: deny}}")
    assert b"Agent" not in (render(source, CLAUDE, WriteOptions()).data or b"")


@pytest.mark.parametrize("pattern", ["mcp/g?/x", "mcp/gh/get_?", "mcp/gh/get_*", "mcp/*/x"])
def test_a_pattern_of_servers_that_claude_code_reads_as_a_name_denies_unnamed_tools(pattern: str) -> None:
    data = f"---\nname: x\ndescription: d\npermissions: {{'{pattern}': deny}}\n---\np\n".encode()
    written = (render(read("x.md", data, "neutral"), CLAUDE, WriteOptions()).data or b"").decode()
    assert "mcp__" not in written
    assert "\ntools: " in written


def test_agents_that_may_be_called_with_different_approval_are_not_listed_together() -> None:
    file = render(opencode("permission: {'*': deny, read: allow, task: {a: ask, b: allow}}"), CLAUDE, WriteOptions())
    assert file.data is not None
    assert b"Agent" not in file.data


_WITHOUT_BASH = "Read, Write, Edit, NotebookEdit, Grep, Glob, LSP, WebFetch, WebSearch, Agent, TodoWrite, Skill"


@pytest.mark.parametrize(
    ("permission", "line", "reported_loss"),
    [
        ("bash: deny", f"tools: {_WITHOUT_BASH}, AskUserQuestion", "servers that the agent does not name are left out"),
        ("bash: deny, 'gh_*': allow", "disallowedTools: Bash", "none can name `gh_*`, so they are lost"),
        ("bash: deny, grep: deny, glob: deny", "disallowedTools: Bash, Grep, Glob", ""),
        ("webfetch: deny", "disallowedTools: WebFetch", ""),
    ],
)
def test_an_agent_without_bash_finds_things_by_a_list(permission: str, line: str, reported_loss: str) -> None:
    """Claude Code has no Grep and Glob beside Bash, and only a list brings them back without it."""
    file = render(opencode(f"permission: {{{permission}}}"), CLAUDE, WriteOptions())
    assert f"\n{line}\n" in (file.data or b"").decode()
    messages = [one.message for one in file.diagnostics if "only a list has Grep and Glob" in one.message]
    assert len(messages) == bool(reported_loss)
    assert all(message.endswith(reported_loss) for message in messages)


def test_such_a_list_names_the_servers_that_the_agent_brings() -> None:
    servers = "[docs, {gh: {command: gh}}, {off: {command: x}}]"
    keys = (
        f"permissions: {{'*': session, bash: deny, mcp/off/*: deny}}\ntargets: {{claude: {{mcp_servers: {servers}}}}}"
    )
    source = read("x.md", f"---\nname: x\ndescription: d\n{keys}\n---\np\n".encode(), "neutral")
    file = render(source, CLAUDE, WriteOptions())
    assert file.document is not None, file.diagnostics
    granted = CLAUDE.enforced(file.document)
    assert [granted.approval(f"mcp/{name}/find") for name in ("docs", "gh", "off")] == [SESSION, SESSION, DENY]
    assert granted.approval("grep")
