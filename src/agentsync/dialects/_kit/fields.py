"""Shared by the readers and writers of all dialects: typed access to a document's keys, names, and losses."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Final

from pydantic import JsonValue

from agentsync.agents.key_effects import READ_BY_VALUE, Meaning, is_foreign_restriction, meaning, restricts
from agentsync.agents.model import NEUTRAL, Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key, has_hidden_character, is_unsafe, slug
from agentsync.core.suggest import nearest
from agentsync.dialects._kit.guards import takes_away
from agentsync.dialects._registry import dialects
from agentsync.formats.document import Document

_SHOWN: Final = 12
"""The most unknown keys that one diagnostic names."""

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")


class Fields:
    """Typed access to a document's keys; a value of another type is reported and counts as absent.

    Args:
        document: the parsed file.
        invalid: the code of such a diagnostic: INVALID_VALUE where the tool drops the value, LEFT_OUT where it
            refuses the file, WRONG_TYPE where no tool gets the agent.
        title: the tool's display name, for messages.

    Attributes:
        document, title: as given.
        respelled: whether a value was accepted in another form than the tool reads, so the file must be rewritten.
    """

    def __init__(self, document: Document, invalid: Code, title: str = "") -> None:
        self.document: Final = document
        self.title: Final = title
        self._invalid: Final = invalid
        self._used: set[str] = set()
        self._left_out: set[str] = set()
        self._refused: set[str] = set()
        self._diagnostics: list[Diagnostic] = []
        self._refusals: list[Diagnostic] = []
        self.respelled = False

    def report(self, code: Code, message: str, key: str = "", hint: str = "") -> None:
        self._diagnostics.append(self._diagnostic(code, message, key, hint))

    def refuse(self, message: str, key: str = "", hint: str = "") -> None:
        """Report why the tool itself loads no such file, where it is clear what other tools may be given."""
        self._refused.add(key)
        self._refusals.append(self._diagnostic(Code.NOT_LOADED, message, key, hint))

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return tuple(self._diagnostics)

    @property
    def refusals(self) -> tuple[Diagnostic, ...]:
        return tuple(self._refusals)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.document.metadata)

    @property
    def metadata(self) -> Mapping[str, JsonValue]:
        """All keys and values, which stay unread."""
        return self.document.metadata

    def has(self, key: str) -> bool:
        return key in self.document.metadata and key not in self._left_out

    def peek(self, key: str) -> JsonValue:
        """A value that stays unread, so that it is still among the rest."""
        return self.document.metadata.get(key) if self.has(key) else None

    def raw(self, key: str) -> JsonValue:
        self._used.add(key)
        return self.peek(key)

    def text(self, key: str, choices: Collection[str] = ()) -> str | None:
        """A string; a number or boolean that YAML made of it counts as its text."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.wrong_type(key, "text")
            return None
        if choices and value not in choices:
            self.wrong_type(key, "one of " + ", ".join(sorted(choices)))
            return None
        return value

    def number(self, key: str, *, low: float = float("-inf"), high: float = float("inf")) -> float | None:
        value = self._numeric(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            bounds = "" if (low, high) == (float("-inf"), float("inf")) else f" from {low:g} to {high:g}"
            self.wrong_type(key, f"a number{bounds}")
            return None
        return value

    def count(self, key: str) -> int | None:
        """A whole number from 1."""
        value = self._numeric(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.wrong_type(key, "a whole number from 1")
            return None
        return value

    def flag(self, key: str) -> bool | None:
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, bool):
            self.wrong_type(key, "true or false")
            return None
        return value

    def names(self, key: str) -> tuple[str, ...]:
        """A list of strings, or one string of names with commas between them."""
        value = self.raw(key)
        if isinstance(value, str):
            return tuple(part for name in value.split(",") if (part := name.strip()))
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(str(item) for item in value)
        if value is not None:
            self.wrong_type(key, "a list of names")
        return ()

    def rest(self, native: Collection[str]) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
        """The keys not read so far: those that the dialect knows, and those that it does not."""
        done = self._used | self._left_out
        unread = {key: value for key, value in self.document.metadata.items() if key not in done}
        known = {key: value for key, value in unread.items() if key in native}
        return known, {key: value for key, value in unread.items() if key not in native}

    def name(self, stem: str, *, required: bool, key: str = "name") -> str | None:
        """The agent's name, from the key or the file's stem; None, with an error reported, where it cannot be used.

        Without a key it is the stem.
        """
        name = self.text(key) if key else None
        if name is None:
            name = stem
            if required:
                self.report(Code.NAME_MISSING, f"there is no name, so the file's name counts: `{stem}`", "name")
        if has_hidden_character(name):
            self.report(Code.NAME_HIDDEN_UNICODE, f"the name {name!a} holds characters that cannot be seen", "name")
            return None
        if is_unsafe(name, stem):
            self.report(Code.NAME_UNSAFE, f"the name {name!r} cannot be used for a file", "name")
            return None
        return name

    def description(self, *, required: bool) -> str | None:
        """The description; None, with an error reported, where it is missing but required, or not text."""
        value = self.raw("description")
        if isinstance(value, str) and (value.strip() or not required):
            return value
        if value is None and not required:
            return ""
        if value is None or isinstance(value, str):
            hint = meant_as("description", self.document.metadata)
            self.report(Code.DESCRIPTION_MISSING, "there is no description", "description", hint)
        else:
            self.report(Code.WRONG_TYPE, "the description must be text", "description")
        return None

    def _diagnostic(self, code: Code, message: str, key: str, hint: str) -> Diagnostic:
        line = self.document.lines.get(key, 0)
        return Diagnostic(code, message, path=self.document.path, line=line, hint=hint)

    def _numeric(self, key: str) -> JsonValue:
        """The value, with a number that is written as text (`0.70`, `"3"`) as the number."""
        value = self.raw(key)
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            return value
        self.respelled = True
        return float(value) if "." in value else int(value)

    def wrong_type(self, key: str, wanted: str) -> None:
        """Report a value that is not what the tool takes."""
        message = f"`{key}` must be {wanted}"
        if key in self._refused:
            return
        if self._invalid is Code.LEFT_OUT:
            self.leave_out(key, message)
        else:
            self.report(self._invalid, message, key)

    def leave_out(self, key: str, message: str, hint: str = "") -> None:
        """Report a value for which the agent's own tool refuses the file, and leave the key out.

        Where the key may restrict the agent, its author's intention is unclear, so no tool gets the agent.
        """
        if _may_restrict(key, self.document.metadata.get(key)):
            self.report(Code.WRONG_TYPE, message, key, hint)
            return
        self.report(Code.LEFT_OUT, message, key, hint)
        self.respelled = True
        self._left_out.add(key)


def _may_restrict(key: str, value: JsonValue) -> bool:
    """Whether a malformed value may be intended as a restriction; no value at all restricts where it is a list."""
    by_value = folded_key(key) in READ_BY_VALUE | meaning(Meaning.SERVERS)
    return takes_away({key: value}) if by_value else restricts(key)


UNKNOWN_VENDOR: Final = "unknown"
"""The provider of a canonical model that no vendor is known to make."""

# Display names of the fields that a target may or may not carry.
FIELDS = {
    "effort": "reasoning effort",
    "temperature": "temperature",
    "top_p": "top_p",
    "max_turns": "turn limit",
    "hidden": "mark as hidden",
    "color": "color",
    "skills": "skills",
    "mcp_servers": "MCP servers",
    "hooks": "hooks",
    "memory": "memory",
    "background": "background",
    "isolation": "isolation",
    "initial_prompt": "initial prompt",
}


def losses(agent: Agent, dialect: str, carried: Collection[str]) -> list[Diagnostic]:
    """A diagnostic for each field that the agent has and the target cannot carry."""
    diagnostics = [
        Diagnostic(Code.FIELD_LOST, f"left out, having no place here: {title}")
        for field, title in FIELDS.items()
        if field not in carried and (value := getattr(agent, field)) is not None and value is not False and value != ()
    ]
    if agent.disabled and "disabled" not in carried:
        diagnostics.append(Diagnostic(Code.REFUSED_WIDER, "the agent is disabled, which cannot be expressed here"))
    if agent.mode in ("primary", "all") and "mode" not in carried:
        diagnostics.append(
            Diagnostic(Code.FIELD_LOST, f"mode `{agent.mode}` is left out: every agent is a subagent here")
        )
    if agent.dialect not in (dialect, NEUTRAL):
        diagnostics += foreign_losses(agent)
    return diagnostics


def foreign_losses(agent: Agent) -> list[Diagnostic]:
    """A diagnostic for each key that only the agent's own tool has, or that no tool knows."""
    diagnostics = [
        Diagnostic(Code.FIELD_LOST, f"`{key}` is left out: only {agent.dialect} has it") for key in agent.native
    ]
    if agent.filled:
        words = ", ".join(f"`${{{word}}}`" for word in agent.filled)
        message = f"only {agent.dialect} puts a value for {words}, which stays in the instructions as it is"
        diagnostics.append(Diagnostic(Code.FIELD_LOST, message))
    # A restriction is not lost: it is among the grants.
    if lost := [key for key, value in agent.unknown.items() if not is_foreign_restriction(key, value)]:
        own = dialects().get(agent.dialect)
        names = unknown_keys(lost, own.known_keys if own else ())
        diagnostics.append(
            Diagnostic(Code.UNKNOWN_KEY, f"left out, since {agent.dialect} itself does not know it: {names}")
        )
    return diagnostics


@cache
def _known_anywhere() -> frozenset[str]:
    return frozenset(key for dialect in dialects().values() for key in dialect.known_keys)


def unknown_keys(keys: Sequence[str], known: Collection[str]) -> str:
    """List the first of these keys, each with the known one that is probably meant, unless another tool has it."""
    shown = keys[:_SHOWN]
    meant = {key: nearest(key, known) for key in shown if key not in _known_anywhere()}
    names = (f"`{key}`" + (f" (did you mean `{meant[key]}`?)" if meant.get(key) else "") for key in shown)
    return ", ".join(names) + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")


def meant_as(key: str, keys: Iterable[str]) -> str:
    """Ask whether one of these keys is a misspelt one; empty where none is like it."""
    return next((f"did you mean `{key}` by `{one}`?" for one in keys if nearest(one, (key,))), "")


def speaks(agent: Agent, dialect: str) -> bool:
    """Whether the agent's native keys, hooks and MCP servers are in this dialect's terms."""
    return agent.dialect in (dialect, NEUTRAL)


_MODEL, _UNMAPPED = "model `", "` is in no table for this target, so the session's own is used"


def model_name(
    agent: Agent, options: WriteOptions, table: Mapping[str, str], has: Callable[[str], bool]
) -> tuple[str | None, list[Diagnostic]]:
    """The target's name for the agent's model, or None to inherit.

    Args:
        agent: the agent with the model.
        options: the target's options, with the table that comes first.
        table: canonical model to the target's name.
        has: whether the target accepts a canonical model as it is, with or without its provider.
    """
    if agent.model is None:
        return None, []
    vendor, _, model = agent.model.partition("/")
    for names in (options.models, table):
        for key in (agent.model, model):
            if key in names:
                return names[key], []
    if has(agent.model):
        return agent.model, []
    written = model if vendor == UNKNOWN_VENDOR else agent.model
    message = f"{_MODEL}{written}{_UNMAPPED}"
    hint = f'name it: `"{written}" = "…"` under `[models.<dialect>]`'
    return None, [Diagnostic(Code.MODEL_UNKNOWN, message, hint=hint)]


def unmapped_model(diagnostic: Diagnostic) -> str:
    """Return the model that a diagnostic of `model_name` is about, as the target's table would name it."""
    return diagnostic.message.removeprefix(_MODEL).removesuffix(_UNMAPPED)


def known_vendor(model: str, vendors: Mapping[str, str]) -> str:
    """A bare model id as a canonical model, with the vendor found by the prefix of the id."""
    vendor = next((name for prefix, name in vendors.items() if model.startswith(prefix)), UNKNOWN_VENDOR)
    return f"{vendor}/{model}"


def identity(name: str, stem: str) -> dict[str, str]:
    """The two fields that every reader sets from a name and the stem of its file."""
    return {"name": name, "slug": slug(name, stem)}
