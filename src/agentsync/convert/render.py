"""Rendering of an agent as a target's file, with the proof that the file grants no more than the agent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.agents.patterns import TooManyPatternsError
from agentsync.convert.losses import ability_lost, lost_abilities
from agentsync.convert.proof import gain_by_overrides, read_back, upper_bound_of
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import is_windows_device, slug
from agentsync.dialects import Dialect, refused
from agentsync.formats.document import Document
from agentsync.repository.dialect_detection import ReadAgent
from agentsync.repository.overrides import Override, overridden, regranted


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """File that a dialect wrote for one agent.

    Attributes:
        path: relative to the target's directory, or the name in its shared file; empty where there is no file.
        data: the file's bytes; None where the agent is refused, or excluded from the target.
        diagnostics: losses, and the reason of a refusal.
        excluded: whether the agent is excluded from the target, so that an existing file is deleted.
        document: the bytes as parsed by the target's dialect; None where there are none.
        name: by which other agents call it in the target; empty where there are none.
        lost: what the agent can no longer do there, each as the words after "can".
    """

    path: str
    data: bytes | None
    diagnostics: tuple[Diagnostic, ...] = ()
    excluded: bool = False
    document: Document | None = None
    name: str = ""
    lost: tuple[str, ...] = ()


def render(read: ReadAgent, target: Dialect, options: WriteOptions, overrides: Sequence[Override] = ()) -> RenderedFile:
    """Render an agent for a target, and report in one sentence what it can no longer do there."""
    file = _rendered(read, target, options, overrides)
    if not file.lost:
        return file
    codes = {diagnostic.code for diagnostic in file.diagnostics}
    accepting = replace(
        options,
        coarse="accept" if Code.COARSE in codes else options.coarse,
        unenforceable="accept" if Code.GLOB_NARROWED in codes else options.unenforceable,
    )
    # Only a try shows whether a setting helps: what another part of the agent denies stays denied.
    other = _rendered(read, target, accepting, overrides) if accepting != options else file
    kept = tuple(ability for ability in file.lost if ability not in other.lost) if other.data is not None else ()
    changed = [name for name in ("coarse", "unenforceable") if getattr(accepting, name) != getattr(options, name)]
    diagnostic = ability_lost(file.lost, target, kept, changed)
    return replace(file, diagnostics=(diagnostic, *file.diagnostics))


def _rendered(read: ReadAgent, target: Dialect, options: WriteOptions, overrides: Sequence[Override]) -> RenderedFile:
    """Render an agent for a target.

    An agent that its own tool would not load is not written for that tool, where only its author knows what is right.
    An agent of the target's own dialect is written as its very bytes, unless these had to be repaired to be read, an
    override applies, or its dialect was guessed and its tool would ignore a restriction.
    """
    effective = overridden(read.agent, target, overrides)
    if read.respelled and read.dialect is target:
        effective = regranted(effective, target)
    agent = effective.agent
    if agent is None:
        return RenderedFile("", None, effective.diagnostics, excluded=effective.excluded)
    if refusals := _refusals(read, agent, target):
        return RenderedFile("", None, (*effective.diagnostics, *refusals))
    if read.dialect is target and read.passes_through and not effective.changed:
        return RenderedFile(target.path_of(agent.slug), read.document.data, document=read.document, name=agent.name)
    renamed: tuple[Diagnostic, ...] = ()
    if read.dialect is not target:  # only an author for the tool can intend one of its own names
        agent, renamed = _adapted(agent, target)
    path = target.path_of(agent.slug)
    options = replace(options, overwrites=read.dialect.capabilities.overwrites)
    try:
        writing = target.write(agent, options)
    except TooManyPatternsError as error:
        return RenderedFile("", None, (Diagnostic(Code.REFUSED_WIDER, error.message, hint=error.hint),))
    diagnostics = (*effective.diagnostics, *renamed, *writing.diagnostics)
    if writing.data is None or refused(writing.diagnostics):
        return RenderedFile("", None, without_losses(diagnostics))
    allowed = upper_bound_of(read, effective, target, options)
    output = read_back(writing.data, path, agent, allowed, target)
    if output.widening:
        message = f"{output.widening}; {target.title} cannot express it more narrowly"
        return RenderedFile("", None, (*without_losses(diagnostics), Diagnostic(Code.REFUSED_WIDER, message)))
    if effective.in_own_words and (gain := _gain(writing.data, read, target, options)):
        refusal = Diagnostic(Code.OVERRIDE_WIDER, gain, path=effective.in_own_words)
        return RenderedFile("", None, (*effective.diagnostics, refusal))
    name = output.document.metadata.get("name") if output.document else None
    called = name if isinstance(name, str) else agent.slug
    lost = lost_abilities(agent, output, target)
    return RenderedFile(path, writing.data, diagnostics, document=output.document, name=called, lost=lost)


def without_losses(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of an agent that is not written: what it would lose in its target concerns nobody.

    That a part is refused for some arguments is often why the whole is, so it stays.
    """
    return tuple(
        one
        for one in diagnostics
        if one.severity is Severity.ERROR or one.code is Code.GLOB_NARROWED or not one.code.id.startswith("AS3")
    )


def _refusals(read: ReadAgent, agent: Agent, target: Dialect) -> tuple[Diagnostic, ...]:
    """Return why a target gets no such agent, whatever could be written for it."""
    if is_windows_device(agent.slug):
        message = f"`{agent.slug}` is the name of a device on Windows, so no file is written"
        return (Diagnostic(Code.NAME_UNSAFE, message),)
    return read.refusals if read.dialect is target else ()


def _adapted(agent: Agent, target: Dialect) -> tuple[Agent, tuple[Diagnostic, ...]]:
    """Return the agent under a name that the target takes, and a diagnostic where that is another one."""
    adapted = target.names.adapted(agent.slug)
    if adapted == agent.slug:
        return agent, ()
    # A name in another script does not decide the name of the file, so it stays where the tool takes it.
    kept = target.names.spelled(agent.name, adapted) if slug(agent.name, adapted) == adapted else adapted
    message = f"{target.title} does not take the name `{agent.slug}`, so the agent is called `{adapted}` here"
    diagnostic = Diagnostic(Code.NAME_CHANGED, message)
    return agent.model_copy(update={"name": kept, "slug": adapted}), (diagnostic,)


def _gain(data: bytes, read: ReadAgent, target: Dialect, options: WriteOptions) -> str:
    """Describe what an output gives beyond the agent without overrides; empty where it gives nothing more."""
    before = _rendered(read, target, options, ())
    return gain_by_overrides(before.data, data, read.agent.slug, target) if before.data is not None else ""
