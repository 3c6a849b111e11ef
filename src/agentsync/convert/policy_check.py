"""Whether a policy takes an agent: its text, and the file that is to be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, assert_never

from agentsync.agents.abilities import Abilities, Ability, brought, gained
from agentsync.agents.key_effects import Effect, Meaning
from agentsync.agents.patterns import TooManyPatternsError
from agentsync.convert.approval_check import Author, judge_approval
from agentsync.convert.policy import EVERYTHING_GLOBS, Rules, is_among
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects import Dialect
from agentsync.formats.document import Document


def judge_text(
    diagnostics: Sequence[Diagnostic], slug: str, size: int, policy: Sequence[Rules]
) -> tuple[Diagnostic, ...]:
    """The diagnostics of an agent's file, with what a policy refuses as errors.

    Args:
        diagnostics: by its reader and the checks.
        slug: what the agent is called.
        size: of the file, in bytes.
        policy: what counts for the agent.
    """
    refusals = {
        code: refusal
        for code, refusal, key in (
            (Code.HIDDEN_UNICODE, Code.HIDDEN_REFUSED, "hidden"),
            (Code.SECRET, Code.SECRET_REFUSED, "secrets"),
        )
        if any(getattr(rules, key) == "refuse" for rules in policy)
    }
    judged = [replace(one, code=refusals.get(one.code, one.code)) for one in diagnostics]
    for rules in policy:
        if is_among(slug, rules.reserved):
            judged.append(Diagnostic(Code.NAME_REFUSED, f"`{slug}` is no name for an agent of a source"))
        if size > rules.max_bytes:
            judged.append(Diagnostic(Code.SIZE_REFUSED, f"{size} bytes are over {rules.max_bytes}"))
    return tuple(dict.fromkeys(judged))


def judge_output(
    target: Dialect, document: Document, slug: str, policy: Sequence[Rules], author: Author | None = None
) -> tuple[Diagnostic, ...]:
    """A diagnostic for each thing in a tool's file that a policy refuses.

    Args:
        target: whose file it is.
        document: the file.
        slug: what the agent is called.
        policy: what counts for the agent.
        author: what the agent's author wrote; the same file where it is None.
    """
    author = author or Author(target, document)
    refusals = (refusal for rules in policy for refusal in _refusals(target, document, slug, rules, author))
    return tuple(dict.fromkeys(refusals))


def _refusals(target: Dialect, document: Document, slug: str, rules: Rules, author: Author) -> Iterator[Diagnostic]:
    for ability in brought(target.effects_of, document.metadata.items()):
        if refusal := _refused(ability, rules):
            yield Diagnostic(*refusal, line=document.lines.get(ability.key, 0))
    if rules.models != EVERYTHING_GLOBS:
        agent = target.read(document, slug).agent
        if agent and agent.model and not is_among(agent.model, rules.models):
            yield Diagnostic(Code.MODEL_REFUSED, f"model `{agent.model}`", line=document.lines.get("model", 0))
    for key in target.undeclared(document.metadata) if target.undeclared else ():
        if not is_among(f"{target.name}.{key}", rules.keys):
            message = f"it is not declared what `{key}` does in {target.title}"
            yield Diagnostic(Code.KEY_REFUSED, message, line=document.lines.get(key.partition(".")[0], 0))
    try:
        yield from judge_approval(target, document, rules, author)
    except TooManyPatternsError as error:
        yield Diagnostic(Code.GRANT_REFUSED, error.message)
    if excess := _excess(target, document, rules):
        yield Diagnostic(Code.GRANT_REFUSED, excess)


# The setting that takes or refuses what keys bring, with the code and the message of a refusal.
_SETTINGS: Final[Mapping[tuple[Effect, Meaning | None], tuple[str, Code, str]]] = {
    (Effect.RUNS_PROGRAM, Meaning.HOOKS): (
        "hooks",
        Code.HOOKS_REFUSED,
        "`{}` are commands that the tool runs by itself",
    ),
    (Effect.OPENS_ADDRESS, Meaning.SERVERS): ("mcp_servers", Code.SERVERS_REFUSED, "brings the MCP server `{}`"),
    (Effect.RUNS_PROGRAM, None): ("programs", Code.PROGRAM_REFUSED, "`{}` has the tool run a program or load code"),
    (Effect.OPENS_ADDRESS, None): (
        "addresses",
        Code.ADDRESS_REFUSED,
        "`{}` names a server or address that the tool sends to",
    ),
    (Effect.READS_FILE, None): (
        "files",
        Code.FILE_REFUSED,
        "`{}` has the tool read or write files outside the project",
    ),
}


def _refused(ability: Ability, rules: Rules) -> tuple[Code, str] | None:
    """The refusal of what a key brings; None where the rules allow it."""
    name = ability.name
    match ability.effect:
        case Effect.INERT | Effect.RESTRICTS | Effect.CHANGES_APPROVAL:
            return None  # approval is judged as a whole
        case Effect.CHANGES_MODEL:
            message = f"`{name}` chooses a model in a way that `models` cannot judge"
            return None if rules.models == EVERYTHING_GLOBS else (Code.MODEL_REFUSED, message)
        case Effect.RUNS_PROGRAM | Effect.OPENS_ADDRESS | Effect.READS_FILE:
            setting, code, message = _SETTINGS[ability.effect, ability.meaning]
            return (code, message.format(name)) if getattr(rules, setting) == "refuse" else None
        case _:
            assert_never(ability.effect)


def _excess(target: Dialect, document: Document, rules: Rules) -> str:
    """What a file grants beyond what it may; empty where there is nothing."""
    allowed = rules.grants
    if allowed is None and rules.inherit == "allow":
        return ""
    granted = target.enforced(document)
    try:
        if rules.inherit == "refuse" and granted.everything_else:
            return "it has every tool that its session has, since it names none"
        if allowed and target.uses_effects:
            allowed = allowed.with_effects()
    except TooManyPatternsError as error:
        return error.message
    if allowed is None:
        return ""
    gains = gained(Abilities(allowed.with_flat_names()), Abilities(granted.with_flat_names()))
    return f"it would have {', '.join(gain.name for gain in gains)}" if gains else ""
