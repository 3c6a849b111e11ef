"""Table of a dialect's plain keys: the field of Agent that each one holds, and the words for its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from agentsync.agents.model import Agent
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._kit.fields import FIELDS, Fields

Kind = Literal["text", "number", "count", "flag", "names", "level", "any"]


@dataclass(frozen=True, slots=True)
class Key:
    """Where a tool keeps one field of Agent.

    Attributes:
        name: the key, as it is written.
        kind: the type of its value; a "count" is a whole number from 1, a "level" a word or a whole number, and "any"
            is taken as it is.
        words: the tool's words and their meanings; without them every word means itself.
        keeps: whether a word that the tool does not know is kept, for other tools and for its own agent, and reported.
        low, high: the bounds of a number.
        implied: the values that the tool assumes where the key is missing.
        synonyms: the keys that are read, of which the first with a value counts; only `name` where there are none.
    """

    name: str
    kind: Kind = "text"
    words: Mapping[str | bool, str | bool] = field(default_factory=dict)
    keeps: bool = False
    low: float = float("-inf")
    high: float = float("inf")
    implied: frozenset[str | bool] = frozenset()
    synonyms: tuple[str, ...] = ()

    def knows(self, value: JsonValue) -> Iterable[bool]:
        """Whether a value is one of the words, where there are any; other words that are kept mean nothing."""
        if not self.words or not isinstance(value, str | bool):
            return ()
        return (True,) if value in self.words else () if self.keeps else (False,)

    def read(self, fields: Fields) -> JsonValue | tuple[str, ...]:
        """The field's value; None where the key is missing or its value is not one that the tool takes."""
        values = [self.value(fields, key) for key in self.synonyms or (self.name,)]
        return next((value for value in values if value is not None), None)

    def value(self, fields: Fields, key: str) -> JsonValue | tuple[str, ...]:
        """As `read`, of one of the keys."""
        match self.kind:
            case "level" if isinstance(number := fields.peek(key), int) and not isinstance(number, bool):
                return fields.raw(key)
            case "text" | "level" if self.keeps:
                word = fields.text(key)
                if word is not None and word not in self.words:
                    message = f"`{key}` must be one of {', '.join(map(str, self.words))}"
                    fields.report(Code.INVALID_VALUE, message, key)
                return self.words.get(word, word) if word is not None else None
            case "text" | "level":
                value: JsonValue = fields.text(key, [str(word) for word in self.words])
            case "number":
                return fields.number(key, low=self.low, high=self.high)
            case "count":
                return fields.count(key)
            case "flag":
                value = fields.flag(key)
            case "names":
                names = fields.names(key)
                return names if fields.peek(key) is not None else None
            case "any":
                return fields.raw(key)
        return self.words.get(value) if self.words and isinstance(value, str | bool) else value

    def spell(self, value: object) -> JsonValue:
        """The tool's form of a field's value; None where it has no word for it."""
        if isinstance(value, str | bool):
            if not self.words:
                return value
            return next((word for word, meaning in self.words.items() if meaning == value), None)
        if self.kind == "text":
            return None  # a number, as of an effort in tokens, where the tool only has words
        if isinstance(value, tuple):
            return list(value) or None
        if isinstance(value, int | float) and not self.low <= value <= self.high:
            return None
        return value  # type: ignore[return-value]  # every field of Agent is JSON, but for the tuples above


def as_they_are(words: str) -> dict[str | bool, str | bool]:
    """Words of a tool, separated by blanks, that mean themselves."""
    return {word: word for word in words.split()}


def read_keys(fields: Fields, keys: Mapping[str, Key]) -> dict[str, JsonValue | tuple[str, ...]]:
    """The values of Agent's fields that these keys hold; what is missing is left out."""
    read = ((name, key.read(fields)) for name, key in keys.items())
    return {name: value for name, value in read if value is not None}


def write_keys(
    agent: Agent, keys: Mapping[str, Key], *, own: bool = False
) -> tuple[dict[str, JsonValue], list[Diagnostic]]:
    """The keys for an agent's fields, in the table's order, and a diagnostic for each value that has no word.

    A field that is not set, and a flag that is off where the tool has no word for that, need no key.

    Args:
        agent: the agent.
        keys: the field of each key.
        own: whether the agent is the tool's own, so that it keeps the words that its key `keeps`.
    """
    written: dict[str, JsonValue] = {}
    diagnostics: list[Diagnostic] = []
    for name, key in keys.items():
        value = getattr(agent, name)
        if value is None or value == () or (isinstance(value, str | bool) and value in key.implied):
            continue
        spelled = key.spell(value)
        if spelled is None and own and key.keeps:
            spelled = value
        if spelled is not None:
            written[key.name] = spelled
        elif value is not False:
            title = FIELDS.get(name, name)
            diagnostics.append(Diagnostic(Code.FIELD_LOST, f"left out, since the tool has no such {title}: `{value}`"))
    return written, diagnostics
