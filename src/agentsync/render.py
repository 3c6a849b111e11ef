"""An agent as a target's file, with the proof that the file grants no more than the agent."""

from __future__ import annotations

from dataclasses import dataclass

from agentsync.diagnostics import Code, Diagnostic
from agentsync.dialects import Dialect, refused
from agentsync.document import UnreadableError
from agentsync.fitting import WriteOptions, bound
from agentsync.naming import is_windows_device
from agentsync.permissions import Grants, TooManyPatternsError, wider
from agentsync.source import ReadAgent


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """What a dialect wrote for one agent.

    Attributes:
        path: relative to the target's directory; empty where the agent is refused.
        data: the file's bytes; None where the agent is refused.
        diagnostics: losses, and the reason of a refusal.
    """

    path: str
    data: bytes | None
    diagnostics: tuple[Diagnostic, ...] = ()


def render(read: ReadAgent, target: Dialect, options: WriteOptions) -> RenderedFile:
    """Writes an agent for a target.

    An agent of the target's own dialect is written as its very bytes, unless these had to be repaired to be read.
    """
    agent = read.agent
    path = agent.slug + target.suffix
    if is_windows_device(agent.slug):
        message = f"`{agent.slug}` is the name of a device on Windows, so no file is written"
        return RenderedFile("", None, (Diagnostic(Code.NAME_UNSAFE, message),))
    if read.dialect is target and read.passes_through:
        return RenderedFile(path, read.document.data)
    try:
        writing = target.write(agent, options)
    except TooManyPatternsError as error:
        return RenderedFile("", None, (Diagnostic(Code.REFUSED_WIDER, error.message, hint=error.hint),))
    if writing.data is None or refused(writing.diagnostics):
        return RenderedFile("", None, writing.diagnostics)
    if widening := _widening(writing.data, path, read, target, options):
        message = f"{widening}; {target.title} cannot say it more narrowly"
        return RenderedFile("", None, (*writing.diagnostics, Diagnostic(Code.REFUSED_WIDER, message)))
    return RenderedFile(path, writing.data, writing.diagnostics)


def _widening(data: bytes, path: str, read: ReadAgent, target: Dialect, options: WriteOptions) -> str:
    """Reads the output back and says what it grants beyond the agent; empty where it grants nothing more."""
    try:
        document = target.parse(data, path)
        if document.repaired or target.read(document, read.agent.slug).agent is None:
            return "the output does not read back"
        widening = wider(target.enforced(document).with_flat_names(), _allowed(read, target, options).with_flat_names())
    except UnreadableError as error:
        return f"the output does not read back: {error.message}"
    except TooManyPatternsError as error:
        return error.message
    return str(widening) if widening else ""


def _allowed(read: ReadAgent, target: Dialect, options: WriteOptions) -> Grants:
    """The most that the target may let this agent do."""
    if read.dialect is target:
        return target.enforced(read.document)
    grants = read.agent.grants.with_effects() if target.uses_effects else read.agent.grants
    return bound(grants, target.shape, options)
