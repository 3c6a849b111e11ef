"""Rules for calling other agents: they follow the names that these have in a target, and names of none are reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agentsync.agents.grants import Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.cli.check import run_checks
from agentsync.config import Target
from agentsync.config.tables import SourceTable
from agentsync.convert.policy import DEFAULT
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.working_tree import WorkingTree
from agentsync.state.render_cache import Cache
from agentsync.sync.build import build
from agentsync.sync.snapshot import snapshot_of_directory

DENY, ASK, SESSION, ALLOW = Approval
CLAUDE, OPENCODE = ".claude/agents", ".opencode/agents"


def _agent(keys: str = "") -> str:
    return f"---\ndescription: Helps.\n{keys}\n---\nHelp.\n"


def _write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def _calls(
    root: Path, target: str, lead: str, names: list[str], *, prefix: str = "", cached: bool = False
) -> list[Approval]:
    """The approvals that the file of an agent has in a target for calls of agents of these names."""
    dialect = dialects()[target]
    table = SourceTable(url=str(root), allow_local=True)
    snapshot = replace(snapshot_of_directory(WorkingTree(root), table, name="team"), prefix=prefix)
    settings = Target(
        name=target, dialect=target, directory=root, create=False, follow_symlinks=False, options=WriteOptions()
    )
    cache = Cache.open(root.parent / "cache") if cached else None
    built = build([snapshot], [settings], cache, DEFAULT)
    if cache:
        cache.close()
    wanted = built.states[0].files[dialect.path_of(lead)]
    built.contents.load([wanted])  # as for a change: what came from the cache is rendered again
    grants = dialect.enforced(dialect.parse(built.contents.of(wanted), "x"))
    return [grants.approval("task", name) for name in names]


def test_a_call_follows_the_name_that_the_agent_has_in_the_target(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    files = {
        f"{CLAUDE}/lead.md": _agent("name: lead\ntools: Read, Agent(Code Reviewer, plan)"),
        f"{CLAUDE}/code-reviewer.md": _agent("name: Code Reviewer"),
        f"{CLAUDE}/plan.md": _agent("name: plan"),
    }
    _write(root, files)
    names = ["code-reviewer", "Code Reviewer", "plan-agent", "plan", "other"]
    assert _calls(root, "opencode", "lead", names) == [ASK, DENY, ASK, DENY, DENY]
    assert _calls(root, "claude", "lead", names) == [DENY, SESSION, DENY, SESSION, DENY]
    prefixed = [*(f"t-{name}" for name in names), *names]
    given = _calls(root, "opencode", "t-lead", prefixed, prefix="t-")
    assert given == [ASK, DENY, DENY, ASK, *[DENY] * 6]
    given = _calls(root, "claude", "t-lead", ["t-Code Reviewer", "t-plan", "plan"], prefix="t-")
    assert given == [SESSION, SESSION, DENY]


def test_each_agent_has_the_approval_that_all_rules_together_give_it(tmp_path: Path) -> None:
    """A pattern covers agents by the names that they have in their source, whatever they are called in a target."""
    root = tmp_path / "repo"
    rules = "{'*': ask, 'a-*': deny, 'A one': allow, 'A two': deny}"
    _write(root, {f"{OPENCODE}/lead.md": _agent(f"permission: {{task: {rules}}}")})
    numbers = ("one", "two", "three")
    _write(root, {f"{OPENCODE}/{number}.md": _agent(f"name: A {number}") for number in numbers})
    names = ["a-one", "a-two", "a-three", "a-four", "A one", "A two", "other"]
    assert _calls(root, "kilo", "lead", names) == [ALLOW, DENY, ASK, DENY, ASK, DENY, ASK]
    assert _calls(root, "opencode", "lead", names) == [DENY, DENY, DENY, DENY, ALLOW, DENY, ASK]  # as it is


def test_a_name_of_another_agent_is_never_taken_for_the_called_one(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    _write(root, {f"{CLAUDE}/lead.md": _agent("name: lead\ntools: Read, Agent(plan)")})
    _write(root, {f"{CLAUDE}/{name}.md": _agent(f"name: {name}") for name in ("plan", "plan-agent")})
    # `plan` would be called `plan-agent` in OpenCode, which the other one is called: so it is not there.
    assert _calls(root, "opencode", "lead", ["plan-agent", "plan"]) == [DENY, ASK]


def test_a_plugin_calls_its_own_agent(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    for plugin in ("one", "two"):
        _write(
            root,
            {
                f"plugins/{plugin}/.claude-plugin/plugin.json": f'{{"name": "{plugin}"}}',
                f"plugins/{plugin}/agents/tester.md": _agent(
                    f"name: tester\ncolor: {'red' if plugin == 'one' else 'blue'}"
                ),
                f"plugins/{plugin}/agents/{plugin}.md": _agent(f"name: {plugin}\ntools: Agent(tester)"),
            },
        )
    _write(root, {"plugins/one/agents/all.md": _agent("name: all\ntools: Agent(two:tester)")})
    names = ["one-tester", "two-tester", "tester"]
    assert _calls(root, "opencode", "one", names) == [ASK, DENY, DENY]
    assert _calls(root, "opencode", "two", names) == [DENY, ASK, DENY]
    assert _calls(root, "claude", "all", names) == [DENY, SESSION, DENY]


def test_a_cached_result_holds_only_for_the_names_that_it_was_made_for(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    _write(root, {f"{CLAUDE}/lead.md": _agent("name: lead\ntools: Agent(Reviewer)")})
    names = ["Reviewer", "reviewer"]
    assert _calls(root, "opencode", "lead", names, cached=True) == [ASK, DENY]
    _write(root, {f"{CLAUDE}/x.md": _agent("name: Reviewer")})
    for _ in range(2):
        assert _calls(root, "opencode", "lead", names, cached=True) == [DENY, ASK]
    (root / f"{CLAUDE}/x.md").unlink()
    assert _calls(root, "opencode", "lead", names, cached=True) == [ASK, DENY]


@pytest.mark.parametrize(
    ("keys", "listed"),
    [
        ("tools: Agent(helper, general-purpose, Explore)", ""),
        ("tools: Agent(helpr)", "`helpr` (did you mean `helper`?)"),
        ("tools: Agent(code-reviewer, nobody)", "`code-reviewer` (did you mean `Code Reviewer`?), `nobody`"),
        ("tools: Agent(the-broken-one)", ""),
        ("tools: Agent(helper*)", ""),
        ("disallowedTools: Agent(helpr)", ""),  # denies every agent there
        ("tools: Agent(for-another-tool)", ""),
    ],
)
def test_a_name_of_no_agent_is_reported_with_the_one_that_was_meant(tmp_path: Path, keys: str, listed: str) -> None:
    _write(
        tmp_path,
        {
            f"{CLAUDE}/lead.md": _agent(f"name: lead\n{keys}"),
            f"{CLAUDE}/helper.md": _agent("name: helper"),
            f"{CLAUDE}/code-reviewer.md": _agent("name: Code Reviewer"),
            f"{CLAUDE}/the-broken-one.md": "---\nname: [\n---\n",
            f"{OPENCODE}/for-another-tool.md": _agent("name: For another tool"),
        },
    )
    found = [one for one in run_checks(tmp_path, ["opencode", "kilo"]).diagnostics if one.code is Code.AGENT_UNKNOWN]
    assert [one.message.partition(": ")[2] for one in found] == ([listed] if listed else [])
