"""A file that was read, and its bytes as text."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import AgentsyncError

if TYPE_CHECKING:
    from pydantic import JsonValue  # a pull that finds nothing to do imports this module, and not that one

MAX_FILE_BYTES = 1 << 20
MAX_HEAD_BYTES = 64 << 10
"""How much may stand beside an agent's instructions."""

MAX_DEPTH = 16

_CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\t\n\f\r"})
# Also those beyond ASCII, which some terminals obey; but not the line end among them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_UTF16_STARTS = (BOM_UTF16_LE, BOM_UTF16_BE)
_UTF16_FENCES = {"---".encode("utf-16-le"): "utf-16-le", "---".encode("utf-16-be"): "utf-16-be"}


class UnreadableError(AgentsyncError):
    """Nothing can be made of a file's bytes; `diagnostic` says why and where."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message, place=diagnostic.place, hint=diagnostic.hint or diagnostic.code.remedy)
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read.

    Attributes:
        path: as given, for diagnostics.
        metadata: the top-level keys, in the file's order.
        body: what follows the line of the closing fence, with its own line ends.
        lines: each top-level key's 1-based line in the file.
        repaired: whether the bytes had to be repaired, and so must not be passed on as they are.
        diagnostics: what was found, with path and line.
        data: the bytes as given.
    """

    path: str
    metadata: Mapping[str, JsonValue]
    body: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    repaired: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()
    data: bytes = b""


def check_size(metadata: Mapping[str, JsonValue], path: str) -> None:
    """Refuses too much beside the instructions, where these are a value like others: the longest text.

    Raises:
        UnreadableError: it is too large.
    """
    texts = (key for key, value in metadata.items() if isinstance(value, str))
    longest = max(texts, key=lambda key: len(str(metadata[key])), default="")
    rest = {key: value for key, value in metadata.items() if key != longest}
    if len(json.dumps(rest, ensure_ascii=False)) > MAX_HEAD_BYTES:
        message = f"There are over {MAX_HEAD_BYTES:,} bytes beside the instructions."
        raise UnreadableError(Diagnostic(Code.TOO_LARGE, message, path))


def decode(data: bytes, path: str) -> tuple[str, tuple[Diagnostic, ...], bool]:
    """The text of a file, what was found, and whether the bytes had to be repaired.

    Raises:
        UnreadableError: it is too large, empty, or neither UTF-8 nor UTF-16.
    """
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableError(Diagnostic(Code.TOO_LARGE, f"The file is over {MAX_FILE_BYTES:,} bytes.", path))
    encoding = "utf-16" if data.startswith(_UTF16_STARTS) else _UTF16_FENCES.get(data[:6], "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(Diagnostic(Code.NOT_UTF8, Code.NOT_UTF8.cause, path, line)) from error
    repairs: list[Code] = []
    if encoding != "utf-8":
        repairs.append(Code.UTF16)
        data = text.encode()
    if text.startswith("\ufeff"):
        repairs.append(Code.BYTE_ORDER_MARK)
        text = text.lstrip("\ufeff")
    if not text or text.isspace():
        raise UnreadableError(Diagnostic(Code.EMPTY, Code.EMPTY.cause, path))
    if "\r" in text and "\n" not in text:
        repairs.append(Code.LINE_ENDS)
        text = text.replace("\r", "\n")
    findings = [Diagnostic(code, code.cause, path, 1) for code in repairs]
    if (control := control_character(text)) >= 0:
        message = f"The text holds the control character U+{ord(text[control]):04X}."
        findings.append(Diagnostic(Code.CONTROL_CHARACTER, message, path, text.count("\n", 0, control) + 1))
    return text, tuple(findings), bool(repairs)


def control_character(text: str) -> int:
    """The index of the first character that is neither text nor a blank, a line end or a page break, or -1."""
    if text.isascii() and len(text.encode().translate(None, _CONTROLS)) == len(text):
        return -1  # which is nearly always so, and by far the fastest to find out
    found = _CONTROL.search(text)
    return found.start() if found else -1
