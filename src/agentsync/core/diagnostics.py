"""Diagnostics as values: each repair, loss and refusal has a stable code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from agentsync.core.codes import Code, Severity


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One repair, loss, refusal or remark about a file, an agent or a target.

    Attributes:
        code: the stable code, which also sets the severity and the default hint.
        message: the problem, as it concerns this file.
        path: the file, relative to its source, or absolute for a file on this machine.
        line, column: 1-based; 0 where not known.
        agent, target: the names of the agent and the target, where they are concerned.
        hint: what to do; empty for the code's own remedy.
    """

    code: Code
    message: str
    path: str = ""
    line: int = 0
    column: int = 0
    agent: str = ""
    target: str = ""
    hint: str = ""

    @property
    def severity(self) -> Severity:
        return self.code.severity

    def at(self, *, path: str = "", line: int = 0, agent: str = "", target: str = "") -> Self:
        """Copy this diagnostic, filling in the location where it has none."""
        return replace(
            self,
            path=self.path or path,
            line=self.line or line,
            agent=self.agent or agent,
            target=self.target or target,
        )

    @property
    def place(self) -> str:
        """Location as `path:line:column`, as far as known."""
        numbers = [str(number) for number in (self.line, self.column) if number]
        return ":".join([self.path, *numbers]) if self.path else ""

    def as_dict(self) -> dict[str, str | int]:
        """JSON form as documented in docs/json.md, without the fields that are not known."""
        record: dict[str, str | int] = {
            "code": self.code.id,
            "name": self.code.slug,
            "severity": self.severity.value,
            "message": self.message,
            "hint": self.hint or self.code.remedy,
        }
        for key in ("path", "line", "column", "agent", "target"):
            if value := getattr(self, key):
                record[key] = value
        return record
