"""Policies on the keys of an agent: hooks, servers, modes, programs, addresses and files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agentsync.agents.key_effects import Effect, KeyEffect
from agentsync.convert.policy import Rules
from agentsync.convert.policy_check import judge_output
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.dialects.codex.config import KEYS
from support.policies import HOOK, codes, document, file_with, judged

if TYPE_CHECKING:
    from pydantic import JsonValue

CLAUDE, CODEX = (dialects()[name] for name in ("claude", "codex"))


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
def test_a_key_that_removes_the_users_guard_is_refused_unless_it_is_allowed(
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
def test_a_key_that_leaves_the_guard_is_allowed(keys: dict[str, JsonValue]) -> None:
    assert judged(Rules(), **keys) == []


def test_a_codex_agent_without_a_sandbox_is_refused() -> None:
    data = b'name = "x"\ndescription = "d"\ndeveloper_instructions = "p"\nsandbox_mode = "%s"\n'
    for mode, expected in (("danger-full-access", [Code.MODE_REFUSED]), ("workspace-write", []), ("read-only", [])):
        parsed = CODEX.parse(data % mode.encode(), "x.toml")
        assert codes(judge_output(CODEX, parsed, "x", [Rules()])) == expected


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
    ("opencode", "options: {mcpServers: [{type: url, url: https://p.example}]}", Code.ADDRESS_REFUSED),
    ("kilo", "options: {openai: {baseURL: https://p.example}}", Code.ADDRESS_REFUSED),
    ("vibe", 'system_prompt_id = "../../etc/x"', Code.FILE_REFUSED),
    ("vibe", 'default_agent = "auto-approve"', Code.MODE_REFUSED),
    ("vibe", '[tools.bash]\nshell = "./shell"', Code.PROGRAM_REFUSED),
    ("vibe", "enable_telemetry = true", Code.ADDRESS_REFUSED),
    ("vibe", "enable_mcp = true", Code.ADDRESS_REFUSED),
    ("vibe", "voice_mode_enabled = true", Code.ADDRESS_REFUSED),
    ("codex", "[features]\nplugins = true", Code.PROGRAM_REFUSED),
    ("codex", "[features]\napps = {enabled = true}", Code.ADDRESS_REFUSED),
    ("codex", "[features]\nguardian_approval = true", Code.MODE_REFUSED),
    ("codex", "[features]\nwrite_stdin_approval = false", Code.MODE_REFUSED),
    ("codex", '[[skills.config]]\npath = "/x/SKILL.md"\nenabled = true', Code.FILE_REFUSED),
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


@pytest.mark.parametrize(("dialect", "keys", "code"), EFFECTS)
def test_an_effect_of_a_key_is_refused_unless_it_is_allowed(dialect: str, keys: str, code: Code) -> None:
    tool = dialects()[dialect]
    diagnostics = judge_output(tool, file_with(dialect, keys), "x", [Rules()])
    assert code in codes(diagnostics)
    assert all(diagnostic.line for diagnostic in diagnostics)
    free = Rules(programs="allow", addresses="allow", files="allow", modes=("*",))
    assert judge_output(tool, file_with(dialect, keys), "x", [free]) == ()


@pytest.mark.parametrize(
    ("dialect", "keys"),
    [
        ("vibe", 'bypass_tool_permissions = false\nsafety = "safe"\ntool_paths = []\nskill_paths = ["skills"]'),
        ("vibe", "enable_telemetry = false\nenable_mcp = false\n[tools.bash]\ndefault_timeout = 9"),
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
def test_a_key_without_such_an_effect_is_allowed(dialect: str, keys: str) -> None:
    """Keys of one tool are inert in the files of another that does not read them."""
    assert judge_output(dialects()[dialect], file_with(dialect, keys), "x", [Rules()]) == ()


def _harmful(key: str, row: KeyEffect) -> str:
    if key == "agents":
        return '{x = {config_file = "/x"}}'
    if key == "features":
        return "{plugins = true}"
    if key == "tools":
        return '{bash = {shell = "/x"}}'
    if key == "skills":
        return '{config = [{path = "/x"}]}'
    return "true" if row.effect is Effect.CHANGES_APPROVAL else '"/x"'


@pytest.mark.parametrize("name", ["codex", "vibe"])
def test_every_effect_of_the_table_is_judged_in_the_formats_that_take_any_key(name: str) -> None:
    effects = {Effect.RUNS_PROGRAM, Effect.OPENS_ADDRESS, Effect.READS_FILE, Effect.CHANGES_APPROVAL}
    dialect = dialects()[name]
    rows = [(key, row) for key, entries in dialect.effects.items() for row in entries]
    assert rows
    for key, row in rows:
        diagnostics = judge_output(dialect, file_with(name, f"{key} = {_harmful(key, row)}"), "x", [Rules()])
        assert bool(diagnostics) == any(one.effect in effects for one in dialect.effects_of(key)), key


def test_a_model_that_is_chosen_in_another_way_counts_where_models_are_restricted() -> None:
    document = file_with("vibe", '[compaction_model]\nname = "m"')
    vibe = dialects()["vibe"]
    assert judge_output(vibe, document, "x", [Rules()]) == ()
    assert codes(judge_output(vibe, document, "x", [Rules(models=("mistral/*",))])) == [Code.MODEL_REFUSED]


@pytest.mark.parametrize(
    ("dialect", "keys", "entry"),
    [
        ("vibe", "plugin_hosts = ['x']", "vibe.plugin_hosts"),
        ("codex", "plugin_hosts = ['x']", "codex.plugin_*"),
        ("codex", "[features]\nfree_shell = true", "codex.features.free_shell"),
    ],
)
def test_an_undeclared_key_of_an_open_format_is_refused_unless_the_policy_names_it(
    dialect: str, keys: str, entry: str
) -> None:
    tool, document = dialects()[dialect], file_with(dialect, keys)
    (diagnostic,) = judge_output(tool, document, "x", [Rules()])
    assert diagnostic.code is Code.KEY_REFUSED
    assert diagnostic.line == 4 if dialect == "codex" else 3
    assert judge_output(tool, document, "x", [Rules(keys=(entry,))]) == ()
    assert codes(judge_output(tool, document, "x", [Rules(keys=("other.*",))])) == [Code.KEY_REFUSED]


def test_every_key_of_an_open_tools_configuration_is_declared() -> None:
    codex = dialects()["codex"]
    assert codex.undeclared is not None
    assert [*codex.undeclared(dict.fromkeys(KEYS))] == []
    features: JsonValue = {"shell_tool": False, "web_search_request": True, "multi_agent": {"enabled": False}}
    assert judge_output(codex, replace(file_with("codex", ""), metadata={"features": features}), "x", [Rules()]) == ()


@pytest.mark.parametrize("dialect", sorted({*dialects()} - {"codex", "vibe", "roo", "kiro2"}))
def test_a_key_that_a_closed_format_does_not_know_is_inert(dialect: str) -> None:
    assert judge_output(dialects()[dialect], file_with(dialect, "plugin_hosts: [x]"), "x", [Rules()]) == ()


def test_one_mode_can_be_allowed_without_the_others() -> None:
    rules = Rules(modes=("acceptEdits",))
    assert judged(rules, permissionMode="acceptEdits") == []
    assert judged(rules, permissionMode="bypassPermissions") == [Code.MODE_REFUSED]


def test_a_refusal_has_its_line_and_names_the_server() -> None:
    (diagnostic,) = judge_output(CLAUDE, document(mcpServers={"db": {"command": "db"}}), "x", [Rules()])
    assert diagnostic.line == 4
    assert diagnostic.message == "brings the MCP server `db`"


def test_a_second_spelling_of_a_key_hides_nothing() -> None:
    keys: dict[str, JsonValue] = {"permissionMode": "bypassPermissions", "permission-mode": "default"}
    assert judged(Rules(), **keys) == [Code.MODE_REFUSED]
    assert judged(Rules(), **dict(reversed(keys.items()))) == [Code.MODE_REFUSED]
    assert judged(Rules(), hooks=HOOK, Hooks={}) == [Code.HOOKS_REFUSED]
    assert judged(Rules(), mcpServers={"a": {}}, mcp_servers=[]) == [Code.SERVERS_REFUSED]
