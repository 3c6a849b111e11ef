"""Properties of any policy: its outputs are within it, and otherwise as without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from agentsync.agents.grants import READING, TOOLS, Approval, wider
from agentsync.agents.key_effects import Effect, Meaning
from agentsync.agents.narrowing import WriteOptions
from agentsync.agents.patterns import ANY
from agentsync.config import Target
from agentsync.convert.abilities import enforced_abilities
from agentsync.convert.policy import Policy, PolicyTable, Rules, SourcePolicy
from agentsync.convert.policy_check import judge_output
from agentsync.convert.render import render
from agentsync.dialects import dialects
from agentsync.formats.frontmatter import format_markdown
from agentsync.git.objects import Entry
from agentsync.repository.selection import Selection
from agentsync.sync.build import _make
from agentsync.sync.contents import ContentStore
from agentsync.sync.snapshot import Snapshot
from support.agents import thorough
from support.conversion import read
from support.policies import HOOK

if TYPE_CHECKING:
    from pydantic import JsonValue

OPTIONS = WriteOptions()
DOCS = "https://git.acme.example/docs.git"


globs = st.lists(st.sampled_from(["*", "read", "write", "bash", "web*", "g*", "task", "x"]), max_size=4).map(tuple)
choices = st.sampled_from(["allow", "refuse"])
policies = st.builds(
    Rules,
    hooks=choices,
    mcp_servers=choices,
    inherit=choices,
    unattended=st.sampled_from(["allow", "limited", "refuse"]),
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
def test_an_accepted_output_is_within_its_policy(head: dict[str, JsonValue], rules: Rules, target: str) -> None:
    """A policy writes nothing of its own, so checking its accepted outputs is enough."""
    dialect = dialects()[target]
    file = render(read("x.md", format_markdown(head, "You help with things.\n"), "claude"), dialect, OPTIONS)
    if file.document is None or judge_output(dialect, file.document, "agent-x", [rules]):
        return
    granted = dialect.enforced(file.document)
    allowed = {tool for tool in TOOLS if any(matches_glob(tool, glob) for glob in rules.tools)}
    reached = {tool for tool in TOOLS - {"external_directory"} if max(granted.approvals(tool))}
    covered = allowed | {"grep", "glob", "list"} if dialect.uses_effects and "read" in allowed else allowed
    assert reached <= covered or (dialect.uses_effects and "bash" in allowed)
    given = enforced_abilities(dialect, file.document, "agent-x")
    effects = {(ability.effect, ability.meaning) for ability in given.brought}
    assert not ((Effect.RUNS_PROGRAM, Meaning.HOOKS) in effects and rules.hooks == "refuse")
    assert not ((Effect.OPENS_ADDRESS, Meaning.SERVERS) in effects and rules.mcp_servers == "refuse")
    assert not (granted.everything_else and (rules.inherit == "refuse" or ANY not in rules.tools))
    assert not ((Effect.CHANGES_APPROVAL, None) in effects and not rules.modes)
    assert not (given.model and rules.models == ())
    if rules.unattended == "refuse":
        asked = TOOLS - READING - {"task"} | {"mcp/any/tool"}
        assert not any(Approval.ALLOW in granted.approvals(tool) for tool in asked)
    if rules.grants is not None and not dialect.uses_effects:
        assert wider(granted.with_flat_names(), rules.grants.with_flat_names()) is None


@thorough
@given(head=heads, rules=policies)
def test_an_output_under_a_policy_is_the_same_as_without_it_or_missing(
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
