"""Write agents as TOML: plain keys, a readable prompt, and tables at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import tomli_w
from pydantic import JsonValue

# Not allowed in a multi-line literal: its own quotes, and control characters other than tab and line feed.
_NOT_LITERAL: Final = re.compile("'''|[\\x00-\\x08\\x0b-\\x1f\\x7f]")


def format_toml(metadata: Mapping[str, JsonValue], prompt: str, *, prompt_key: str) -> bytes:
    """Write a TOML file.

    Args:
        metadata: the other keys, in order; null values are left out, since TOML has none.
        prompt: the instructions, of which surrounding blanks are left out, and all of them where nothing else remains.
        prompt_key: the key of the instructions.
    """
    prompt = prompt.strip()
    values = {key: _without_null(value) for key, value in metadata.items() if value is not None}
    # Tables must follow the plain keys, which would otherwise belong to the table before them.
    tables = {key: value for key, value in values.items() if _is_table(value)}
    plain = {key: value for key, value in values.items() if key not in tables}
    parts = [tomli_w.dumps(plain), _instructions(prompt_key, prompt) if prompt else "", tomli_w.dumps(tables)]
    return "\n".join(filter(None, parts)).encode()


def _instructions(key: str, prompt: str) -> str:
    """Write the prompt as a readable TOML literal, or escaped where a literal cannot contain it."""
    if _NOT_LITERAL.search(prompt):
        return tomli_w.dumps({key: f"{prompt}\n"}, multiline_strings=True)
    return f"{key} = '''\n{prompt}\n'''\n"


def _is_table(value: object) -> bool:
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, dict) for item in items)


def _without_null(value: JsonValue) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_null(item) for item in value if item is not None]
    return value
