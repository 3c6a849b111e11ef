"""Keys of one tool in an agent of another: they may restrict, and grant nothing."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import MCP, READING, TOOLS, Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.policy import Rules
from agentsync.convert.policy_check import judge_output
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import Dialect, dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read
from support.grants import available


def head(keys: str) -> bytes:
    return f"---\nname: reviewer\ndescription: Reviews changes.\n{keys}\n---\nYou review changes.\n".encode()


@pytest.mark.parametrize("dialect", dialects().values(), ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    "key", ["readonly: true", "readOnly: 'yes'", "sandbox_mode: read-only", "approvalPolicy: true"]
)
def test_a_restriction_of_another_tool_leaves_reading_only(dialect: Dialect, key: str) -> None:
    agent = read_agent(f"reviewer{dialect.suffix}", head(key), dialect.name)
    if isinstance(agent, NoAgent):
        assert agent.refused
        return
    assert available(agent.agent.grants) <= READING | {"external_directory"}


@pytest.mark.parametrize("target", [*dialects().values()], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    "keys", ["zzz: 1", "mcpServers: {zzz: {command: zzz}}", "hooks: {Stop: [{hooks: [{type: command, command: zzz}]}]}"]
)
def test_keys_of_one_tool_are_not_written_for_another(target: Dialect, keys: str) -> None:
    data = render(read("reviewer.md", head(keys), "claude"), target, WriteOptions()).data
    assert data is not None
    assert (b"zzz" in data) is (target.name in ("claude", "neutral"))


@pytest.mark.parametrize("target", [*dialects().values()], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    "keys",
    [
        "hooks: {PreToolUse: [{matcher: Bash, hooks: [{type: command, command: x}]}]}",
        "tools: Read, Bash(a?b)",
    ],
)
def test_a_restriction_that_only_its_own_tool_can_read_leaves_the_tool_out(target: Dialect, keys: str) -> None:
    file = render(read("reviewer.md", head(keys), "claude"), target, WriteOptions())
    if file.data is None or target.name in ("claude", "neutral"):
        return
    assert b"untranslated" not in file.data
    granted = target.enforced(target.parse(file.data, file.path)).approvals("bash")
    assert max(granted) is Approval.DENY


@pytest.mark.parametrize("tool", sorted((TOOLS | {"mcp/gh/*"}) - {"external_directory"}))
@pytest.mark.parametrize("level", ["deny", "ask"])
def test_goose_gets_no_agent_that_restricts_what_goose_has(tool: str, level: str) -> None:
    agent = read("reviewer.md", head(f"permissions: {{'{tool}': {level}}}"), "neutral")
    is_missing = tool in ("lsp", "notebook", "task")
    assert (render(agent, dialects()["goose"], WriteOptions()).data is None) is not is_missing


def test_cursor_gets_no_agent_that_has_to_ask_where_only_that_will_do() -> None:
    agent = read("reviewer.md", head("permissions: {bash: ask}"), "neutral")
    assert render(agent, dialects()["cursor"], WriteOptions(strict_approval=True)).data is None
    assert render(agent, dialects()["cursor"], WriteOptions()).data is not None


@pytest.mark.parametrize(
    "name", ["* ", " *", " read", "read ", " tracker/get_a", " read_file", "read_file ", " mcp__gh__x"]
)
@pytest.mark.parametrize("dialect", ["copilot", "gemini", "qwen"])
def test_a_name_with_blanks_around_it_in_a_list_matches_no_tool(dialect: str, name: str) -> None:
    """Observed in all three: they compare the item unchanged, where other tools trim it."""
    agent = read_agent("reviewer.md", head(f"tools: ['{name}']"), dialect)
    if not isinstance(agent, NoAgent):
        assert available(agent.agent.grants) == set()
        assert available(agent.dialect.enforced(agent.document)) == set()
        assert not any(rule.tool.startswith(MCP) and rule.approval for rule in agent.agent.grants.rules)
        written = render(agent, dialects()["claude"], WriteOptions()).data
        assert written is not None
        assert b"tools: []" in written


def test_a_denial_of_vibes_counts_in_another_case() -> None:
    data = (
        b'description = "d"\nagent_type = "agent"\ninstructions = "p"\ndisabled_tools = ["TRACKER_GET_A", "*_Put_*"]\n'
    )
    grants = read("x.toml", data, "vibe").agent.grants
    assert [grants.approval(f"mcp/tracker_{tool}") for tool in ("get_a", "put_b", "list")] == [
        Approval.DENY,
        Approval.DENY,
        Approval.SESSION,
    ]


def test_a_policy_sees_a_servers_tool_by_the_name_that_copilot_joins() -> None:
    copilot = dialects()["copilot"]
    document = copilot.parse(head("tools: [read, tracker-get_a]"), "x.md")
    (diagnostic,) = judge_output(copilot, document, "x", [Rules(servers=("github",))])
    assert diagnostic.code is Code.GRANT_REFUSED


@pytest.mark.parametrize(
    ("dialect", "key", "meant"),
    [
        ("claude", "tool", "tools"),
        ("claude", "disalowedTools", "disallowedTools"),
        ("opencode", "permision", "permission"),
        ("kiro", "excludeTool", "excludedTools"),
        ("gemini", "tool", "tools"),
        ("codex", "sandbox_mod", "sandbox_mode"),
    ],
)
def test_a_misspelt_key_that_restricts_leaves_reading_only_and_is_reported(dialect: str, key: str, meant: str) -> None:
    data = f"---\nname: x\ndescription: d\n{key}: Bash\n---\np\n"
    toml = f"name = 'x'\ndescription = 'd'\ndeveloper_instructions = 'p'\n{key} = 'read-only'\n"
    agent = read("x.md", (toml if dialect == "codex" else data).encode(), dialect)
    assert available(agent.agent.grants) <= READING | {"external_directory"}
    effects = [one.message for one in agent.diagnostics if one.code is Code.NO_EFFECT]
    assert effects == [f"{agent.dialect.title} does not read `{key}`: did you mean `{meant}`?"]


def test_a_key_that_no_tool_knows_is_left_out_with_the_one_that_was_meant() -> None:
    agent = read(
        "x.md", b"---\nname: x\ndescription: d\nmcps: {}\nmode: agent\nemoji: a\nmaxTurn: 3\n---\np\n", "claude"
    )
    written = render(agent, dialects()["opencode"], WriteOptions())
    (lost,) = (one for one in written.diagnostics if "emoji" in one.message)
    assert lost.code is Code.UNKNOWN_KEY
    # `mode` is another tool's key, and neither `model` nor a mistake.
    assert "`mcps` (did you mean `mcpServers`?), `mode`, `emoji`, `maxTurn` (did you mean `maxTurns`?)" in lost.message
