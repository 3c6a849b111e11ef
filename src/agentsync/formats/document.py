"""A parsed file, and the decoding of its bytes."""

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
    from pydantic import JsonValue  # slow to import, and not needed by a pull that has nothing to do

MAX_FILE_BYTES = 1 << 20
MAX_HEAD_BYTES = 64 << 10
"""The most bytes that a file may have apart from an agent's instructions."""

MAX_DEPTH = 16

_CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\t\n\f\r"})
# Includes those beyond ASCII, which some terminals obey, except the line end among them (U+0085).
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_UTF16_STARTS = (BOM_UTF16_LE, BOM_UTF16_BE)
_UTF16_FENCES = {"---".encode("utf-16-le"): "utf-16-le", "---".encode("utf-16-be"): "utf-16-be"}


class UnreadableError(AgentsyncError):
    """A file cannot be parsed; `diagnostic` has the reason and the place."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message, place=diagnostic.place, hint=diagnostic.hint or diagnostic.code.remedy)
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    Attributes:
        path: as given, for diagnostics.
        metadata: the top-level keys, in the file's order.
        body: what follows the line of the closing fence, with its own line ends.
        lines: the 1-based line of each top-level key in the file.
        repaired: whether the file had to be repaired, so that its bytes must not be passed on unchanged.
        diagnostics: the repairs and problems, with path and line.
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
    """Refuse too much data beside the instructions, in formats where these are a value: the longest text.

    Raises:
        UnreadableError: the other values are too large.
    """
    texts = (key for key, value in metadata.items() if isinstance(value, str))
    longest = max(texts, key=lambda key: len(str(metadata[key])), default="")
    rest = {key: value for key, value in metadata.items() if key != longest}
    if len(json.dumps(rest, ensure_ascii=False)) > MAX_HEAD_BYTES:
        raise UnreadableError(oversized(path))


def oversized(path: str) -> Diagnostic:
    """Report a file with too much data beside the instructions."""
    return Diagnostic(Code.TOO_LARGE, f"There are over {MAX_HEAD_BYTES:,} bytes beside the instructions.", path)


def decode(data: bytes, path: str) -> tuple[str, tuple[Diagnostic, ...], bool]:
    """Decode a file into its text, the diagnostics, and whether it had to be repaired.

    Raises:
        UnreadableError: the file is too large, empty, or neither UTF-8 nor UTF-16.
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
    diagnostics = [Diagnostic(code, code.cause, path, 1) for code in repairs]
    if (control := control_character(text)) >= 0:
        message = f"The text holds the control character U+{ord(text[control]):04X}."
        diagnostics.append(Diagnostic(Code.CONTROL_CHARACTER, message, path, text.count("\n", 0, control) + 1))
    return text, tuple(diagnostics), bool(repairs)


def control_character(text: str) -> int:
    """Index of the first control character other than a blank, a line end or a page break, or -1."""
    data = text.encode("utf-8", "surrogatepass")
    # Those beyond ASCII begin with this byte.
    if len(data.translate(None, _CONTROLS)) == len(data) and b"\xc2" not in data:
        return -1  # nearly every file ends here, and this is by far the fastest check
    match = _CONTROL.search(text)
    return match.start() if match else -1
