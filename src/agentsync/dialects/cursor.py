"""Cursor: Markdown with a few plain lines between two fences, and one switch for all permissions.

Facts: https://cursor.com/docs/subagents (August 2026), and the loader in Cursor's own npm package `@cursor/sdk`,
version 1.0.32 (November 2026). That loader does not parse YAML. It reads each line as a key and a value, whatever the
indentation, leaves quotes and comments in the value, and uses the last line of a key. So `readonly: "true"` and
`readonly: true # why` restrict nothing. A list of tools has no effect either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, Approval, Grants, Rule, only_reading
from agentsync.agents.key_effects import is_off
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key
from agentsync.dialects._base import Kind, Recognition, Review
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import PermissionCodec, Permissions
from agentsync.dialects._kit.session_limits import beyond, reads_anyway
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.formats.document import Document, decode
from agentsync.formats.yaml_writer import to_yaml

_SWITCH: Final = "readonly"

# The switch leaves reading, and commands that only read. With a shell, an agent may change anything.
_CAPABILITIES: Final = Capabilities(
    units={"reading": ("read", "grep", "glob", "list"), "changing": ("bash", "write", "edit", "notebook")},
    reads=True,
)
_COVERED: Final = {*_CAPABILITIES.tools, "external_directory"}


def _switches(metadata: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The switch in every spelling; the author is taken to mean all of them."""
    return {key: value for key, value in metadata.items() if folded_key(key) == _SWITCH}


def _check(fields: Fields) -> None:
    lines, own = _lines_of(fields.document), _switches(fields.metadata)
    if _SWITCH in lines and not own:
        message = f"`{_SWITCH}` is within another value, but Cursor reads it all the same"
        fields.report(Code.WRONG_TYPE, message, hint="give it a line of its own, or write that value on one line")
    restricts = [key for key, value in own.items() if not is_off(value)]
    if restricts and not _restricts(lines):
        message = f"Cursor reads the agent as one that may change everything, in spite of `{restricts[0]}`"
        fields.report(
            Code.NO_EFFECT, message, restricts[0], hint=f"write `{_SWITCH}: true`, and nothing else on that line"
        )


def _own(fields: Fields, _keys: frozenset[str]) -> dict[str, JsonValue]:
    """The switch; where Cursor does not read it as `true`, in a form that it does not read as `true` either."""
    own = {key: fields.raw(key) for key in _switches(fields.metadata)}
    restricts = _restricts(_lines_of(fields.document))
    return own if restricts else {key: "true" if value is True else value for key, value in own.items()}


def _intended(metadata: Mapping[str, JsonValue]) -> Grants:
    """The grants that the author intended: only reading, if the switch is set."""
    off = all(map(is_off, _switches(metadata).values()))
    return Grants(tuple(EVERYTHING.rules if off else only_reading(EVERYTHING.rules)))


def _restricts(lines: Mapping[str, str]) -> bool:
    return lines.get(_SWITCH, "").lower() == "true"


def _enforced(document: Document) -> Grants:
    """The widest grants: read-only where both Cursor's loader and YAML find the switch on.

    MCP servers, skills, agents and the web come from the session, and no key of an agent can take them away; `_write`
    reports that.
    """
    restricted = _restricts(_lines_of(document)) and document.metadata.get(_SWITCH) is True
    tools = _CAPABILITIES.units["reading"] if restricted else tuple(_COVERED)
    return Grants(tuple(Rule(tool, Approval.SESSION) for tool in sorted({*tools, "external_directory"})))


def _lines_of(document: Document) -> dict[str, str]:
    """The keys and values that Cursor's loader finds; none where it finds no frontmatter."""
    rows = decode(document.data, document.path)[0].split("\n")
    fences = [number for number, row in enumerate(rows) if row.startswith("---")]
    start = next((number for number in fences if not rows[number][3:].strip()), len(rows))
    # The closing fence is at least two lines below the first: there has to be a line between them.
    end = next((number for number in fences if number > start + 1), start)
    pairs: dict[str, str] = {}
    for row in rows[start + 1 : end]:
        key, colon, value = row.strip().partition(":")
        if colon and key.strip() and not key.startswith("#"):
            pairs[key.strip().lower()] = value.strip()
    return pairs


def _write(agent: Agent, options: WriteOptions) -> Permissions:
    """The switch, where the agent may not change everything, and diagnostics for what it cannot express."""
    narrowed = narrow(agent.grants.with_effects(), _CAPABILITIES, options)
    # The session grants the tools that have no name here: `beyond` reports them.
    diagnostics = [diagnostic for diagnostic in narrowed.diagnostics if diagnostic.code is not Code.TOOL_LOST]
    if not narrowed.units["reading"]:
        diagnostics.append(reads_anyway("Cursor"))
    if narrowed.units["changing"] is Approval.ALLOW:
        message = "allowed by the source, left to the user's own settings here: changes and commands"
        diagnostics.append(Diagnostic(Code.APPROVAL_NARROWED, message))
    diagnostics += beyond(agent.grants, _COVERED, "Cursor", options)
    return ({} if narrowed.units["changing"] else {_SWITCH: True}), diagnostics


# Text that YAML reads as it is without quotes, which Cursor would show.
_PLAIN: Final = re.compile(
    r"[A-Za-z](?:[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\\:#]|:(?=\S)|(?<=\S)#)*(?<!\s)"
)
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})


def _format(metadata: Mapping[str, JsonValue], prompt: str) -> bytes:
    """A file with each value on a line of its own."""
    # Without a name, the file's name is used, as for `2fa`, which YAML needs in quotes and Cursor without.
    shown = {key: value for key, value in metadata.items() if key != "name" or _is_plain(str(value))}
    head = "".join(f"{_key(key)}: {_value(key, value)}\n" for key, value in shown.items())
    return f"---\n{head}---\n{prompt}".encode()


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS and "---" not in text


def _key(key: str) -> str:
    return to_yaml({key: None}).removesuffix(": null\n")


def _value(key: str, value: JsonValue) -> str:
    """A value on one line: Cursor would read a second line as a key."""
    match value:
        case dict():
            return "{" + ", ".join(f"{_quoted(name)}: {_value('', inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(_value("", inner) for inner in value) + "]"
        case str() if key and _is_plain(value):
            return value
        case str():
            return _quoted(value)
        case _:
            return to_yaml({"value": value}).removeprefix("value: ").rstrip("\n")


def _quoted(text: str) -> str:
    return to_yaml({"description": text}).removeprefix("description: ").rstrip("\n")


@dataclass(frozen=True, slots=True)
class _Cursor(TableDialect):
    """A loader of lines."""

    def loads(self, document: Document) -> bool:
        """Whether Cursor reads the same values as YAML; it only shows quotes around a description."""
        metadata, lines = document.metadata, _lines_of(document)
        shown = lines.get("description", "")
        is_quoted = len(shown) > 1 and shown[0] == shown[-1] and shown[0] in "'\""
        alike = is_quoted or shown == metadata.get("description", "")
        return alike and all(lines.get(key) == metadata[key] for key in ("name", "model") if key in metadata)

    def _name(self, agent: Agent) -> tuple[str, list[Diagnostic]]:
        """Return the name, with a diagnostic where `_format` leaves it out and the file is called otherwise."""
        name, diagnostics = TableDialect._name(self, agent)  # noqa: SLF001 - super() does not work in slotted dataclasses
        if name not in ("", agent.slug) and not _is_plain(name):
            diagnostics.append(Diagnostic(Code.NAME_CHANGED, f"{name!r} is called `{agent.slug}` here"))
        return name, diagnostics


_CURSOR: Final = _Cursor(
    name="cursor",
    title="Cursor",
    permissions=PermissionCodec(
        keys=frozenset({_SWITCH}),
        capabilities=_CAPABILITIES,
        intended=_intended,
        enforced=_enforced,
        write=_write,
        remedy=f"write `{_SWITCH}: true`",
        check=_check,
        own=_own,
        any_spelling=True,
        uses_effects=True,
    ),
    keys={"background": Key("is_background", "flag", synonyms=("background", "is_background"))},
    # The available ids depend on the user's plan, so only those that the user's options name for Cursor are written.
    # An id with parameters (`gpt-5.6-sol[effort=high]`) means nothing to other tools.
    models=Models(inherit="inherit", vendors={"claude-": "anthropic", "gpt-": "openai"}, opaque="["),
    native=frozenset({"force-default-model"}),
    required=("prompt",),
    name_key="free",
    format=_format,
)


DIALECT: Final = _CURSOR.dialect(
    suffixes=(".md", ".mdc", ".markdown"),
    user_directory=".cursor/agents",
    project_directories=(".cursor/agents",),
    recursive=True,
    binaries=("cursor", "cursor-agent"),
    review=Review(
        restricted_by="`readonly: true` on a line of its own, and nothing else",
        handling=(
            "an agent that may not change everything is written read-only or refused; web, servers and agents "
            "stay as in the session (`AS313`)"
        ),
        from_documentation=True,
    ),
    version="1.0.32 (SDK)",
    source="https://cursor.com/docs/subagents",
    also_reads=("claude",),
    recognition=Recognition(
        not_synced={
            Kind.RULE: ("/.cursorrules", "/.cursor/rules/"),
            Kind.MCP: ("/.cursor/mcp.json",),
            Kind.SETTINGS: ("/.cursor/cli.json",),
            Kind.PLUGIN: ("/.cursor-plugin/plugin.json",),
        },
    ),
)
