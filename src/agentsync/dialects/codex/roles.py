"""Roles in Codex's `config.toml`: a table `[agents.NAME]` each, and the settings of the agent in a file that it names.

Facts: https://developers.openai.com/codex/subagents: `config_file` is relative to the file that names it. The table's
name is the agent's, whatever name that file has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from agentsync.dialects._base import SettingsFile
from agentsync.formats.toml import parse_toml
from agentsync.formats.toml_writer import format_toml

_AGENTS: Final = "agents"
_FILE: Final = "config_file"
_PROMPT: Final = "developer_instructions"


def _agents(data: bytes, path: str) -> Mapping[str, Mapping[str, JsonValue]]:
    listed = parse_toml(data, path).metadata.get(_AGENTS)
    named = listed.items() if isinstance(listed, dict) else ()
    # `[agents]` has limits for all of them too; a role without a file has no instructions of its own.
    return {name: values for name, values in named if isinstance(values, dict) and isinstance(values.get(_FILE), str)}


def _parts(values: Mapping[str, JsonValue]) -> tuple[str, ...]:
    return (str(values[_FILE]),)


def _written(name: str, values: Mapping[str, JsonValue], parts: Mapping[str, bytes]) -> bytes:
    file = str(values[_FILE])
    role = {key: value for key, value in values.items() if key != _FILE}
    metadata: dict[str, JsonValue] = {"name": name, **role}
    metadata |= {key: value for key, value in parse_toml(parts[file], file).metadata.items() if key not in metadata}
    prompt = metadata.get(_PROMPT)
    if not isinstance(prompt, str):
        return format_toml(metadata, "", prompt_key=_PROMPT)
    return format_toml({key: value for key, value in metadata.items() if key != _PROMPT}, prompt, prompt_key=_PROMPT)


ROLES: Final = SettingsFile(("/.codex/config.toml",), _agents, _parts, _written)
