"""One repository of the corpus holds the same agents as nine tools read them, and a tenth would not: any becomes any.

Its files come from one program, and the words are the same in all. Errors of that program are listed in FAULTS, in
MODELS and in HEADINGS, each with a reason; a fault that is not in these tables, or that is no longer there, fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from agentsync.agents.grants import EVERYTHING, Grants, wider
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code, Severity
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent
from support.conversion import read, widening

REPOSITORY = "sampleXbro+agentsbridge"
OPTIONS = WriteOptions()

FREE = ("code-debugger", "code-documenter", "typescript-developer")
RESTRICTED = ("code-reviewer", "test-runner")
AGENTS = (*FREE, *RESTRICTED)

PLACES = {
    "claude": ".claude/agents/{}.md",
    "codex": ".codex/agents/{}.toml",
    "copilot": ".github/agents/{}.agent.md",
    "cursor": ".cursor/agents/{}.md",
    "gemini": ".gemini/agents/{}.md",
    "junie": ".junie/agents/{}.md",
    "kilo": ".kilo/agents/{}.md",
    "kiro": ".kiro/agents/{}.md",
    "opencode": ".opencode/agents/{}.md",
    "roo": ".roomodes",
}
# The tool that the program was first made for; its files for it are right but for the heading.
RIGHT = "claude"

HEADINGS = {RIGHT: ("## Role\n\n", "its text was sorted under headings later, the other tools' was not")}

_CLAUDES_LIST = "`tools` holds Claude Code's names, some with arguments"
_NO_PROVIDER = "`model` is Claude Code's word, without the provider that this tool wants"

FAULTS: dict[tuple[str, tuple[str, ...]], tuple[Literal["refused", "other grants"], str]] = {
    ("opencode", RESTRICTED): ("refused", f"{_CLAUDES_LIST}, in a list where OpenCode wants a map; {_NO_PROVIDER}"),
    ("kilo", RESTRICTED): ("refused", f"{_CLAUDES_LIST}, in a list where Kilo Code wants a map; {_NO_PROVIDER}"),
    ("gemini", RESTRICTED): ("other grants", f"{_CLAUDES_LIST}, and Claude Code's keys, and Gemini CLI takes neither"),
    ("gemini", FREE): ("other grants", "none of it is wrong, but an agent of Gemini CLI never calls other agents"),
    ("roo", AGENTS): ("refused", "a mode has no `groups`, without which Roo Code refuses the whole file"),
    ("codex", RESTRICTED): ("other grants", "nothing restricts the agent, although a sandbox could"),
    ("copilot", RESTRICTED): ("other grants", f"{_CLAUDES_LIST}, which grant nothing in Copilot"),
    ("cursor", RESTRICTED): (
        "other grants",
        "Cursor reads no list of tools, so only reading was surely intended",
    ),
    ("junie", RESTRICTED): ("other grants", f"{_CLAUDES_LIST}, which grant nothing in Junie"),
    ("kiro", RESTRICTED): ("other grants", f"{_CLAUDES_LIST}, and Kiro's are others"),
    ("kiro", FREE): ("other grants", "without `tools` an agent of Kiro's has none at all"),
}

_WORD = "its models have other names, and none has this word for one"
MODELS = {
    **{(tool, "sonnet"): _WORD for tool in ("codex", "copilot", "cursor", "gemini", "kiro")},
    **{(tool, "haiku"): _WORD for tool in ("codex", "copilot", "cursor", "gemini", "junie", "kiro")},
}


@dataclass(frozen=True)
class Words:
    """An agent's words, in which the tools' files do not differ."""

    name: str
    description: str
    prompt: str


@pytest.fixture(scope="session")
def given(corpus: Path) -> Callable[[str, str], ReadAgent | NoAgent]:
    """Read the file of one tool for one agent; its path alone determines the dialect."""

    def of(tool: str, name: str) -> ReadAgent | NoAgent:
        place = PLACES[tool].format(name)
        data = (corpus / "public" / REPOSITORY / place).read_bytes()
        if shared := dialects()[tool].shared:
            return read_agent(name + dialects()[tool].suffix, shared.entries(data)[name], tool)
        return read_agent(place, data)

    return of


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("tool", PLACES)
def test_each_file_describes_the_same_agent_but_for_its_faults(
    tool: str, name: str, given: Callable[[str, str], ReadAgent | NoAgent]
) -> None:
    right, source = _read(given(RIGHT, name)), given(tool, name)

    if isinstance(source, NoAgent):
        assert _fault(tool, name) == "refused", source.diagnostics
        errors = {diagnostic.code for diagnostic in source.diagnostics if diagnostic.severity is Severity.ERROR}
        assert errors <= {Code.WRONG_TYPE, Code.WRONG_DIALECT}
        return
    assert source.dialect.name == tool
    assert _words(source.agent) == _words(right.agent)
    word = (right.agent.model or "").partition("/")[2]
    assert (source.agent.model != right.agent.model) == ((tool, word) in MODELS)
    same = _alike(source.agent.grants, right.agent.grants)
    assert _fault(tool, name) == ("" if same else "other grants")


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("tool", PLACES)
def test_each_file_becomes_the_one_of_any_other_tool(
    tool: str, name: str, given: Callable[[str, str], ReadAgent | NoAgent]
) -> None:
    source = given(tool, name)
    if isinstance(source, NoAgent):
        return
    right = _read(given(RIGHT, name))
    for target in PLACES.keys() - {tool}:
        file = render(source, dialects()[target], OPTIONS)
        if file.data is None:
            assert source.agent.grants != EVERYTHING, (target, file.diagnostics)
            assert any(diagnostic.severity is Severity.ERROR for diagnostic in file.diagnostics), target
            continue
        assert widening(source.agent, file.data, dialects()[target], OPTIONS) is None, target
        back = read(file.path, file.data, target).agent
        assert _words(back) == _words(right.agent), target
        other = given(target, name)
        if isinstance(other, ReadAgent) and not _fault(target, name) and not _fault(tool, name):
            assert _alike(back.grants, other.agent.grants), target


def _read(source: ReadAgent | NoAgent) -> ReadAgent:
    assert isinstance(source, ReadAgent), source.diagnostics
    return source


def _fault(tool: str, name: str) -> str:
    """The table's entry for a file; empty where there is none."""
    return next((fault for (other, names), (fault, _) in FAULTS.items() if other == tool and name in names), "")


def _words(agent: Agent) -> Words:
    prompt = agent.prompt.strip()
    for heading, _ in HEADINGS.values():
        prompt = prompt.removeprefix(heading)
    return Words(agent.name, agent.description, prompt)


def _alike(one: Grants, other: Grants) -> bool:
    return wider(one, other) is None and wider(other, one) is None
