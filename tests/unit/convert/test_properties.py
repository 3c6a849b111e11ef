"""Any agent through every writer, and there and back again between the two tools with the most fields."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentsync.agents.grants import NOTHING, TOOLS, wider
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code, Severity
from agentsync.core.naming import is_windows_device, slug
from agentsync.dialects import Dialect, Writing, dialects
from agentsync.formats.document import Document
from agentsync.formats.frontmatter import format_markdown
from agentsync.repository.dialect_detection import ReadAgent
from support.agents import agents, descriptions, names, prompts, thorough
from support.conversion import read, silent_losses, widening
from support.thorough import THOROUGH

if TYPE_CHECKING:
    from pydantic import JsonValue

OPTIONS = WriteOptions()
CLAUDE, OPENCODE = dialects()["claude"], dialects()["opencode"]
ELSEWHERE = Document(path="x", metadata={})


def as_read(agent: Agent) -> ReadAgent:
    """An agent of a dialect that nobody writes, so that every target converts it."""
    elsewhere = replace(dialects()["neutral"], name="elsewhere")
    return ReadAgent(agent, ELSEWHERE, elsewhere, passes_through=False, diagnostics=())


@pytest.mark.parametrize("target", dialects().values(), ids=lambda target: target.name)
@settings(thorough, max_examples=thorough.max_examples if THOROUGH else 30)  # twenty targets share most code
@given(agent=agents())
def test_any_agent_is_written_or_refused_and_never_wider(target: Dialect, agent: Agent) -> None:
    file = render(as_read(agent), target, OPTIONS)
    assert file == render(as_read(agent), target, OPTIONS)
    if file.data is None:
        assert any(diagnostic.severity is Severity.ERROR for diagnostic in file.diagnostics)
        return
    assert widening(agent, file.data, target, OPTIONS) is None
    back = read(file.path, file.data, target.name)
    assert back.passes_through
    assert silent_losses(agent, back.agent, file.diagnostics) == []


def test_patterns_beyond_bounds_are_a_refusal() -> None:
    hostile: dict[str, JsonValue] = {f"*{letter}*abcdefghij*{letter}*": "ask" for letter in "abcdefghij"}
    data = format_markdown({"description": "d", "permission": {"bash": hostile}}, "p\n")
    file = render(read("x.md", data, "opencode"), CLAUDE, OPTIONS)
    assert [diagnostic.code for diagnostic in file.diagnostics if diagnostic.severity is Severity.ERROR] == [
        Code.REFUSED_WIDER
    ]


@pytest.mark.parametrize("body", [b"---\nname: x\ndescription: d\n---\np\n", b"---\n", b"---\nname: x\nname: y\n---\n"])
def test_an_output_of_a_wrong_writer_is_refused(body: bytes) -> None:
    """The proof reads the output back: one that grants more, or that does not read back, is never let through."""
    careless = replace(CLAUDE, write=lambda _agent, _options: Writing(body))
    agent = Agent(name="x", slug="x", description="d", dialect="elsewhere", grants=NOTHING)
    file = render(as_read(agent), careless, OPTIONS)
    assert file.data is None
    assert [diagnostic.code for diagnostic in file.diagnostics] == [Code.REFUSED_WIDER]


tools = st.sampled_from(
    "Read Write Edit NotebookEdit Bash Grep Glob WebFetch WebSearch Agent TodoWrite Skill LS mcp__gh__* mcp__gh__x Foo"
    " Bash(git:*) Bash(npm test) Read(./a/**) Agent(explore)".split()
)
tool_lists = st.lists(tools, max_size=6)
claude_heads = st.fixed_dictionaries(
    {"name": names.filter(lambda name: not is_windows_device(slug(name))), "description": descriptions},
    optional={
        "tools": tool_lists | tool_lists.map(", ".join) | st.sampled_from(["*", None]),
        "disallowedTools": tool_lists | tool_lists.map(" ".join),
        "permissionMode": st.sampled_from("acceptEdits auto bypassPermissions default dontAsk plan odd".split()),
        "maxTurns": st.integers(1, 500),
        "color": st.sampled_from("red blue green yellow purple orange pink cyan".split()),
        "model": st.sampled_from(["inherit", "claude-opus-4-5"]),
    },
)
actions = st.sampled_from(["allow", "ask", "deny"])
globs = st.sampled_from(["*", "git *", "git diff*", "rm *", "*.env", "a?b", "explore"])
opencode_keys = st.sampled_from(
    "* read edit glob grep list bash task external_directory lsp skill gh_* gh_x Bash write".split()
)
permissions = st.dictionaries(opencode_keys, actions | st.dictionaries(globs, actions, max_size=4), max_size=6)
opencode_heads = st.fixed_dictionaries(
    {"description": descriptions},
    optional={
        "tools": st.dictionaries(opencode_keys, st.booleans(), max_size=4),
        "permission": actions | permissions,
        "permissions": permissions,
        "steps": st.integers(1, 500),
    },
)


def converted(source: ReadAgent, target: Dialect) -> ReadAgent | None:
    file = render(source, target, OPTIONS)
    return read(file.path, file.data, target.name) if file.data is not None else None


@thorough
@given(head=claude_heads, body=prompts)
def test_claude_to_opencode_and_back_keeps_common_fields_and_gains_nothing(head: dict[str, object], body: str) -> None:
    start = read("x.md", format_markdown(head, body), "claude")  # type: ignore[arg-type]  # JSON, as generated
    over = converted(start, OPENCODE)
    assert over is not None
    back = converted(over, CLAUDE)
    if back is None:
        return
    for field in ("slug", "description", "prompt", "model", "max_turns", "color"):
        assert getattr(back.agent, field) == getattr(start.agent, field), field
    assert widening(start.agent, over.document.data, OPENCODE, OPTIONS) is None
    assert widening(over.agent, back.document.data, CLAUDE, OPTIONS) is None
    # OpenCode has no word for notebooks, nor Claude Code for lists, so their denial does not come back.
    assert _available(back) <= _available(start) | {"notebook", "list"}


@thorough
@given(head=opencode_heads, body=prompts)
@example(
    head={"description": "x", "permission": "allow", "tools": {"edit": False}, "permissions": {"bash": "deny"}},
    body="y",
)
def test_opencode_to_claude_and_back_gains_no_grant(head: dict[str, object], body: str) -> None:
    start = read("x.md", format_markdown(head, body), "opencode")  # type: ignore[arg-type]  # JSON, as generated
    # A key that OpenCode ignores is read as intended, and that never gives more than OpenCode does.
    assert wider(start.agent.grants, OPENCODE.enforced(start.document)) is None or _only_other_tools(start)
    over = converted(start, CLAUDE)
    back = over and converted(over, OPENCODE)
    if not over or not back:
        return
    assert widening(start.agent, over.document.data, CLAUDE, OPTIONS) is None
    # OpenCode has one permission for both, and who may write a file may write any edit of it.
    edit = {"edit"} if "write" in _available(start) else set()
    assert _available(back) <= _available(start) | edit | {"external_directory", "list", "notebook"}
    for field in ("slug", "description", "prompt", "max_turns"):
        assert getattr(back.agent, field) == getattr(start.agent, field), field


def _available(agent: ReadAgent) -> set[str]:
    """The tools with at least one available call."""
    return {tool for tool in TOOLS if max(agent.agent.grants.approvals(tool))}


def _only_other_tools(agent: ReadAgent) -> bool:
    """Whether only tools differ that OpenCode does not have: notebooks, and the tool of a misspelled key."""
    call = wider(agent.agent.grants, OPENCODE.enforced(agent.document))
    return call is not None and call.tool in ("notebook", "mcp/Bash", "mcp/write")
