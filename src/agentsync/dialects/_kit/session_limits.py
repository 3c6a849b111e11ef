"""Restrictions that no key of a tool's agents can express, so that the user's session decides."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from agentsync.agents.grants import MCP, TOOLS, Approval, Grants
from agentsync.agents.narrowing import WriteOptions
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic


def reads_anyway(title: str) -> Diagnostic:
    """Diagnostic for an agent that may not read files, in a tool that lets every agent do it.

    Args:
        title: the tool's display name.
    """
    message = f"{title} lets every agent read files, and this one may not"
    return Diagnostic(
        Code.REFUSED_WIDER, message, hint="Let the agent read files, or name it in `skip` of that target."
    )


def beyond(grants: Grants, covered: Collection[str], title: str, options: WriteOptions) -> Iterator[Diagnostic]:
    """Diagnostics for the restrictions of a source that the tool cannot express.

    Args:
        grants: the grants of the source.
        covered: the canonical tools that the tool's agents can restrict.
        title: the tool's display name.
        options: `strict_approval` refuses such an agent where it restricts a tool by name.
    """
    if not grants.everything_else:
        message = f"{title} has no list of tools: MCP servers, skills and agents of the user's session stay available"
        yield Diagnostic(Code.UNRESTRICTABLE, message)
        return
    others = [*sorted(TOOLS.difference(covered)), *(tool for tool in grants.patterns if tool.startswith(MCP))]
    for level, code, verb in (
        (Approval.DENY, Code.UNRESTRICTABLE, "take away"),
        (Approval.ASK, Code.APPROVAL_SESSION, "ask before"),
    ):
        restricted = [tool for tool in others if min(grants.approvals(tool)) == level < grants.everything_else]
        names = ", ".join(f"`{tool.removeprefix(MCP)}`" for tool in restricted)
        message = f"{title} cannot {verb} {names}: the user's session decides"
        if restricted and options.strict_approval:
            yield Diagnostic(Code.REFUSED_WIDER, f"{message}, and `strict_approval` is set")
        elif restricted:
            yield Diagnostic(code, message)
