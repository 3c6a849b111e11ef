"""What `init` proposes: tools, agents, names of models and policy entries, by what the repository has."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import click

from agentsync.agents.model import NEUTRAL
from agentsync.cli.config_edits import needed_settings
from agentsync.cli.options import common
from agentsync.cli.source_access import Access
from agentsync.cli.wording import counted
from agentsync.config.editor import NEW, table
from agentsync.core.codes import Code
from agentsync.core.urls import printable
from agentsync.dialects import Dialect, dialects, no_dialect
from agentsync.dialects._kit.fields import unmapped_model
from agentsync.sync.report import Report

_POLICY: Final = {
    Code.HOOKS_REFUSED: ("hooks", "commands that its tool runs at its events"),
    Code.SERVERS_REFUSED: ("mcp_servers", "MCP servers of its own"),
    Code.PROGRAM_REFUSED: ("programs", "a program that its tool runs, or code that it loads"),
}
_ALL: Final = "all"
_MOST_NAMES: Final = 40
_MODELS: Final = "\n# No table names these models of the repository: write the tool's own name, and remove each `#`.\n"

Needs = Mapping[str, Mapping[str, str]]
"""By agent, the policy's keys that it needs, each with the reason."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration that is not written yet.

    Attributes:
        name: of the source.
        access: how the source is reached.
        given: further keys of the source.
        tools: the dialects of the targets.
        models: by dialect, the tool's name of each model.
        unmapped: by dialect, the models that have none.
        allowed: by agent, the policy's keys that are set to allow.
    """

    name: str
    access: Access
    given: Mapping[str, object]
    tools: tuple[Dialect, ...]
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unmapped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def text(self, *, refused: bool = False) -> str:
        """Render the configuration; `refused` is as for `Access.table`."""
        parts = [NEW, self.access.table(self.name, dict(self.given), refused=refused)]
        parts += [table(["targets", tool.name], needed_settings(tool)) for tool in self.tools]
        parts += [table(["models", dialect], names) for dialect, names in self.models.items()]
        if self.unmapped:
            parts.append(_MODELS)
        for dialect, models in self.unmapped.items():
            lines = table(["models", dialect], dict.fromkeys(models, "")).strip().splitlines()
            parts.append("".join(f"#{line}\n" for line in lines))
        for agent, keys in self.allowed.items():
            parts.append(table(["policy", "agents", f"{self.name}/{agent}"], dict.fromkeys(keys, "allow")))
        return "".join(parts)


def can_ask() -> bool:
    """Whether somebody can answer."""
    return not common().json and sys.stdin.isatty() and sys.stderr.isatty()


def needs_of(report: Report) -> Needs:
    """Return which agents the policy refuses for what an entry of their own can allow."""
    slugs = {one.name: one.slug for one in report.compiled if one.slug}
    needs: dict[str, dict[str, str]] = {}
    for diagnostic in report.diagnostics:
        if diagnostic.code in _POLICY and diagnostic.agent in slugs:
            key, what = _POLICY[diagnostic.code]
            needs.setdefault(slugs[diagnostic.agent], {})[key] = what
    return needs


def unmapped_models(report: Report) -> dict[str, tuple[str, ...]]:
    """Return the models that a target has no name for, by its dialect."""
    dialect_of = {target.name: target.dialect for target in report.targets}
    found: dict[str, dict[str, None]] = {}
    for one in report.compiled:
        for target, output in one.outputs.items():
            for diagnostic in output.diagnostics:
                if diagnostic.code is Code.MODEL_UNKNOWN and (model := unmapped_model(diagnostic)):
                    found.setdefault(dialect_of[target], {})[model] = None
    return {dialect: tuple(sorted(models)) for dialect, models in sorted(found.items())}


def show_proposals(report: Report, proposal: Proposal) -> None:
    """Print what the repository has that the configuration does not cover yet."""
    for name in _further_tools(report, proposal):
        title = dialects()[name].title
        click.echo(f"note: the repository has agents of {title}, which gets none here; --to {name} adds it")
    for agent, keys in _needed(report, proposal).items():
        listed = ", ".join(f"{key} ({what})" for key, what in keys.items())
        click.echo(f"needs a policy entry: {printable(agent)} has {listed}")


def proposals_record(report: Report, proposal: Proposal) -> dict[str, object]:
    """Return the same in the documented JSON form (docs/json.md), and the models that have no name yet."""
    return {
        "targets": _further_tools(report, proposal),
        "models": {dialect: [*models] for dialect, models in proposal.unmapped.items()},
        "policy": {agent: [*keys] for agent, keys in _needed(report, proposal).items()},
    }


def _further_tools(report: Report, proposal: Proposal) -> list[str]:
    """The dialects of the repository's agents that are no targets."""
    chosen = {tool.name for tool in proposal.tools}
    return sorted({one.dialect for one in report.compiled if one.name} - {"", NEUTRAL} - chosen)


def _needed(report: Report, proposal: Proposal) -> Needs:
    return {agent: keys for agent, keys in needs_of(report).items() if agent not in proposal.allowed}


def ask(proposal: Proposal, report: Report, *, tools: bool, agents: bool) -> Proposal:
    """Ask for what the configuration is to have.

    Args:
        proposal: what it has where the answer is empty.
        report: of its plan.
        tools: whether to ask for the tools.
        agents: whether to ask for the agents.
    """
    names = sorted({one.slug for one in report.compiled if one.slug})
    click.echo(f"{counted(len(names), 'agent')}: {printable(_listed(names))}", err=True)
    if tools:
        default = ", ".join(tool.name for tool in proposal.tools)
        proposal = replace(proposal, tools=click.prompt("Tools", default=default, value_proc=_tools, err=True))
    if agents:
        only = click.prompt("Agents, by name, pattern or tag:NAME", default=_ALL, err=True)
        if only.strip() != _ALL:
            proposal = replace(proposal, given={**proposal.given, "only": _words(only)})
    return proposal


def ask_about_needs(proposal: Proposal, report: Report) -> Proposal:
    """Ask for names of models, and whether agents may have what the policy refuses by default."""
    models: dict[str, dict[str, str]] = {}
    unmapped: dict[str, tuple[str, ...]] = {}
    for dialect, wanted in unmapped_models(report).items():
        title = dialects()[dialect].title
        for model in wanted:
            text = f"{title}'s name of the model {printable(model)} (empty: that of the session)"
            if name := click.prompt(text, default="", show_default=False, err=True).strip():
                models.setdefault(dialect, {})[model] = name
            else:
                unmapped[dialect] = (*unmapped.get(dialect, ()), model)
    allowed: dict[str, tuple[str, ...]] = {}
    for agent, keys in needs_of(report).items():
        what = " and ".join(keys.values())
        if click.confirm(f"{printable(agent)} brings {what}. Allow that for this agent?", default=False, err=True):
            allowed[agent] = tuple(keys)
    return replace(proposal, models=models, unmapped=unmapped, allowed=allowed)


def _tools(text: str | tuple[Dialect, ...]) -> tuple[Dialect, ...]:
    if not isinstance(text, str):
        return text
    for name in (words := _words(text)):
        if name not in dialects():
            raise click.BadParameter(no_dialect(name))
    if not words:
        raise click.BadParameter("name one at least")
    return tuple(dialects()[name] for name in dict.fromkeys(words))


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _listed(names: Iterable[str]) -> str:
    shown = [*names]
    more = f" and {len(shown) - _MOST_NAMES} more" if len(shown) > _MOST_NAMES else ""
    return ", ".join(shown[:_MOST_NAMES]) + more
