"""What a dialect is, and the finding of all that there are: every module in this package holds one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from agentsync.diagnostics import Diagnostic, Severity
from agentsync.document import Document
from agentsync.fitting import Shape, WriteOptions
from agentsync.model import Agent
from agentsync.permissions import Grants


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader made of a document.

    Attributes:
        agent: None where an error stands among the diagnostics.
        loads: whether the tool itself would load the bytes as they are.
    """

    agent: Agent | None
    diagnostics: tuple[Diagnostic, ...] = ()
    loads: bool = True


@dataclass(frozen=True, slots=True)
class Writing:
    """What a writer made of an agent: the file's bytes, or none where it is refused."""

    data: bytes | None
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One tool's way of writing an agent.

    Attributes:
        name, title: the identifier used everywhere and the tool's name for people.
        suffix: the ending of an agent's file.
        user_directory: where the tool looks, relative to the home directory, and
        environment: the variable that moves it (to its parent directory), if the tool has one.
        project_directories: where it looks in a project; the first is where agentsync writes.
        recursive: whether it looks below that directory.
        binaries: the commands that show that it is installed.
        version: the release that the facts in this module were checked with.
        source: where they are documented.
        parse: bytes to Document; raises UnreadableError.
        score: how much a document looks like this dialect's, from 0; decides where the path does not.
        read: Document and the file's stem to an agent.
        restrictions: the keys, without case, dashes and underscores, that `read` makes restrictions of.
        write: agent and options to bytes.
        shape: what the tool can say about permissions.
        enforced: what the tool will let a document's agent do: the widest that its documentation allows.
        uses_effects: whether grants are compared by what they let happen, since one shell does everything here.
    """

    name: str
    title: str
    suffix: str
    user_directory: str
    project_directories: tuple[str, ...]
    recursive: bool
    binaries: tuple[str, ...]
    version: str
    source: str
    parse: Callable[[bytes, str], Document]
    score: Callable[[Document], int]
    read: Callable[[Document, str], Reading]
    write: Callable[[Agent, WriteOptions], Writing]
    shape: Shape
    enforced: Callable[[Document], Grants]
    restrictions: frozenset[str]
    environment: str = ""
    uses_effects: bool = False


@cache
def dialects() -> Mapping[str, Dialect]:
    """Every dialect by name, in alphabetical order."""
    modules = (import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__) if info.name[0] != "_")
    return {module.DIALECT.name: module.DIALECT for module in modules}


def refused(diagnostics: tuple[Diagnostic, ...]) -> bool:
    """Whether an error stands among them."""
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
