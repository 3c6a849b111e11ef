"""What golden files of Codex do not show: the effect of a target's options, and files that it refuses."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import READING, TOOLS, Approval, Grants
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read

CODEX = dialects()["codex"]


def _claude(keys: str, options: WriteOptions) -> RenderedFile:
    """The file for Codex of a Claude Code agent with these keys."""
    text = f"---\nname: reviewer\ndescription: Reviews changes.\n{keys}\n---\nYou review changes.\n"
    return render(read("reviewer.md", text.encode(), "claude"), CODEX, options)


def _toml(keys: str) -> bytes:
    return f'name = "a"\ndescription = "Reviews."\ndeveloper_instructions = "You review."\n{keys}\n'.encode()


def _grants(keys: str) -> Grants:
    return read("a.toml", _toml(keys), "codex").agent.grants


@pytest.mark.parametrize(
    "keys",
    [
        "disallowedTools: Agent",
        "disallowedTools: Agent(deployer)",
        "disallowedTools: Skill",
        "disallowedTools: AskUserQuestion",
        "disallowedTools: mcp__github",
    ],
)
def test_an_inexpressible_denial_is_reported_or_refused_under_strict_approval(keys: str) -> None:
    lenient = _claude(keys, WriteOptions())
    assert lenient.data is not None
    assert Code.UNRESTRICTABLE in {diagnostic.code for diagnostic in lenient.diagnostics}
    strict = _claude(keys, WriteOptions(strict_approval=True))
    assert strict.data is None
    assert Code.REFUSED_WIDER in {diagnostic.code for diagnostic in strict.diagnostics}


def test_an_agent_that_may_not_read_is_only_refused_with_the_ways_out() -> None:
    file = _claude("tools: Edit", WriteOptions())
    (refusal,) = file.diagnostics
    assert (refusal.code, refusal.hint) == (
        Code.REFUSED_WIDER,
        "Let the agent read files, or name it in `skip` of that target.",
    )


@pytest.mark.parametrize("model", ["gpt-6.2-astra", "gpt-6.2-sol"])
def test_the_newest_models_are_written_as_they_are(model: str) -> None:
    source = f"---\nname: x\ndescription: d\nmodel: openai/{model}\n---\np\n"
    written = render(read("x.md", source.encode(), "neutral"), CODEX, WriteOptions()).data
    assert f'model = "{model}"'.encode() in (written or b"")


@pytest.mark.parametrize("denied", ["write", "edit"])
def test_a_workspace_is_writable_only_for_an_agent_that_may_both_write_and_edit(denied: str) -> None:
    free = b"---\nname: x\ndescription: d\npermissions: {'*': allow, task: ask}\n---\np\n"
    written = render(read("x.md", free, "neutral"), CODEX, WriteOptions()).data
    assert b'sandbox_mode = "workspace-write"' in (written or b"")
    some = free.replace(b"task: ask", f"{denied}: deny".encode())
    written = render(read("x.md", some, "neutral"), CODEX, WriteOptions()).data
    assert b'sandbox_mode = "read-only"' in (written or b"")


def test_a_complete_list_is_written_where_approval_is_strict() -> None:
    assert _claude("tools: Read, Grep", WriteOptions(strict_approval=True)).data is not None


@pytest.mark.parametrize("keys", ['default_permissions = "team"', '[permissions.team]\nextends = ":workspace"'])
def test_a_profile_of_its_own_gives_no_shell_even_where_the_target_accepts_more(keys: str) -> None:
    agent = read("a.toml", _toml(keys), "codex")
    accepting = WriteOptions(approval="allow", unenforceable="accept", coarse="accept")
    for name in ("claude", "opencode"):
        file = render(agent, dialects()[name], accepting)
        assert file.data is not None
        written = dialects()[name].enforced(dialects()[name].parse(file.data, file.path))
        assert [tool for tool in ("bash", "write", "edit", "notebook", "webfetch") if written.approval(tool)] == []


@pytest.mark.parametrize("sandbox", ["read-only", "workspace-write", "danger-full-access"])
def test_a_policy_that_trusts_nothing_lets_no_change_through_unasked(sandbox: str) -> None:
    grants = _grants(f'sandbox_mode = "{sandbox}"\napproval_policy = "untrusted"')
    assert {tool: grants.approval(tool) for tool in TOOLS - READING} == dict.fromkeys(TOOLS - READING, Approval.ASK)


@pytest.mark.parametrize(
    ("profile", "sandbox"),
    [(":read-only", "read-only"), (":workspace", "workspace-write"), (":danger-full-access", "danger-full-access")],
)
@pytest.mark.parametrize("policy", ["", 'approval_policy = "on-request"\n', 'approval_policy = "never"\n'])
def test_a_built_in_profile_means_its_sandbox(profile: str, sandbox: str, policy: str) -> None:
    assert _grants(f'{policy}default_permissions = "{profile}"') == _grants(f'{policy}sandbox_mode = "{sandbox}"')


def test_a_switch_counts_only_where_it_is_off() -> None:
    assert _grants("[features]\nshell_tool = true") == _grants("")


@pytest.mark.parametrize(
    "keys",
    [
        'tools = "Read"',
        'tools = ["Read"]',
        'web_search = "often"',
        "default_permissions = true",
        'sandbox_mode = "readonly"',
        "sandbox_mode = true",
        'approval_policy = "Untrusted"',
        "approval_policy = false",
    ],
)
def test_a_value_that_codex_refuses_is_an_error(keys: str) -> None:
    assert isinstance(read_agent("a.toml", _toml(keys), "codex"), NoAgent)
