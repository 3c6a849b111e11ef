"""Generated agents in every dialect, the same ones in every run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from hypothesis import HealthCheck, Phase, given, settings

from agentsync.agents.model import NEUTRAL, Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.naming import slug
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from support import agents as strategy

COUNT = 500

# Fields without a place in the neutral dialect, in the words of some tool.
_NO_OTHERS: Mapping[str, object] = {"dialect": NEUTRAL, "mcp_servers": None, "hooks": None, "native": {}, "unknown": {}}
# The scripts that ask the tools take a name from its file as it is between quotes.
_QUOTES = str.maketrans("", "", "\"'")


def written(dialect: str) -> dict[str, bytes]:
    """The generated agents as files of a dialect, by file name: in the neutral one, or converted from it.

    Each is called after the dialect too, so those of several dialects can be in one directory. An agent that a
    dialect cannot take, because it cannot restrict it or for its name, has no file there.
    """
    neutral = dialects()[NEUTRAL]
    files: dict[str, bytes] = {}
    for agent in agents():
        name = _called(agent, dialect)
        data = neutral.write(agent.model_copy(update={"name": name, "slug": slug(name)}), WriteOptions()).data
        read = read_agent(f"{slug(name)}{neutral.suffix}", data or b"", NEUTRAL)
        if isinstance(read, ReadAgent):
            file = render(read, dialects()[dialect], WriteOptions())
            files |= {file.path: file.data} if file.data is not None else {}
    return files


def author_of(path: str) -> Agent:
    """The agent that a file below its dialect's name was written from."""
    return _by_stem()[path.rpartition("/")[2].partition(".")[0]]


@cache
def _by_stem() -> Mapping[str, Agent]:
    return {slug(_called(agent, dialect)): agent for dialect in dialects() for agent in agents()}


def _called(agent: Agent, dialect: str) -> str:
    return f"{agent.name}-{dialect}"


@cache
def agents() -> tuple[Agent, ...]:
    """COUNT agents, no two of one name."""
    by_slug: dict[str, Agent] = {}

    @settings(
        max_examples=COUNT,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy.agents().filter(lambda agent: bool(agent.description.strip())))
    def collect(agent: Agent) -> None:
        plain = agent.name.translate(_QUOTES).strip()
        name = plain
        while slug(name) in by_slug:
            name = f"{plain}-{len(by_slug)}"
        by_slug[slug(name)] = agent.model_copy(update={**_NO_OTHERS, "name": name, "slug": slug(name)})

    collect()
    return tuple(by_slug.values())
