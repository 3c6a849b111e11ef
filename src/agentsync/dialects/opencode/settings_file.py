"""Agents in `opencode.json`: the keys of an agent's file, and its instructions as `prompt`.

Facts: https://opencode.ai/docs/agents and https://opencode.ai/docs/config: `{file:path}` is replaced by a file's text,
and the path is relative to the settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import SettingsFile
from agentsync.formats.document import MAX_FILE_BYTES, UnreadableError, decode
from agentsync.formats.frontmatter import format_markdown
from agentsync.formats.json_reader import load_jsonc

_AGENTS: Final = "agent"
_PROMPT: Final = "prompt"
# One that is never closed is matched without a path, so that the search ends there: none after it is closed.
_FILE: Final = re.compile(r"\{file:(?:([^}]++)\}|[^}]++\Z)")


def settings_file(locations: tuple[str, ...], built_in: frozenset[str]) -> SettingsFile:
    """The settings at these places, in which an agent that is built in is changed rather than defined."""

    def agents(data: bytes, path: str) -> Mapping[str, Mapping[str, JsonValue]]:
        listed = load_jsonc(data, path).get(_AGENTS)
        named = listed.items() if isinstance(listed, dict) else ()
        # Without instructions, it changes an agent that has a file of its own.
        return {
            name: values
            for name, values in named
            if name not in built_in and isinstance(values, dict) and isinstance(values.get(_PROMPT), str)
        }

    return SettingsFile(locations, agents, _parts, _written)


def _parts(values: Mapping[str, JsonValue]) -> tuple[str, ...]:
    return tuple(filter(None, _FILE.findall(str(values[_PROMPT]))))


def _written(_name: str, values: Mapping[str, JsonValue], parts: Mapping[str, bytes]) -> bytes:
    texts = {part: decode(data, part)[0].strip() for part, data in parts.items()}
    # Summed before it is made: a prompt may take in one file a hundred thousand times.
    if sum(len(texts[part]) for part in _parts(values)) > MAX_FILE_BYTES:
        message = f"with the files that it takes in it is over {MAX_FILE_BYTES:,} bytes"
        raise UnreadableError(Diagnostic(Code.TOO_LARGE, message))
    prompt = _FILE.sub(lambda match: texts[match[1]] if match[1] else match[0], str(values[_PROMPT]))
    metadata = {key: value for key, value in values.items() if key != _PROMPT}
    return format_markdown(metadata, prompt)
