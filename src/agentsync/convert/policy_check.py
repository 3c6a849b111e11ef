"""Whether a policy takes an agent: its text, and the file that is to be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, assert_never

from pydantic import JsonValue

from agentsync.agents.grants import wider
from agentsync.agents.key_effects import Effect, KeyEffect, Meaning
from agentsync.agents.patterns import TooManyPatternsError
from agentsync.convert.abilities import brought_servers, effective_keys, mode_name
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


def judge_output(target: Dialect, document: Document, slug: str, policy: Sequence[Rules]) -> tuple[Diagnostic, ...]:
    """A diagnostic for each thing in a tool's file that a policy refuses.

    Args:
        target: whose file it is.
        document: the file.
        slug: what the agent is called.
        policy: what counts for the agent.
    """
    refusals = (refusal for rules in policy for refusal in _refusals(target, document, slug, rules))
    return tuple(dict.fromkeys(refusals))


def _refusals(target: Dialect, document: Document, slug: str, rules: Rules) -> Iterator[Diagnostic]:
    for key, value, row in effective_keys(target, document):
        for code, message in _refused_effect(key, value, row, rules):
            yield Diagnostic(code, message, line=document.lines.get(key, 0))
    if rules.models != EVERYTHING_GLOBS:
        agent = target.read(document, slug).agent
        if agent and agent.model and not is_among(agent.model, rules.models):
            yield Diagnostic(Code.MODEL_REFUSED, f"model `{agent.model}`", line=document.lines.get("model", 0))
    if grant := _excess(target, document, rules):
        yield Diagnostic(Code.GRANT_REFUSED, grant)


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


def _refused_effect(key: str, value: JsonValue, row: KeyEffect, rules: Rules) -> Iterator[tuple[Code, str]]:
    """The refusals of one effect that a key of a file has."""
    match row.effect:
        case Effect.RESTRICTS:
            pass
        case Effect.CHANGES_APPROVAL:
            mode = mode_name(key, value)
            if not is_among(mode, rules.modes):
                yield Code.MODE_REFUSED, f"permission mode `{mode}` takes the user's guard away"
        case Effect.CHANGES_MODEL:
            if rules.models != EVERYTHING_GLOBS:
                yield Code.MODEL_REFUSED, f"`{key}` chooses a model in a way that `models` cannot judge"
        case Effect.RUNS_PROGRAM | Effect.OPENS_ADDRESS | Effect.READS_FILE:
            setting, code, message = _SETTINGS[row.effect, row.meaning]
            names = brought_servers(value) if row.meaning is Meaning.SERVERS else (key,)
            if getattr(rules, setting) == "refuse":
                yield from ((code, message.format(name)) for name in names)
        case _:
            assert_never(row.effect)


def _excess(target: Dialect, document: Document, rules: Rules) -> str:
    """What a file grants beyond what it may; empty where there is nothing."""
    allowed = rules.grants
    if allowed is None and rules.inherit == "allow":
        return ""
    granted = target.enforced(document)
    try:
        if rules.inherit == "refuse" and granted.everything_else:
            return "it has every tool that its session has, since it names none"
        if allowed is None:
            return ""
        if target.uses_effects:
            allowed = allowed.with_effects()
        excess = wider(granted.with_flat_names(), allowed.with_flat_names())
    except TooManyPatternsError as error:
        return error.message
    return f"it would have {excess.call}" if excess else ""
