"""What a policy takes, what it refuses, and what counts as being given more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from agentsync.agents.grants import TOOLS, wider
from agentsync.agents.key_effects import KEY_EFFECTS, Effect, KeyEffect, effects_of
from agentsync.agents.narrowing import WriteOptions
from agentsync.agents.patterns import ANY
from agentsync.config import Config, Target, policy_of
from agentsync.convert.policy import (
    DEFAULT,
    Abilities,
    Policy,
    PolicyTable,
    Rules,
    SourcePolicy,
    abilities,
    escalation,
    judge_output,
    judge_text,
    read_policy,
)
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ConfigError
from agentsync.dialects import dialects
from agentsync.formats.document import Document
from agentsync.formats.frontmatter import format_markdown
from agentsync.formats.validated_toml import validate
from agentsync.git.objects import Entry
from agentsync.repository.checks import masked
from agentsync.repository.selection import Selection
from agentsync.sync.build import ContentStore, _make
from agentsync.sync.snapshot import Snapshot
from support.agents import thorough
from support.conversion import read

OPTIONS = WriteOptions()
CLAUDE, OPENCODE, CODEX = (dialects()[name] for name in ("claude", "opencode", "codex"))
SPOKEN = {"description": "d", "name": "x"}
HOOK: JsonValue = {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]}
DOCS = "https://git.acme.example/docs.git"


def document(dialect: str = "claude", /, **keys: JsonValue) -> Document:
    return dialects()[dialect].parse(format_markdown({**SPOKEN, **keys}, "You help.\n"), "x.md")


def codes(found: Sequence[Diagnostic]) -> list[Code]:
    return [one.code for one in found]


def judged(rules: Rules, dialect: str = "claude", /, **keys: JsonValue) -> list[Code]:
    return codes(judge_output(dialects()[dialect], document(dialect, **keys), "x", [rules]))


# What an agent brings


@pytest.mark.parametrize(
    ("dialect", "keys", "code"),
    [
        ("claude", {"hooks": HOOK}, Code.HOOKS_REFUSED),
        ("copilot", {"hooks": HOOK}, Code.HOOKS_REFUSED),
        ("qwen", {"hooks": HOOK}, Code.HOOKS_REFUSED),
        ("kiro", {"hooks": [{"trigger": "Stop"}]}, Code.HOOKS_REFUSED),
        ("claude", {"mcpServers": {"db": {"command": "db"}}}, Code.SERVERS_REFUSED),
        ("claude", {"mcpServers": ["github", {"db": {"command": "db"}}]}, Code.SERVERS_REFUSED),
        ("copilot", {"mcp-servers": {"db": {"command": "db"}}}, Code.SERVERS_REFUSED),
        ("gemini", {"mcp_servers": {"db": {"command": "db"}}}, Code.SERVERS_REFUSED),
        ("claude", {"permissionMode": "acceptEdits"}, Code.MODE_REFUSED),
        ("claude", {"permissionMode": "bypassPermissions"}, Code.MODE_REFUSED),
        ("claude", {"permissionMode": "auto"}, Code.MODE_REFUSED),
        ("claude", {"permissionMode": "one that a later version may have"}, Code.MODE_REFUSED),
        ("qwen", {"approvalMode": "yolo"}, Code.MODE_REFUSED),
    ],
)
def test_what_takes_the_users_guard_away_is_refused_unless_it_is_allowed(
    dialect: str, keys: dict[str, JsonValue], code: Code
) -> None:
    assert judged(Rules(), dialect, **keys) == [code]
    assert judged(Rules(hooks="allow", mcp_servers="allow", modes=("*",)), dialect, **keys) == []


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"tools": "Read, Bash, mcp__github__*"},
        {"hooks": {}},
        {"hooks": None},
        {"mcpServers": ["github"]},
        {"mcpServers": {}},
        *({"permissionMode": mode} for mode in ("default", "plan", "dontAsk")),
    ],
)
def test_what_leaves_it_where_it_is_is_taken(keys: dict[str, JsonValue]) -> None:
    assert judged(Rules(), **keys) == []


def test_a_codex_agent_without_a_sandbox_is_refused() -> None:
    data = b'name = "x"\ndescription = "d"\ndeveloper_instructions = "p"\nsandbox_mode = "%s"\n'
    for mode, expected in (("danger-full-access", [Code.MODE_REFUSED]), ("workspace-write", []), ("read-only", [])):
        parsed = CODEX.parse(data % mode.encode(), "x.toml")
        assert codes(judge_output(CODEX, parsed, "x", [Rules()])) == expected


VIBE = 'description = "d"\ninstructions = "p"\n'
CODEX_HEAD = 'name = "x"\ndescription = "d"\ndeveloper_instructions = "p"\n'
MARKDOWN = "---\nname: x\ndescription: d\ntools: ['*']\n{}\n---\nYou help with the work.\n"
EFFECTS: list[tuple[str, str, Code]] = [
    ("vibe", "bypass_tool_permissions = true", Code.MODE_REFUSED),
    ("vibe", 'safety = "yolo"', Code.MODE_REFUSED),
    ("vibe", 'tool_paths = ["tools"]', Code.PROGRAM_REFUSED),
    (
        "vibe",
        '[[providers]]\nname = "p"\napi_base = "https://p.example"\napi_key_env_var = "KEY"',
        Code.ADDRESS_REFUSED,
    ),
    ("vibe", 'otel_endpoint = "https://p.example"', Code.ADDRESS_REFUSED),
    ("vibe", 'skill_paths = ["~/elsewhere"]', Code.FILE_REFUSED),
    ("codex", 'default_permissions = ":danger-full-access"', Code.MODE_REFUSED),
    ("codex", 'default_permissions = "wide"\n[permissions.wide]\nnetwork = true', Code.MODE_REFUSED),
    ("codex", "[sandbox_workspace_write]\nnetwork_access = true", Code.MODE_REFUSED),
    ("codex", 'notify = ["sh", "-c", "id"]', Code.PROGRAM_REFUSED),
    ("codex", '[model_providers.p.auth]\ncommand = "id"', Code.PROGRAM_REFUSED),
    ("codex", '[model_providers.p]\nbase_url = "https://p.example"', Code.ADDRESS_REFUSED),
    ("codex", '[shell_environment_policy.set]\nLD_PRELOAD = "/tmp/x.so"', Code.PROGRAM_REFUSED),
    ("codex", 'model_instructions_file = "/etc/passwd"', Code.FILE_REFUSED),
    ("codex", '[agents.x]\nconfig_file = "/etc/x.toml"', Code.FILE_REFUSED),
    ("codex", '[profiles.x]\nsandbox_mode = "danger-full-access"', Code.MODE_REFUSED),
    ("codex", 'experimental_thread_config_endpoint = "https://p.example"', Code.ADDRESS_REFUSED),
    ("vibe", "enable_system_trust_store = true", Code.ADDRESS_REFUSED),
    ("qwen", "executor: {command: id}", Code.PROGRAM_REFUSED),
    ("qwen", "executionBackend: {command: id}", Code.PROGRAM_REFUSED),
    ("antigravity", "commandExecutionPolicy: eager", Code.MODE_REFUSED),
    ("antigravity", "commandExecutionPolicy: one of a later version", Code.MODE_REFUSED),
    ("antigravity", "plugins: [p]", Code.PROGRAM_REFUSED),
    ("auggie", "provider_base_url: https://p.example", Code.ADDRESS_REFUSED),
    *(
        ("kiro", f"resources: ['{path}']", Code.FILE_REFUSED)
        for path in (
            *("file://~/.ssh/id_ed25519", "file:///etc/passwd", "file://../secret", "file://docs/../../x", "~/x"),
            *("skill://~/x/SKILL.md", "https://p.example/x", "file://$HOME/x", "file://C:/x", "file://a/%2e%2e/x"),
            *(
                "file://a\\\\..\\\\..\\\\x",
                "FILE://~/.ssh/id",
                "file://a/.${X:-.}/.${X:-.}/etc",
                "file://localhost/etc",
            ),
            *("file://{/etc,a}/x", "file:// /etc/x"),
        )
    ),
    ("kiro", "resources: [{type: knowledgeBase, source: 'file://~/notes', name: n}]", Code.FILE_REFUSED),
    ("kiro", "resources: [{type: t, source: 'file://notes', folder: /etc}]", Code.FILE_REFUSED),
    ("kiro", "resources: [{file: notes}]", Code.FILE_REFUSED),
]


def _file(dialect: str, keys: str) -> Document:
    tool = dialects()[dialect]
    text = {"vibe": VIBE + keys, "codex": CODEX_HEAD + keys}.get(dialect, MARKDOWN.format(keys))
    return tool.parse(text.encode(), f"x{tool.suffix}")


@pytest.mark.parametrize(("dialect", "keys", "code"), EFFECTS)
def test_what_a_key_has_its_tool_do_is_refused_unless_it_is_allowed(dialect: str, keys: str, code: Code) -> None:
    tool = dialects()[dialect]
    found = judge_output(tool, _file(dialect, keys), "x", [Rules()])
    assert code in codes(found)
    assert all(one.line for one in found)
    free = Rules(programs="allow", addresses="allow", files="allow", modes=("*",))
    assert judge_output(tool, _file(dialect, keys), "x", [free]) == ()


@pytest.mark.parametrize(
    ("dialect", "keys"),
    [
        ("vibe", 'bypass_tool_permissions = false\nsafety = "safe"\ntool_paths = []\nskill_paths = ["skills"]'),
        ("codex", 'default_permissions = ":workspace"'),
        ("codex", '[plugins."x"]\nenabled = false\n[apps._default]\nenabled = false\n[otel]\nexporter = "none"'),
        ("codex", '[shell_environment_policy]\nexclude = ["AWS_*"]\n[agents.x]\nmax_depth = 1'),
        ("codex", "notify = []\n[sandbox_workspace_write]\nnetwork_access = false\nexclude_slash_tmp = true"),
        ("antigravity", "commandExecutionPolicy: sandbox\nplugins: []"),
        ("kiro", "resources: ['file://README.md', 'file://docs/**/*.md', 'skill://.kiro/skills/*/SKILL.md']"),
        ("kiro", "resources: [{type: knowledgeBase, source: 'file://./docs', name: 'all: of it'}]"),
        ("claude", "plugins: [p]\nresources: [https://p.example]\nnotify: team\nsafety: yolo"),
        ("copilot", "executor: somebody\nproviders: [p]"),
    ],
)
def test_what_does_nothing_of_the_kind_is_taken(dialect: str, keys: str) -> None:
    """Keys of one tool are inert in the files of another that does not read them."""
    assert judge_output(dialects()[dialect], _file(dialect, keys), "x", [Rules()]) == ()


def _harmful(key: str, row: KeyEffect) -> str:
    if key == "agents":
        return '{x = {config_file = "/x"}}'
    return "true" if row.effect is Effect.CHANGES_APPROVAL else '"/x"'


@pytest.mark.parametrize("name", ["codex", "vibe"])
def test_every_effect_of_the_table_is_judged_in_the_formats_that_take_any_key(name: str) -> None:
    effects = {Effect.RUNS_PROGRAM, Effect.OPENS_ADDRESS, Effect.READS_FILE, Effect.CHANGES_APPROVAL}
    rows = [(key, row) for key, found in KEY_EFFECTS.items() for row in found if name in row.dialects]
    for key, row in rows:
        found = judge_output(dialects()[name], _file(name, f"{key} = {_harmful(key, row)}"), "x", [Rules()])
        assert bool(found) == any(one.effect in effects for one in effects_of(key)), key


def test_a_model_that_is_chosen_in_another_way_counts_where_models_are_restricted() -> None:
    document = _file("vibe", '[compaction_model]\nname = "m"')
    vibe = dialects()["vibe"]
    assert judge_output(vibe, document, "x", [Rules()]) == ()
    assert codes(judge_output(vibe, document, "x", [Rules(models=("mistral/*",))])) == [Code.MODEL_REFUSED]


def test_escalation_names_each_key_that_has_its_tool_do_more() -> None:
    vibe = dialects()["vibe"]
    before, after = (abilities(vibe, _file("vibe", keys), "x") for keys in ('tool_paths = ["a"]', 'tool_paths = ["b"]'))
    assert escalation(before, after) == ("`tool_paths`",)
    assert escalation(before, before) == ()
    claude = [abilities(CLAUDE, document(permissionMode=mode), "x") for mode in ("plan", "acceptEdits")]
    assert escalation(*claude)[-1] == "permission mode `acceptEdits`"
    assert len([word for word in escalation(*claude) if "ermission" in word]) == 1


def test_one_mode_can_be_allowed_without_the_others() -> None:
    rules = Rules(modes=("acceptEdits",))
    assert judged(rules, permissionMode="acceptEdits") == []
    assert judged(rules, permissionMode="bypassPermissions") == [Code.MODE_REFUSED]


def test_a_refusal_has_its_line_and_names_the_server() -> None:
    (found,) = judge_output(CLAUDE, document(mcpServers={"db": {"command": "db"}}), "x", [Rules()])
    assert found.line == 4
    assert found.message == "brings the MCP server `db`"


def test_a_second_spelling_of_a_key_hides_nothing() -> None:
    keys: dict[str, JsonValue] = {"permissionMode": "bypassPermissions", "permission-mode": "default"}
    assert judged(Rules(), **keys) == [Code.MODE_REFUSED]
    assert judged(Rules(), **dict(reversed(keys.items()))) == [Code.MODE_REFUSED]
    assert judged(Rules(), hooks=HOOK, Hooks={}) == [Code.HOOKS_REFUSED]
    assert judged(Rules(), mcpServers={"a": {}}, mcp_servers=[]) == [Code.SERVERS_REFUSED]


# What an agent is granted


@pytest.mark.parametrize(
    ("rules", "tools", "excess"),
    [
        (Rules(tools=("read", "bash")), "Read, Bash", ""),
        (Rules(tools=("read", "bash")), "Read, Write", "`write`"),
        (Rules(tools=("read", "web*")), "Read, WebFetch, WebSearch", ""),
        (Rules(tools=("*",), servers=("github",)), "Read, mcp__github__*, mcp__github__x", ""),
        (Rules(tools=("*",), servers=("git*",)), "mcp__gitlab__*", ""),
        (Rules(tools=("*",), servers=("github",)), "mcp__jira__search", "`mcp/jira_search`"),
        (Rules(servers=()), "Read, mcp__jira__*", "`mcp/jira_`"),
        (Rules(tools=("read",), servers=("github",)), "mcp__github__x", ""),
        (Rules(tools=("read",)), "Foo", "`other/Foo`"),
    ],
)
def test_an_agent_has_the_tools_that_are_allowed_or_is_refused(rules: Rules, tools: str, excess: str) -> None:
    found = judge_output(CLAUDE, document(tools=tools), "x", [rules])
    assert [(one.code, one.message) for one in found] == (
        [(Code.GRANT_REFUSED, f"it would have {excess}")] if excess else []
    )


def test_who_names_no_tools_has_every_one() -> None:
    assert judged(Rules(tools=("read",))) == [Code.GRANT_REFUSED]
    assert judged(Rules(servers=("github",))) == [Code.GRANT_REFUSED]
    assert judged(Rules(inherit="refuse")) == [Code.GRANT_REFUSED]
    assert judged(Rules(inherit="refuse"), tools="Read") == []
    assert judged(Rules()) == []


def test_what_a_tool_ignores_restricts_nothing() -> None:
    assert judged(Rules(tools=("read",)), **{"allowed-tools": "Read"}) == [Code.GRANT_REFUSED]


def test_servers_are_known_by_the_names_that_a_tool_gives_them() -> None:
    permission: JsonValue = {"*": "deny", "github_*": "allow"}
    assert judged(Rules(servers=("github",)), "opencode", permission=permission) == []
    assert judged(Rules(servers=("jira",)), "opencode", permission=permission) == [Code.GRANT_REFUSED]


def test_a_shell_counts_for_what_it_can_do_where_it_does_everything() -> None:
    source = read("x.md", format_markdown({**SPOKEN, "tools": "Read, Grep"}, "p\n"), "claude")
    file = render(source, CODEX, OPTIONS)
    assert file.document is not None
    assert judge_output(CODEX, file.document, "x", [Rules(tools=("read", "grep"), servers=())]) == ()
    assert codes(judge_output(CODEX, file.document, "x", [Rules(tools=("write",))])) == [Code.GRANT_REFUSED]


def test_models_are_globs_and_none_is_the_sessions() -> None:
    assert judged(Rules(models=("anthropic/*",)), model="opus") == []
    assert judged(Rules(models=("anthropic/haiku",)), model="opus") == [Code.MODEL_REFUSED]
    assert judged(Rules(models=())) == []


# Its text, name and size


@pytest.mark.parametrize(
    ("found", "refused", "key"),
    [(Code.HIDDEN_UNICODE, Code.HIDDEN_REFUSED, "hidden"), (Code.SECRET, Code.SECRET_REFUSED, "secrets")],
)
def test_a_finding_on_the_text_is_an_error_unless_it_is_allowed(found: Code, refused: Code, key: str) -> None:
    finding = Diagnostic(found, "m", path="x.md", line=3)
    assert judge_text([finding], "x", 1, [Rules()]) == (Diagnostic(refused, "m", path="x.md", line=3),)
    allowing = Rules.model_validate({key: "allow"})
    assert judge_text([finding], "x", 1, [allowing]) == (finding,)
    assert codes(judge_text([finding], "x", 1, [allowing, Rules()])) == [refused]


def test_names_are_kept_for_others_and_files_are_small() -> None:
    rules = Rules(reserved=("explore", "own-*"), max_bytes=10)
    assert codes(judge_text([], "explore", 11, [rules])) == [Code.NAME_REFUSED, Code.SIZE_REFUSED]
    assert judge_text([], "explorer", 10, [rules]) == ()


# Whom a policy means


def test_exceptions_are_for_a_source_and_an_agent_and_the_last_counts_key_by_key() -> None:
    table = PolicyTable(
        agents={
            "*/deploy-*": Rules(hooks="allow"),
            "team/*": Rules(mcp_servers="allow"),
            "https://git.acme.example/*/deploy-x": Rules(hooks="refuse", escalation="hold"),
        }
    )
    team = Policy((table,)).of_source("team", DOCS)
    assert team.rules("other") == (table.model_copy(update={"mcp_servers": "allow"}),)
    assert [(rules.hooks, rules.mcp_servers) for rules in team.rules("deploy-y")] == [("allow", "allow")]
    assert [(rules.hooks, rules.escalation) for rules in team.rules("deploy-x")] == [("refuse", "hold")]
    assert Policy((table,)).of_source("mine", "/srv/mine").rules("x") == (table,)


@pytest.mark.parametrize("pattern", ["deploy", "/deploy", "team/"])
def test_an_exception_names_both(pattern: str) -> None:
    with pytest.raises(ConfigError, match="SOURCE/AGENT"):
        validate({"version": 1, "policy": {"agents": {pattern: {"hooks": "allow"}}}}, Config, "config.toml")


def test_a_machines_policy_means_sources_by_their_url() -> None:
    read_policy(f'[agents."{DOCS}/*"]\nhooks = "allow"\n[agents."*/x"]\nhooks = "allow"\n', "policy.toml")
    with pytest.raises(ConfigError, match="URL") as error:
        read_policy('[agents."team/*"]\nhooks = "allow"\n', "policy.toml")
    assert error.value.place == "policy.toml:1"


def configured(**policy: JsonValue) -> Config:
    return validate({"version": 1, "policy": policy}, Config, "config.toml")


def test_the_stricter_of_two_policies_counts(tmp_path: Path) -> None:
    machine = tmp_path / "policy.toml"
    loose: dict[str, JsonValue] = {"hooks": "allow", "modes": ["*"], "max_agents": 100}
    assert policy_of(configured(**loose), machine).of_source("s", "u").max_agents == 100
    machine.write_text('escalation = "hold"\nmax_agents = 3\nmcp_servers = "allow"\n')
    both = policy_of(configured(**loose), machine).of_source("s", "u")
    assert both.max_agents == 3
    head = document(hooks=HOOK, permissionMode="auto", mcpServers={"db": {}})
    found = judge_output(CLAUDE, head, "x", both.rules("x"))
    assert sorted(one.code.id for one in found) == sorted(
        code.id for code in (Code.HOOKS_REFUSED, Code.MODE_REFUSED, Code.SERVERS_REFUSED)
    )


@pytest.mark.parametrize("data", [b'hoks = "allow"\n', b"\xff", b"hooks = maybe"])
def test_a_machines_policy_with_a_mistake_stops_everything(tmp_path: Path, data: bytes) -> None:
    machine = tmp_path / "policy.toml"
    machine.write_bytes(data)
    with pytest.raises(ConfigError) as error:
        policy_of(configured(), machine)
    assert error.value.place.startswith(str(machine))


def test_a_machines_policy_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        policy_of(configured(), tmp_path)


# Growth


def given_by(dialect: str = "claude", /, **keys: JsonValue) -> Abilities:
    return abilities(dialects()[dialect], document(dialect, **keys), "x")


@pytest.mark.parametrize(
    ("before", "after", "grown"),
    [
        ({"tools": "Read"}, {"tools": "Read"}, ()),
        ({"tools": "Read, Bash"}, {"tools": "Read"}, ()),
        ({}, {"tools": "Read"}, ()),
        ({"tools": "Read"}, {"tools": "Read, Bash, Write"}, ("`bash`", "`write`")),
        ({"tools": "Read"}, {"tools": "Read, mcp__gh__*"}, ("`mcp/gh_*`",)),
        ({"tools": "Read"}, {}, ("every tool that its session has",)),
        ({}, {"permissionMode": "plan"}, ()),
        ({"permissionMode": "plan"}, {"permissionMode": "default"}, ("`bash`", "`edit`", "`notebook`", "`write`")),
        ({"tools": "Bash", "permissionMode": "default"}, {"tools": "Bash"}, ("`bash`",)),
        ({}, {"permissionMode": "auto"}, ("permission mode `auto`",)),
        ({"permissionMode": "auto"}, {}, ()),
        ({}, {"hooks": HOOK}, ("hooks",)),
        ({"hooks": HOOK}, {}, ("hooks",)),
        ({"hooks": HOOK}, {"hooks": HOOK}, ()),
        ({}, {"mcpServers": {"db": {"command": "db"}}}, ("MCP server `db`",)),
        ({"mcpServers": [{"db": {"command": "db"}}]}, {"mcpServers": [{"db": {"command": "x"}}]}, ("MCP server `db`",)),
        ({"mcpServers": {"db": {"command": "db"}}}, {"mcpServers": {"db": {"command": "db"}}}, ()),
        ({"mcpServers": {"db": {"command": "db"}}}, {}, ()),
        ({"model": "haiku"}, {"model": "opus"}, ("model `anthropic/opus`",)),
        ({"model": "opus"}, {}, ()),
    ],
)
def test_what_a_change_gives_is_named(
    before: dict[str, JsonValue], after: dict[str, JsonValue], grown: tuple[str, ...]
) -> None:
    assert escalation(given_by(**before), given_by(**after)) == grown


def test_escalation_sees_arguments_and_switches() -> None:
    def allowed(*commands: str) -> Abilities:
        return given_by("opencode", permission={"*": "deny", "bash": dict.fromkeys(commands, "allow")})

    assert escalation(allowed("git diff"), allowed("git diff", "rm")) == ("`bash` with `rm`",)
    assert escalation(allowed("git *"), allowed("git diff")) == ()
    assert escalation(given_by("opencode", disable=True), given_by("opencode")) == ("to be switched on",)


# Whatever a policy says


globs = st.lists(st.sampled_from(["*", "read", "write", "bash", "web*", "g*", "task", "x"]), max_size=4).map(tuple)
says = st.sampled_from(["allow", "refuse"])
policies = st.builds(
    Rules,
    hooks=says,
    mcp_servers=says,
    inherit=says,
    modes=st.sampled_from([(), ("*",), ("auto",)]),
    tools=globs,
    servers=st.lists(st.sampled_from(["*", "gh", "g?"]), max_size=2).map(tuple),
    models=st.sampled_from([("*",), ("anthropic/*",), ()]),
    escalation=st.sampled_from(["report", "hold"]),
)
tools = st.sampled_from("Read Write Edit Bash Grep WebFetch Agent mcp__gh__* mcp__jira__x Foo Bash(git:*)".split())
heads = st.fixed_dictionaries(
    {"name": st.just("agent-x"), "description": st.just("d")},
    optional={
        "tools": st.lists(tools, max_size=5).map(", ".join),
        "disallowedTools": st.lists(tools, max_size=3).map(", ".join),
        "permissionMode": st.sampled_from("acceptEdits auto bypassPermissions default dontAsk plan odd".split()),
        "hooks": st.sampled_from([HOOK, {}]),
        "mcpServers": st.sampled_from([["gh"], {"gh": {"command": "x"}}, [{"gh": {"command": "x"}}]]),
        "model": st.sampled_from(["inherit", "opus", "claude-opus-4-5"]),
    },
)


@thorough
@given(head=heads, rules=policies, target=st.sampled_from(sorted(dialects())))
def test_what_a_policy_takes_is_within_it(head: dict[str, JsonValue], rules: Rules, target: str) -> None:
    """A policy writes nothing of its own, so that what it takes is all that there is to show."""
    dialect = dialects()[target]
    file = render(read("x.md", format_markdown(head, "You help with things.\n"), "claude"), dialect, OPTIONS)
    if file.document is None or judge_output(dialect, file.document, "agent-x", [rules]):
        return
    granted = dialect.enforced(file.document)
    allowed = {tool for tool in TOOLS if any(matches_glob(tool, glob) for glob in rules.tools)}
    reached = {tool for tool in TOOLS - {"external_directory"} if max(granted.approvals(tool))}
    covered = allowed | {"grep", "glob", "list"} if dialect.uses_effects and "read" in allowed else allowed
    assert reached <= covered or (dialect.uses_effects and "bash" in allowed)
    given = abilities(dialect, file.document, "agent-x")
    assert not (given.hooks and rules.hooks == "refuse")
    assert not (given.servers and rules.mcp_servers == "refuse")
    assert not (granted.everything_else and (rules.inherit == "refuse" or ANY not in rules.tools))
    assert all(rules.modes for _ in given.modes)
    assert not (given.model and rules.models == ())
    if rules.grants is not None and not dialect.uses_effects:
        assert wider(granted.with_flat_names(), rules.grants.with_flat_names()) is None


@thorough
@given(head=heads, rules=policies)
def test_what_is_written_under_a_policy_is_what_is_written_without_it_or_nothing(
    head: dict[str, JsonValue], rules: Rules
) -> None:
    data = format_markdown(head, "You help with things.\n")
    targets = [
        Target(name=name, dialect=name, directory=Path("/", name), create=False, follow_symlinks=False, options=OPTIONS)
        for name in ("claude", "opencode", "codex", "copilot")
    ]
    nowhere: Any = None  # nothing is read from it
    snapshot = Snapshot("team", DOCS, "c", nowhere, [], Selection(dialects=(("**", "claude"),)), {})
    entry = Entry("agents/x.md", "100644", "b", len(data))

    def written(policy: SourcePolicy) -> set[tuple[str, str, str]]:
        made = _make(snapshot, entry, data, targets, contents=ContentStore([snapshot], targets), policy=policy)
        return {(name, output.path, output.digest) for name, output in made.outputs.items() if output.digest}

    table = PolicyTable.model_validate(rules.model_dump())
    assert written(Policy((table,)).of_source("team", DOCS)) <= written(SourcePolicy())


def matches_glob(name: str, glob: str) -> bool:
    return glob in ("*", name) or (glob.endswith("*") and name.startswith(glob[:-1]))


def test_a_credential_is_taken_out_of_whatever_is_told() -> None:
    token = "ghp_" + "a1B2" * 10
    found = masked(Diagnostic(Code.MODEL_UNKNOWN, f"model `{token}`", path="x.md", hint=f"name {token}", agent=token))
    assert token not in str(found.as_dict())
    assert found.message == "model `(hidden)`"
    plain = Diagnostic(Code.SECRET, "this looks like a GitHub token")
    assert masked(plain) == plain


def test_what_is_usual_is_what_the_configuration_says_by_itself() -> None:
    assert DEFAULT.rules("x") == (PolicyTable(),)
    assert configured().policy == PolicyTable()
