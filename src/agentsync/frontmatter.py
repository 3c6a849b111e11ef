"""Placeholder; being written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from agentsync.diagnostics import Diagnostic


class UnreadableError(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class Document:
    metadata: Mapping[str, JsonValue]
    body: str
    path: str = ""
    lines: Mapping[str, int] = ()  # type: ignore
    repaired: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()
