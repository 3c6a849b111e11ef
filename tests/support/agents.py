"""Generated agents and grants, hostile ones among them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from agentsync.agents.grants import EVERYTHING, MCP, OTHER, TOOLS, UNTRANSLATED, Approval, Grants, Rule
from agentsync.agents.model import Agent
from agentsync.agents.patterns import ANY
from agentsync.core.naming import has_hidden_character, is_unsafe, slug
from support.thorough import SAME_EXAMPLES, THOROUGH

# No deadline, since a machine may be busy; the same examples every time make a run's result reproducible.
thorough = settings(
    max_examples=2_000 if THOROUGH else 100,
    deadline=None,
    derandomize=SAME_EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)

# Text as a file can hold it: no lone surrogates, and no control characters, which readers report and tools refuse.
_LETTERS = st.characters(exclude_categories=["Cs", "Cc"])
_LINES = _LETTERS | st.sampled_from("\n\t '\"\\#:-`{}[]|>*&!%@")

_COMMANDS = ("*", "git *", "git diff*", "rm *", "*.env", "a?b", "", " ", "é*", "explore", f"{UNTRANSLATED}./src/**")
_SERVERS = ("github/*", "github/get_issue", "a/b", "gh_*", "x", "*", "*/*", "a b")

arguments = st.sampled_from(_COMMANDS) | st.text(_LETTERS, max_size=8)
tools = (
    st.sampled_from([ANY, *sorted(TOOLS)])
    | st.sampled_from(_SERVERS).map(MCP.__add__)
    | st.sampled_from(["codebase", "Foo", "*"]).map(OTHER.__add__)
)
rules = st.builds(Rule, tools, st.sampled_from(Approval), st.just(ANY) | arguments)
grants = st.lists(rules, max_size=6).map(lambda listed: Grants(tuple(listed))) | st.lists(rules, max_size=3).map(
    lambda listed: Grants((*EVERYTHING.rules, *listed))
)

texts = st.text(_LINES, max_size=60)
# A literal `\n` is read as a line end, so no reader leaves one behind.
descriptions = texts.filter(lambda text: text.strip() and "\\n" not in text) | st.just("x" * 1_500)
prompts = texts | st.just("y" * 2_000) | st.just("Say '''this''' and \"\"\"that\"\"\".\n---\n")
names = (
    (st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True) | st.text(_LETTERS, min_size=1, max_size=30))
    .filter(lambda name: not is_unsafe(name) and not has_hidden_character(name))
    .filter(lambda name: name == name.strip())
)
keys = st.from_regex(r"[a-z][a-zA-Z]{0,8}_x", fullmatch=True)
values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def agents(draw: st.DrawFn) -> Agent:
    """Agents that no reader makes: every field may hold anything that its type allows."""
    name = draw(names)
    return Agent.model_validate(
        {
            "name": name,
            "slug": slug(name),
            "description": draw(descriptions | st.just("")),
            "dialect": "elsewhere",
            "prompt": draw(prompts),
            "grants": draw(grants),
            "model": draw(st.none() | st.sampled_from(["anthropic/opus", "openai/gpt-5.5", "unknown/x y", "a/b/c"])),
            "effort": draw(st.none() | st.sampled_from(["low", "max", "odd", 2_000])),
            "temperature": draw(st.none() | st.floats(0, 2)),
            "top_p": draw(st.none() | st.floats(0, 1)),
            "max_turns": draw(st.none() | st.integers(1, 10**12)),
            "mode": draw(st.sampled_from([None, "subagent", "primary", "all"])),
            "hidden": draw(st.none() | st.booleans()),
            "disabled": draw(st.none() | st.booleans()),
            "color": draw(st.none() | st.sampled_from(["red", "#00ff00", "accent", "teal", ""])),
            "skills": tuple(draw(st.lists(texts, max_size=2))),
            "mcp_servers": draw(values),
            "hooks": draw(values),
            "memory": draw(st.none() | st.sampled_from(["user", "project", "local"])),
            "background": draw(st.none() | st.booleans()),
            "isolation": draw(st.none() | st.sampled_from(["worktree", "remote"])),
            "initial_prompt": draw(st.none() | texts),
            "native": draw(st.dictionaries(keys, values, max_size=2)),
            "unknown": draw(st.dictionaries(keys, values, max_size=2)),
        }
    )
