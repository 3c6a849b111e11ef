"""Overlays: the user's own files beside the configuration, merged into agents at each pull and never written."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.files import read_regular
from agentsync.core.paths import shorten
from agentsync.dialects import refused
from agentsync.formats.document import Document, UnreadableError, decode
from agentsync.formats.frontmatter import parse_markdown
from agentsync.repository.overrides import Override, check_override

_SUFFIX = ".md"


def read_overlays(directory: Path | None) -> tuple[tuple[Override, ...], tuple[Diagnostic, ...]]:
    """Read the overlays of a directory, sorted by file name, with the diagnostics on them.

    A file is for the agent that it is named after: its frontmatter overrides the agent's keys, its text follows the
    prompt. Without frontmatter all of it is text. An unusable overlay may be one that restricts its agent, so the agent
    is refused; where the directory cannot be read, every agent is.
    """
    if directory is None:
        return (), ()
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(_SUFFIX))  # noqa: PTH208 - names alone
    except FileNotFoundError:
        return (), ()
    except OSError as error:
        overlay, problems = _unusable("*", shorten(str(directory)), error)
        return (overlay,), problems
    overlays: list[Override] = []
    diagnostics: list[Diagnostic] = []
    for name in names:
        overlay, problems = _overlay(directory / name)
        overlays.append(overlay)
        diagnostics += problems
    return tuple(overlays), tuple(diagnostics)


def _overlay(path: Path) -> tuple[Override, tuple[Diagnostic, ...]]:
    pattern, place = path.name.removesuffix(_SUFFIX), shorten(str(path))
    try:
        document = _parsed(_bytes(path), place)
    except UnreadableError as error:
        return Override(pattern, place, {}, unusable=True), (error.diagnostic,)
    except OSError as error:
        return _unusable(pattern, place, error)
    overlay = Override(pattern, place, document.metadata, document.body)
    diagnostics = (*document.diagnostics, *check_override(overlay))
    return replace(overlay, unusable=refused(diagnostics)), diagnostics


def _unusable(pattern: str, place: str, error: OSError) -> tuple[Override, tuple[Diagnostic, ...]]:
    problem = Diagnostic(Code.OVERLAY_UNUSABLE, f"it cannot be read: {error.strerror}", path=place)
    return Override(pattern, place, {}, unusable=True), (problem,)


def _bytes(path: Path) -> bytes:
    return read_regular(path)  # what is larger than an agent may be is reported when it is parsed


def _parsed(data: bytes, place: str) -> Document:
    try:
        return parse_markdown(data, place)
    except UnreadableError as error:
        if error.diagnostic.code is not Code.NO_FRONTMATTER:
            raise
    text, diagnostics, _ = decode(data, place)
    return Document(path=place, metadata={}, data=data, body=text, diagnostics=diagnostics)
