"""Every key and rule of Kiro's that restricts or allows: as intended, and as enforced at most."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import CHANGING, READING, TOOLS, Approval, Grants, Rule
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.dialects._kit.guards import restricted
from agentsync.dialects.kiro.permissions import KEYS, enforced, guarded_tools, intended, is_known
from agentsync.dialects.kiro.writer import with_search
from agentsync.formats.frontmatter import parse_markdown
from support.conversion import read
from support.grants import available

DENY, ASK, SESSION, ALLOW = Approval
SOME = "tools: [read, write, shell, web_fetch, subagent, '@gh']\n"


def both(keys: str, version: int = 3) -> tuple[Grants, Grants]:
    metadata = parse_markdown(f"---\n{keys}\n---\n".encode(), "x.md").metadata
    least = restricted(intended(metadata, version=version), metadata, KEYS, guarded_tools)
    return least, enforced(metadata, version=version)


def rules(*declared: str) -> str:
    return "permissions: {rules: [" + ", ".join(f"{{{one}}}" for one in declared) + "]}"


@pytest.mark.parametrize(
    ("declared", "tool", "argument", "least", "most"),
    [
        ("capability: shell, effect: allow, match: ['git *']", "bash", "git push", ALLOW, ALLOW),
        ("capability: shell, effect: allow, match: ['git *']", "bash", "rm", SESSION, SESSION),
        ("capability: shell, effect: allow, match: ['git *'], exclude: ['git push']", "bash", "git", SESSION, ALLOW),
        ("capability: shell, effect: ask, match: ['rm *']", "bash", "rm x", ASK, ASK),
        ("capability: shell, effect: ask, match: ['rm *']", "bash", "ls", SESSION, SESSION),
        ("capability: shell, effect: deny, match: ['rm *']", "bash", "rm x", DENY, DENY),
        ("capability: shell, effect: deny, match: ['rm *']", "bash", "ls", SESSION, SESSION),
        ("capability: shell, effect: deny, match: ['*']", "bash", "ls", DENY, DENY),
        ("capability: shell, effect: deny", "bash", "ls", DENY, DENY),
        ("capability: shell, effect: deny, exclude: ['git *']", "bash", "git push", SESSION, SESSION),
        ("capability: shell, effect: deny, exclude: ['git *']", "bash", "rm", DENY, DENY),
        # An unclear pattern restricts in full and allows nothing as intended; as enforced it is the other way round.
        ("capability: shell, effect: deny, match: ['r? x']", "bash", "ls", DENY, SESSION),
        ("capability: shell, effect: deny, match: ['r? x']", "bash", "r? x", DENY, SESSION),
        ("capability: shell, effect: ask, match: ['r? x']", "bash", "ls", ASK, SESSION),
        ("capability: shell, effect: allow, match: ['l?']", "bash", "rm", SESSION, ALLOW),
        ("capability: shell, effect: allow, match: ['l?']", "bash", "ls", SESSION, ALLOW),
        ("capability: shell, effect: deny, exclude: ['l?']", "bash", "ls", DENY, SESSION),
        ("capability: shell, effect: deny, match: [' ']", "bash", "ls", DENY, DENY),
        ("capability: all, effect: deny, match: ['rm *']", "bash", "ls", DENY, SESSION),
        ("capability: builtin, effect: deny, match: ['rm *']", "bash", "rm x", DENY, SESSION),
        ("capability: all, effect: allow, match: ['ls']", "bash", "ls", SESSION, ALLOW),
        ("capability: all, effect: deny", "bash", "ls", DENY, DENY),
        ("capability: all, effect: deny", "mcp/gh/x", "", DENY, DENY),
        ("capability: builtin, effect: deny", "bash", "ls", DENY, DENY),
        ("capability: builtin, effect: deny", "mcp/gh/x", "", SESSION, SESSION),
        ("capability: web_fetch, effect: deny, match: ['*']", "webfetch", "https://x", DENY, DENY),
        ("capability: subagent, effect: deny, match: [deployer]", "task", "deployer", DENY, DENY),
        ("capability: subagent, effect: deny, match: [deployer]", "task", "tester", SESSION, SESSION),
        ("capability: odd, effect: deny", "bash", "ls", DENY, SESSION),
        ("capability: shell, effect: odd", "bash", "ls", DENY, SESSION),
        # Paths.
        ("capability: fs_write, effect: deny, match: ['secrets/**']", "edit", "secrets/a/b", DENY, DENY),
        ("capability: fs_write, effect: deny, match: ['./secrets/**/*']", "write", "secrets/a", DENY, DENY),
        ("capability: fs_write, effect: deny, match: ['secrets/**']", "write", "src/a", SESSION, SESSION),
        ("capability: fs_write, effect: deny, match: ['secrets/**']", "read", "secrets/a", SESSION, SESSION),
        ("capability: fs_read, effect: deny, match: ['secrets/**']", "read", "secrets/a", DENY, DENY),
        ("capability: fs_read, effect: deny, match: ['./.env']", "read", ".env", DENY, DENY),
        ("capability: fs_read, effect: deny, match: ['secrets/']", "grep", "secrets/a", DENY, DENY),
        ("capability: fs_read, effect: deny, match: ['boX/']", "read", "boX/a", DENY, DENY),
        ("capability: fs_read, effect: deny, match: ['**']", "read", "a", DENY, DENY),
        ("capability: fs_read, effect: deny, match: ['**/*']", "read", "a", DENY, DENY),
        ("capability: fs_read, effect: deny, match: ['./**']", "read", "a", DENY, DENY),
        ("capability: fs_read, effect: deny, match: ['*']", "read", "a/b", DENY, SESSION),
        ("capability: fs_read, effect: deny, match: ['*.env']", "read", "a/b", DENY, SESSION),
        ("capability: fs_write, effect: allow, match: ['*']", "write", "a/b", SESSION, ALLOW),
        ("capability: filesystem, effect: deny, match: ['secrets/**']", "read", "secrets/a", DENY, DENY),
        ("capability: filesystem, effect: deny, match: ['secrets/**']", "edit", "secrets/a", DENY, DENY),
        # Servers.
        ("capability: mcp, effect: deny, match: ['gh/x']", "mcp/gh/x", "", DENY, DENY),
        ("capability: mcp, effect: deny, match: ['gh/x']", "mcp/gh/y", "", SESSION, SESSION),
        ("capability: mcp, effect: deny, match: ['gh/?']", "mcp/gh/find", "", DENY, SESSION),
        ("capability: mcp, effect: deny, match: ['gh/?']", "mcp/gh/x", "", DENY, SESSION),
        ("capability: mcp, effect: allow, match: ['gh/?']", "mcp/gh/x", "", SESSION, ALLOW),
        ("capability: mcp, effect: ask", "mcp/gh/x", "", ASK, ASK),
        ("capability: mcp, effect: allow", "mcp/other/x", "", DENY, DENY),
        # No rule makes a tool available that is not listed.
        ("capability: web_search, effect: allow", "websearch", "x", DENY, DENY),
        ("capability: web_search, effect: ask", "websearch", "x", DENY, DENY),
        ("capability: skill, effect: allow", "skill", "x", DENY, DENY),
    ],
)
def test_a_rule(declared: str, tool: str, argument: str, least: Approval, most: Approval) -> None:
    intended, wide = both(SOME + rules(declared))
    assert (intended.approval(tool, argument), wide.approval(tool, argument)) == (least, most)


@pytest.mark.parametrize("version", [2, 3])
def test_code_is_meant_to_find_things_although_it_can_change_files(version: int) -> None:
    intended, wide = both("tools: [read, code]\nallowedTools: [code]", version)
    assert [intended.approval(tool) for tool in ("lsp", "edit", "write")] == [ALLOW, DENY, DENY]
    assert [wide.approval(tool) for tool in ("lsp", "edit", "write")] == [ALLOW, ALLOW, DENY]


def test_an_adviser_with_code_edits_nothing_elsewhere() -> None:
    source = read("x.json", b'{"name": "x", "description": "d", "tools": ["read", "code"], "prompt": "p"}', "kiro2")
    assert Code.OWN_TOOL in [diagnostic.code for diagnostic in source.diagnostics]
    for target in ("claude", "gemini", "neutral"):
        file = render(source, dialects()[target], WriteOptions())
        assert file.document is not None
        assert not max(dialects()[target].enforced(file.document).approvals("edit")), target
    assert render(source, dialects()["kiro2"], WriteOptions()).data == source.document.data


def test_a_rule_for_skills() -> None:
    for declared, levels in (("effect: deny", [DENY, DENY]), ("effect: deny, match: [deploy]", [DENY, SESSION])):
        for grants in both(f"tools: ['*']\n{rules(f'capability: skill, {declared}')}"):
            assert [grants.approval("skill", name) for name in ("deploy", "pdf")] == levels


ALL = "capability: shell, effect: deny, exclude: ['git *']"


@pytest.mark.parametrize(
    ("declared", "argument", "least", "most"),
    [
        # Another rule may cover an exception.
        ((ALL, "capability: shell, effect: deny, match: ['rm *'], exclude: ['rm x']"), "rm x", DENY, SESSION),
        ((ALL, "capability: shell, effect: deny, match: ['git push']"), "git push", DENY, DENY),
        ((ALL, "capability: shell, effect: deny, match: ['git push']"), "git pull", SESSION, SESSION),
        ((ALL, "capability: shell, effect: ask, match: ['git push']"), "git pull", ASK, SESSION),
        ((ALL, "capability: shell, effect: ask, match: ['git push']"), "rm", DENY, DENY),
        ((ALL, "capability: shell, effect: ask, match: ['rm *']"), "git pull", SESSION, SESSION),
        ((ALL, "capability: shell, effect: ask"), "git pull", ASK, ASK),
        ((ALL, "capability: shell, effect: ask, exclude: ['git pull']"), "git pull", ASK, SESSION),
        ((ALL, "capability: web_fetch, effect: ask"), "git pull", SESSION, SESSION),
        ((ALL, "capability: shell, effect: allow, match: ['git pull']"), "git pull", SESSION, ALLOW),
        ((ALL, "capability: shell, effect: allow, match: ['ls']"), "git pull", SESSION, SESSION),
        ((ALL, "capability: shell, effect: allow"), "git pull", SESSION, ALLOW),
        ((ALL, "capability: shell, effect: allow"), "rm", DENY, DENY),
        (("capability: shell, effect: allow", "capability: shell, effect: ask, match: ['git *']"), "git", ASK, ASK),
        (("capability: shell, effect: ask, match: ['git *']", "capability: shell, effect: allow"), "git", ASK, ASK),
        (("capability: shell, effect: deny", "capability: shell, effect: allow"), "ls", DENY, DENY),
    ],
)
def test_the_most_restrictive_of_several_rules_counts(
    declared: tuple[str, ...], argument: str, least: Approval, most: Approval
) -> None:
    intended, wide = both(SOME + rules(*declared))
    assert (intended.approval("bash", argument), wide.approval("bash", argument)) == (least, most)


@pytest.mark.parametrize(
    ("keys", "version", "least", "most"),
    [
        ("", 3, set(), TOOLS - {"notebook", "question", "todo"}),
        ("", 2, set(), set()),
        ("tools:", 3, set(), TOOLS - {"notebook", "question", "todo"}),
        ("tools:", 2, set(), TOOLS - {"notebook", "question", "skill"}),
        ("tools: []", 3, set(), TOOLS - {"notebook", "question", "todo"}),
        ("tools: []", 2, set(), set()),
        ("tools: ['*']", 3, TOOLS, TOOLS - {"notebook", "question", "todo"}),
        ("tools: ['sh*']", 3, set(), TOOLS - {"notebook", "question", "todo"}),
        ("tools: ['sh*']", 2, set(), TOOLS - {"notebook", "question", "skill"}),
        ("tools: ['@gh/*']", 3, set(), set()),
        ("tools: [shell]\nexcludedTools: [shell]", 3, set(), set()),
        ("tools: [shell]\nexcludedTools: [shell]", 2, set(), {"bash"}),
        ("tools: [shell]\nexcludedTools: ['sh*']", 3, set(), {"bash"}),
        ("tools: [shell]\nexcludedTools: [shell]\nallowedTools: [shell]", 3, set(), set()),
        ("tools: [shell]\npermissions: {rules: [{capability: shell, effect: deny}]}", 2, set(), {"bash"}),
        ("tools: [shell]\npermissions: [{capability: shell, effect: deny}]", 3, set(), {"bash"}),
        ("tools: [shell]\nreadonly: true", 3, set(), {"bash"}),
        ("tools: [shell]\nreadonly: 'yes'", 3, set(), {"bash"}),
    ],
)
def test_which_tools_there_are(keys: str, version: int, least: set[str], most: set[str]) -> None:
    intended, wide = both(keys, version)
    assert (available(intended), available(wide)) == (least, most)


def test_which_servers_and_agents_there_are() -> None:
    intended, wide = both("tools: ['@gh', 'subagent/tester']\npermissions: {rules: [{capability: all, effect: allow}]}")
    for grants in (intended, wide):
        assert [grants.approval(tool) for tool in ("mcp/gh/x", "mcp/other/x", "bash")] == [ALLOW, DENY, DENY]
    for match, tester in (("", ALLOW), (", match: [deployer]", SESSION)):
        rule = f"capability: subagent, effect: allow{match}"
        for grants in both(f"tools: ['subagent/tester']\n{rules(rule)}"):
            assert [grants.approval("task", name) for name in ("tester", "deployer", "x")] == [tester, DENY, DENY]
    intended, _ = both("tools: [subagent]\nexcludedTools: ['subagent/deployer']")
    assert [intended.approval("task", name) for name in ("tester", "deployer")] == [SESSION, DENY]


@pytest.mark.parametrize(
    ("keys", "least", "most"),
    [
        ("allowedTools: [shell]", ALLOW, ALLOW),
        ("allowedTools: [read]", SESSION, SESSION),
        ("allowedTools: ['*']", ALLOW, ALLOW),
        ("allowedTools: ['sh*']", SESSION, ALLOW),
        ("allowedTools: ['shel?']", SESSION, ALLOW),
        ("allowedTools: ['@gh*']", SESSION, SESSION),
        ("allowedTools: [odd]", SESSION, SESSION),
        *(
            (f"toolsSettings: {{shell: {{{key}: true}}}}", SESSION, ALLOW)
            for key in ("allowedCommands", "autoAllowReadonly", "allowedPaths", "trusted", "trustedAgents")
        ),
        ("toolsSettings: {shell: {allowedCommands: []}}", SESSION, SESSION),
        ("toolsSettings: {read: {allowedPaths: [a]}}", SESSION, SESSION),
        ("toolsSettings: {odd: {allowedPaths: [a]}}", SESSION, SESSION),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_calls_that_older_keys_allow(keys: str, least: Approval, most: Approval, version: int) -> None:
    intended, wide = both(f"tools: [shell]\n{keys}", version)
    assert (intended.approval("bash"), wide.approval("bash")) == (least, most)
    assert available(intended) == available(wide) == {"bash"}


@pytest.mark.parametrize("key", ["deniedCommands", "denyByDefault", "deniedPaths", "blocked", "availableAgents"])
def test_a_restriction_of_the_older_kind_covers_some_arguments(key: str) -> None:
    intended, wide = both(f"tools: [shell, read]\ntoolsSettings: {{shell: {{{key}: [x]}}, read: 3}}")
    assert {tool for tool in ("bash", "read") if DENY in intended.approvals(tool)} == {"bash"}
    assert wide.approvals("bash") == {SESSION}
    assert DENY not in both(f"tools: [shell]\ntoolsSettings: {{shell: {{{key}: []}}}}")[0].approvals("bash")


CHANGES = CHANGING - {"external_directory"}


@pytest.mark.parametrize(
    ("hooks", "guarded"),
    [
        ("{preToolUse: [{matcher: shell, command: x}]}", {"bash"}),
        ("{PreToolUse: [{matcher: fs_write, command: x}]}", {"write", "edit"}),
        ("{preToolUse: [{matcher: 'sh.*', command: x}]}", CHANGES),
        ("{preToolUse: [{matcher: '*', command: x}]}", CHANGES),
        ("{preToolUse: [{command: x}]}", CHANGES),
        ("{preToolUse: [{matcher: glob, command: x}]}", {"glob"}),
        ("{preToolUse: [{matcher: odd, command: x}]}", CHANGES),
        ("{stop: [{command: x}]}", set()),
        ("[{trigger: preToolUse, matcher: shell}]", {"bash"}),
        ("[{trigger: PreToolUse}]", CHANGES),
        ("[{trigger: stop}, 3]", set()),
    ],
)
def test_a_hook_that_may_refuse_a_tool_is_a_restriction(hooks: str, guarded: set[str]) -> None:
    intended, _ = both(f"tools: ['*']\nhooks: {hooks}")
    assert {tool for tool in CHANGES | READING if DENY in intended.approvals(tool)} == guarded


def test_a_restriction_of_the_older_kind_counts_in_any_case() -> None:
    intended, _ = both("tools: ['*']\ntoolsSettings: {Execute_Bash: {denyByDefault: true}}")
    assert {tool for tool in TOOLS if DENY in intended.approvals(tool)} == {"bash"}


@pytest.mark.parametrize(
    ("setting", "least"),
    [
        *((setting, DENY) for setting in ("DeniedCommands: ['rm .*']", "denied_commands: [x]", "disabled: true")),
        *((setting, DENY) for setting in ("excludePaths: [x]", "forbidden: [x]", "availableAgents: [x]")),
        *((setting, DENY) for setting in ("deny: 'rm .*'", "blockedCommands: [x]", "denyByDefault: 'true'")),
        *((setting, SESSION) for setting in ("deniedCommands: []", "denyByDefault: false", "disabled: 'no'")),
        *((setting, SESSION) for setting in ("allowedCommands: [x]", "deniedCommands: null", "timeout: 3")),
    ],
)
def test_a_restriction_of_the_older_kind_counts_in_any_spelling(setting: str, least: Approval) -> None:
    intended, _ = both(f"tools: ['*']\ntoolsSettings: {{shell: {{{setting}}}}}")
    assert min(intended.approvals("bash")) is least


def test_a_name_for_servers_grants_and_denies_them() -> None:
    assert both("tools: ['@mcp']")[0].approval("mcp/gh/x") is SESSION
    assert both("tools: ['*']\nexcludedTools: ['@mcp']")[0].approval("mcp/gh/x") is DENY


def test_reading_all_files_includes_searching_them() -> None:
    assert with_search(Grants((Rule("read", SESSION),))).approvals("grep") == {SESSION}
    assert with_search(Grants((Rule("read", SESSION), Rule("read", DENY, "x*")))).approvals("grep") == {DENY}
    assert with_search(Grants((Rule("read", ASK), Rule("grep", SESSION)))).approvals("grep") == {SESSION}
    partly = Grants((Rule("read", SESSION), Rule("grep", SESSION), Rule("grep", DENY, "x*")))
    assert with_search(partly).approvals("grep") == {SESSION}


def test_names_that_kiro_knows() -> None:
    assert all(map(is_known, ("shell", "#image", "subagent/x", "fs_*", "knowledge", "@gh")))
    assert not is_known("Shell")


@pytest.mark.parametrize("dialect", ["kiro", "kiro2"])
@pytest.mark.parametrize("level", ["deny", "{'*': session, x: deny}"])
def test_a_tool_without_a_name_of_its_own_is_taken_away_by_a_complete_list(dialect: str, level: str) -> None:
    data = f"---\nname: x\ndescription: d\npermissions: {{lsp: {level}}}\n---\nDo it.\n"
    target = dialects()[dialect]
    file = render(read("x.md", data.encode(), "neutral"), target, WriteOptions())
    assert file.data is not None
    granted = target.enforced(target.parse(file.data, file.path))
    assert not max(granted.approvals("lsp"))
    assert granted.approval("bash") is SESSION
    assert Code.TOOL_LOST in {diagnostic.code for diagnostic in file.diagnostics}
