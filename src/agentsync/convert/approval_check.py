"""Whether a policy lets calls run without asking, judged by what a file does in its tool and not by its wording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from agentsync.agents.abilities import Ability, brought
from agentsync.agents.grants import Approval, Grants
from agentsync.agents.key_effects import Effect
from agentsync.agents.unattended import shown, unattended_calls, unattended_tools
from agentsync.convert.policy import Rules, is_among
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects import Dialect
from agentsync.formats.document import Document


@dataclass(frozen=True, slots=True)
class Author:
    """What an agent's author wrote.

    Attributes:
        dialect, document: the author's own file.
        frees_session: whether the target's configuration allows what depends on the session, for every agent.
    """

    dialect: Dialect
    document: Document
    frees_session: bool = False


def judge_approval(target: Dialect, document: Document, rules: Rules, author: Author) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each way in which a tool's file skips an approval that a policy demands.

    Args:
        target: whose file it is.
        document: the file.
        rules: of the policy.
        author: of the agent.

    Raises:
        TooManyPatternsError: the patterns cannot be compared within bounds.
    """
    granted = target.most(document)
    for mode in _modes(target, document):
        if not is_among(mode.name, rules.modes):
            message = f"permission mode `{mode.name}` takes the user's guard away"
            yield Diagnostic(Code.MODE_REFUSED, message, line=document.lines.get(mode.key, 0))
    if author.dialect is not target and (free := unattended_calls(granted)):
        for mode in _modes(author.dialect, author.document):
            if not is_among(mode.name, rules.modes):
                message = f"permission mode `{mode.name}` would let {_listed(free)} run here without asking"
                yield Diagnostic(Code.MODE_REFUSED, message, line=author.document.lines.get(mode.key, 0))
    if rules.unattended == "refuse":
        yield from _strictly(target, document, granted)
    elif rules.unattended == "limited" and not author.frees_session:
        free = unattended_tools(granted, target.unasked)
        if free and not _is_by_mode(author, target):
            yield Diagnostic(Code.UNATTENDED_REFUSED, f"{_listed(free)} would run without asking")


def _strictly(target: Dialect, document: Document, granted: Grants) -> Iterator[Diagnostic]:
    """Yield what lets any call run without asking, whatever the tool and the modes that are allowed."""
    raised = granted.raised(Approval.ALLOW, above=Approval.SESSION) if target.never_asks else granted
    if free := unattended_calls(raised):
        yield Diagnostic(Code.UNATTENDED_REFUSED, f"{_listed(free)} would run without asking")
        return
    for mode in _modes(target, document):  # some of them decide what grants do not express
        message = f"`{mode.name}` lets calls run without asking"
        yield Diagnostic(Code.UNATTENDED_REFUSED, message, line=document.lines.get(mode.key, 0))


def _is_by_mode(author: Author, target: Dialect) -> bool:
    """Whether nothing runs without asking but for the author's permission modes, which the policy names one by one."""
    modes = {mode.key for mode in _modes(author.dialect, author.document)}
    if not modes:
        return False
    rest = {key: value for key, value in author.document.metadata.items() if key not in modes}
    granted = author.dialect.most(replace(author.document, metadata=rest))
    return not unattended_tools(granted, target.unasked)


def _modes(dialect: Dialect, document: Document) -> list[Ability]:
    found = brought(dialect.effects_of, document.metadata.items())
    return [ability for ability in found if ability.effect is Effect.CHANGES_APPROVAL]


def _listed(tools: tuple[str, ...]) -> str:
    return ", ".join(map(shown, tools))
