"""TOML checked against a model: a mistake is reported with file, line, key and the nearest valid word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile
from types import UnionType
from typing import Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from agentsync.core.errors import ConfigError
from agentsync.formats.toml import load_toml


class Settings(BaseModel):
    """An immutable table of settings, in which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MisplacedError(ValueError):
    """A mistake reported by the validator of a whole document, with the keys that lead to it."""

    def __init__(self, message: str, *keys: str) -> None:
        super().__init__(message)
        self.keys = keys


Model = TypeVar("Model", bound=Settings)


def load(text: str, model: type[Model], place: str) -> Model:
    """Parse TOML into a model.

    Args:
        text: the TOML document.
        model: the model of the whole document.
        place: the file's name, for messages.

    Raises:
        ConfigError: names the first mistake and counts the others.
    """
    text = text.removeprefix("\ufeff")  # some editors start each file with it
    try:
        document = load_toml(text)
    except RecursionError as error:
        raise ConfigError("this is nested too deeply", place=place) from error
    except ValueError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = f"{place}:{line[1]}" if line else place
        raise ConfigError(f"this is not valid TOML: {error}", place=where) from error
    return validate(document, model, place, text)


def validate(document: Mapping[str, object], model: type[Model], place: str, text: str = "") -> Model:
    """Validate a parsed document; `text` is its source, for line numbers.

    Raises:
        ConfigError: names the first mistake and counts the others.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        raise _as_config_error(first, len(others), text, model, place) from error


def _as_config_error(detail: ErrorDetails, others: int, text: str, model: type[Settings], place: str) -> ConfigError:
    cause = detail.get("ctx", {}).get("error")
    misplaced = cause.keys if isinstance(cause, MisplacedError) else ()
    # pydantic adds a marker of its own to the path of an invalid key.
    keys = [str(part) for part in (*detail["loc"], *misplaced) if part != "[key]"]
    line = _line_of(keys, text)
    dotted = ".".join(keys)
    hint = ""
    match detail["type"]:
        case "extra_forbidden":
            message = f"unknown key `{dotted}`"
            known = list(_fields_at(model, keys[:-1]))
            near = get_close_matches(keys[-1], known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else "known keys: " + ", ".join(known)
        case "missing":
            message = f"`{dotted}` is missing"
        case _:
            message = f"`{dotted}`: {_sentence(detail)}" if dotted else _sentence(detail)
    more = f" (and {others} more)" if others else ""
    return ConfigError(message + more, place=f"{place}:{line}" if line else place, hint=hint)


# pydantic's error types, which use Python's terms, in the terms of docs/configuration.md.
_TYPES: Final = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a table",
    "path_type": "text",
    "string_type": "text",
    "tuple_type": "a list",
}


def _sentence(detail: ErrorDetails) -> str:
    if expected := _TYPES.get(detail["type"]):
        return f"should be {expected}"
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    return text[0].lower() + text[1:]


def _fields_at(model: type[BaseModel], keys: Sequence[str]) -> Sequence[str]:
    """Known keys of the table at this path."""
    for key in keys:
        field = model.model_fields.get(key)
        inner = _inner_model(field.annotation) if field else None
        if inner is not None:
            model = inner
    return sorted(model.model_fields)


def _inner_model(annotation: object) -> type[BaseModel] | None:
    """Model of a field, or of the values of a table of models; None where it has no model."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (dict, list, tuple, Union, UnionType):
        models = (_inner_model(argument) for argument in get_args(annotation))
        return next((model for model in models if model), None)
    return None


_HEADER = re.compile(r"\s*\[\[?(?P<keys>[^\]]+)\]\]?\s*(#.*)?$")


def _line_of(keys: Sequence[str], text: str) -> int:
    """Line that sets a key, or the line of its table where the key is missing; 0 where both are missing."""
    table: list[str] = []
    best, best_depth = 0, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _split_keys(header["keys"])
            path = table
        elif "=" in line and not line.lstrip().startswith("#"):
            path = table + _split_keys(line.partition("=")[0])
        else:
            continue
        depth = len(path)
        if best_depth < depth <= len(keys) and list(keys[:depth]) == path:
            best, best_depth = number, depth
    index = keys[best_depth] if best_depth < len(keys) else ""
    return _line_of_entry(int(index), best, text) if best and index.isdecimal() else best


def _line_of_entry(index: int, start: int, text: str) -> int:
    """Line of an entry of the list that begins on a line, where each has a line of its own; else the list's line."""
    first, *rest = text.splitlines()[start - 1 :]
    entries = [start + offset for offset, line in enumerate(takewhile(_in_list, rest), 1) if line.lstrip()[:1] == "{"]
    has_own_lines = first.partition("#")[0].rstrip().endswith("[")
    return entries[index] if has_own_lines and index < len(entries) else start


def _in_list(line: str) -> bool:
    return not line.lstrip().startswith("]")


def _split_keys(text: str) -> list[str]:
    return [match[1] or match[2] or match[3] for match in re.finditer(r'"([^"]*)"|\'([^\']*)\'|([A-Za-z0-9_-]+)', text)]
