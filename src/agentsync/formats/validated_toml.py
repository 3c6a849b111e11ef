"""TOML checked against a model: a mistake is reported with file, line, key and the nearest valid word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile
from types import UnionType
from typing import Annotated, Final, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from agentsync.core.durations import parse_duration
from agentsync.core.errors import ConfigError
from agentsync.formats.toml import load_toml


class Settings(BaseModel):
    """An immutable table of settings, in which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _seconds(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds, json_schema_input_type=float | str)]
"""A duration in seconds, written as a number or as text such as `5m`."""


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
        ConfigError: the first mistake, with the others.
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
        ConfigError: the first mistake, with the others.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        lines = _Lines(text)
        mistakes = [_as_mistake(detail, lines, model) for detail in error.errors(include_url=False)]
        first, *others = (one.as_error(place) for one in sorted(mistakes, key=lambda one: one.line))
        raise ConfigError(first.message, place=first.place, hint=first.hint, others=others) from error


class _Mistake(NamedTuple):
    """A mistake in a document; its line is 0 where it is not known."""

    line: int
    message: str
    hint: str

    def as_error(self, place: str) -> ConfigError:
        return ConfigError(self.message, place=f"{place}:{self.line}" if self.line else place, hint=self.hint)


def _as_mistake(detail: ErrorDetails, lines: _Lines, model: type[Settings]) -> _Mistake:
    cause = detail.get("ctx", {}).get("error")
    misplaced = cause.keys if isinstance(cause, MisplacedError) else ()
    # pydantic adds a marker of its own to the path of an invalid key.
    keys = [str(part) for part in (*detail["loc"], *misplaced) if part != "[key]"]
    dotted = ".".join(keys)
    hint = ""
    match detail["type"]:
        case "extra_forbidden":
            message = f"unknown key `{dotted}`"
            known = list(_fields_at(model, keys[:-1]))
            hint = _did_you_mean(keys[-1], known) or "known keys: " + ", ".join(known)
        case "literal_error":
            known = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
            message = f"`{dotted}`: {_sentence(detail)}"
            hint = _did_you_mean(str(detail["input"]), known)
        case "missing":
            message = f"`{dotted}` is missing"
        case _:
            message = f"`{dotted}`: {_sentence(detail)}" if dotted else _sentence(detail)
    return _Mistake(lines.of(keys), message, hint)


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean `{near[0]}`?" if near else ""


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


_KEY = re.compile(r'"([^"]*)"|\'([^\']*)\'|([A-Za-z0-9_-]+)')
_HEADER = re.compile(r"\s*\[\[?(?P<keys>[^\]]+)\]\]?\s*(#.*)?$")


class _Lines:
    """The lines on which a document sets its keys, found once for all mistakes."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._entries: dict[int, Sequence[int]] = {}
        self._first: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        for number, line in enumerate(self._lines, start=1):
            if header := _HEADER.match(line):
                table = path = _split_keys(header["keys"])
            elif "=" in line and not line.lstrip().startswith("#"):
                path = table + _split_keys(line.partition("=")[0])
            else:
                continue
            self._first.setdefault(path, number)

    def of(self, keys: Sequence[str]) -> int:
        """Line that sets a key, or the line of its table where the key is missing; 0 where both are missing."""
        for depth in range(len(keys), 0, -1):
            if number := self._first.get(tuple(keys[:depth])):
                index = keys[depth] if depth < len(keys) else ""
                return self._of_entry(int(index), number) if index.isdecimal() else number
        return 0

    def _of_entry(self, index: int, start: int) -> int:
        """Line of an entry of the list that begins on a line, if each has a line of its own; else the list's line."""
        if start not in self._entries:
            first, *rest = self._lines[start - 1 :]
            inside = enumerate(takewhile(_in_list, rest), start + 1)
            has_own_lines = first.partition("#")[0].rstrip().endswith("[")
            self._entries[start] = [number for number, line in inside if has_own_lines and line.lstrip()[:1] == "{"]
        entries = self._entries[start]
        return entries[index] if index < len(entries) else start


def _in_list(line: str) -> bool:
    return not line.lstrip().startswith("]")


def _split_keys(text: str) -> tuple[str, ...]:
    return tuple(match[1] or match[2] or match[3] for match in _KEY.finditer(text))
