"""Helpers for tests of conversion: reading with a firm result, and an independent proof of "never wider"."""

from __future__ import annotations

from agentsync.agents.grants import Grants, Widening, wider
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions, upper_bound
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects import Dialect, dialects
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent

# The names of lost fields in diagnostics.
_TITLES = {
    "effort": "effort",
    "temperature": "temperature",
    "top_p": "top_p",
    "max_turns": "turn limit",
    "color": "color",
    "hidden": "hidden",
    "skills": "skills",
    "memory": "memory",
    "background": "background",
    "isolation": "isolation",
    "initial_prompt": "initial prompt",
    "mcp_servers": "MCP servers",
    "hooks": "hooks",
}


def read(path: str, data: bytes, dialect: str | None = None) -> ReadAgent:
    result = read_agent(path, data, dialect)
    assert not isinstance(result, NoAgent), result.diagnostics
    return result


def spares_other_tools(path: str, data: bytes, dialect: str) -> Grants:
    """Assert that what a tool refuses costs its own file that alone, and return the grants of other tools' files.

    The agent is written for another tool; for its own it is written again, in a form that the tool loads.
    """
    source = read(path, data, dialect)
    assert {Code.LEFT_OUT, Code.UNKNOWN_TOOL} & {diagnostic.code for diagnostic in source.diagnostics}
    assert not source.passes_through
    own = render(source, source.dialect, WriteOptions())
    assert own.data is not None, own.diagnostics
    again = read(own.path, own.data, dialect)
    assert again.passes_through
    assert not {Code.LEFT_OUT, Code.UNKNOWN_TOOL} & {diagnostic.code for diagnostic in again.diagnostics}
    other = dialects()["kilo" if dialect == "opencode" else "opencode"]
    file = render(source, other, WriteOptions())
    assert file.document is not None, file.diagnostics
    return other.enforced(file.document)


def widening(agent: Agent, data: bytes, target: Dialect, options: WriteOptions) -> Widening | None:
    """A call that these bytes would get from the target beyond the agent's own grants, computed from both again."""
    output = target.enforced(target.parse(data, f"out{target.suffix}"))
    grants = agent.grants.with_effects() if target.uses_effects else agent.grants
    return wider(output.with_flat_names(), upper_bound(grants, target.capabilities, options).with_flat_names())


def silent_losses(agent: Agent, back: Agent, diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    """The fields that differ after writing and reading without a diagnostic."""
    reported = " ".join(diagnostic.message for diagnostic in diagnostics)
    codes = {diagnostic.code for diagnostic in diagnostics}
    lost = [
        field
        for field, title in _TITLES.items()
        if getattr(back, field) != getattr(agent, field)
        and getattr(agent, field) is not False
        and title not in reported
    ]
    kept = back.targets.get(agent.dialect, {})  # where the neutral dialect puts fields of one tool only
    lost = [field for field in lost if kept.get(field) != getattr(agent, field)]
    if (back.slug, back.name) != (agent.slug, agent.name) and Code.NAME_CHANGED not in codes:
        lost.append("name")
    if back.description != agent.description:
        lost.append("description")
    # TOML may turn the line ends of Windows into its own.
    prompt = agent.prompt.replace("\r\n", "\n").strip()
    if Code.TEMPLATE_ESCAPED not in codes and back.prompt.strip() != prompt and back.prompt != agent.prompt:
        lost.append("prompt")
    # Where a table translates a name, another model comes back; a model that vanishes has to be reported.
    if agent.model and not back.model and Code.MODEL_UNKNOWN not in codes and "here: model" not in reported:
        lost.append("model")
    if agent.mode in ("primary", "all") and back.mode != agent.mode and "mode" not in reported:
        lost.append("mode")
    return lost
