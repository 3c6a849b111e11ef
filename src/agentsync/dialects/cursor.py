"""Cursor: Markdown with a few plain lines between two fences, and one switch for all permissions.

Facts: https://cursor.com/docs/subagents (August 2026), and the loader in Cursor's own npm package `@cursor/sdk`,
version 1.0.32 (November 2026). That loader does not parse YAML. It reads each line as a key and a value, whatever the
indentation, leaves quotes and comments in the value, and uses the last line of a key. So `readonly: "true"` and
`readonly: true # why` restrict nothing. A list of tools has no effect either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, Approval, Grants, Rule, only_reading
from agentsync.agents.key_effects import is_off
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key, is_slug
from agentsync.dialects._base import Dialect, Kind, Reading, Recognition, Review, Writing, refused
from agentsync.dialects._kit.fields import Fields, identity, known_vendor, losses, speaks
from agentsync.dialects._kit.keys import Key, read_keys, write_keys
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.session_limits import beyond
from agentsync.formats.document import Document, decode
from agentsync.formats.frontmatter import parse_markdown
from agentsync.formats.yaml_writer import to_yaml

_SWITCH: Final = "readonly"
_KEYS: Final = {"background": Key("is_background", "flag")}
_SHORT: Final = {"background": Key("background", "flag")}  # takes precedence where both are set
_NATIVE: Final = frozenset({"force-default-model"})
_CARRIED: Final = frozenset({"model", *_KEYS})

# The switch leaves reading, and commands that only read. With a shell, an agent may change anything.
_CAPABILITIES: Final = Capabilities(
    units={"reading": ("read", "grep", "glob", "list"), "changing": ("bash", "write", "edit", "notebook")}
)
_COVERED: Final = {*_CAPABILITIES.tools, "external_directory"}


class _CursorModels(Models):
    """Ids; one with parameters (`gpt-5.6-sol[effort=high]`) means nothing to other tools."""

    __slots__ = ()

    def read(self, value: str | None) -> str | None:
        return known_vendor(value, {}) if value is not None and "[" in value else Models.read(self, value)


# The available ids depend on the user's plan, so only those that the user's options name for Cursor are written.
_MODELS: Final = _CursorModels(inherit="inherit", vendors={"claude-": "anthropic", "gpt-": "openai"})


def read(document: Document, stem: str) -> Reading:
    fields = Fields(document, Code.INVALID_VALUE)
    name, description = fields.name(stem, required=False), fields.description(required=False)
    lines = _lines_of(document)
    if not document.body.strip():
        fields.report(Code.WRONG_TYPE, "Cursor takes no agent without instructions")
    own = {key: fields.raw(key) for key in fields.keys if folded_key(key) == _SWITCH}
    if _SWITCH in lines and not own:
        message = f"`{_SWITCH}` is within another value, but Cursor reads it all the same"
        fields.report(Code.WRONG_TYPE, message, hint="give it a line of its own, or write that value on one line")
    restricts = [key for key, value in own.items() if not is_off(value)]
    if restricts and not _restricts(lines):
        message = f"Cursor reads the agent as one that may change everything, in spite of `{restricts[0]}`"
        fields.report(
            Code.NO_EFFECT, message, restricts[0], hint=f"write `{_SWITCH}: true`, and nothing else on that line"
        )
    model, values = fields.text("model"), read_keys(fields, _KEYS) | read_keys(fields, _SHORT)
    if name is None or description is None or refused(fields.diagnostics):
        return Reading(None, fields.diagnostics)
    native, unknown = fields.rest(_NATIVE)
    agent = Agent.model_validate(
        {
            **identity(name, stem),
            **values,
            "description": description,
            "dialect": "cursor",
            "prompt": document.body,
            "grants": _intended_grants(document.metadata),
            "own_permissions": own if _restricts(lines) else {key: _off(value) for key, value in own.items()},
            "model": _MODELS.read(model),
            "mode": "subagent",
            "native": native,
            "unknown": unknown,
        }
    )
    return Reading(agent, fields.diagnostics, loads=_reads_alike(document.metadata, lines))


def _intended_grants(metadata: Mapping[str, JsonValue]) -> Grants:
    """The grants that the author intended: only reading, if the switch or another tool's restriction is set."""
    own = {key: value for key, value in metadata.items() if folded_key(key) == _SWITCH}
    rules = [*EVERYTHING.rules] if all(map(is_off, own.values())) else only_reading(EVERYTHING.rules)
    return Grants(tuple(rules))


def _off(value: JsonValue) -> JsonValue:
    """A value that Cursor does not read as `true`, in a form that it does not read as `true` either."""
    return "true" if value is True else value


def _restricts(lines: Mapping[str, str]) -> bool:
    return lines.get(_SWITCH, "").lower() == "true"


def enforced(document: Document) -> Grants:
    """The widest grants: read-only where both Cursor's loader and YAML find the switch on.

    MCP servers, skills, agents and the web come from the session, and no key of an agent can take them away; `write`
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


def _reads_alike(metadata: Mapping[str, JsonValue], lines: Mapping[str, str]) -> bool:
    """Whether Cursor reads the same values as YAML; it only shows quotes around a description."""
    texts = {key: metadata[key] for key in ("name", "model") if key in metadata}
    shown = lines.get("description", "")
    is_quoted = len(shown) > 1 and shown[0] == shown[-1] and shown[0] in "'\""
    alike = is_quoted or shown == metadata.get("description", "")
    return alike and all(lines.get(key) == value for key, value in texts.items())


def write(agent: Agent, options: WriteOptions) -> Writing:
    diagnostics = losses(agent, "cursor", _CARRIED)
    if not is_slug(agent.name):
        diagnostics.append(Diagnostic(Code.NAME_CHANGED, f"{agent.name!r} is called `{agent.slug}` here"))
    if not agent.prompt.strip():
        diagnostics.append(Diagnostic(Code.REFUSED_REQUIRED, "Cursor needs instructions"))
        return Writing(None, tuple(diagnostics))
    permissions: dict[str, JsonValue] = dict(agent.own_permissions)
    if agent.dialect != "cursor":
        permissions, permission_diagnostics = _spell(agent.grants, options)
        diagnostics += permission_diagnostics
    model, model_diagnostics = _MODELS.write(agent, "cursor", options)
    values, value_diagnostics = write_keys(agent, _KEYS)
    # Without a name, the file's name is used, as for `2fa`, which YAML needs in quotes and Cursor without.
    metadata: dict[str, JsonValue] = {"name": agent.slug} if _is_plain(agent.slug) else {}
    if agent.description:
        metadata["description"] = agent.description
    if model:
        metadata["model"] = model
    metadata |= {**permissions, **values}
    if speaks(agent, "cursor"):
        metadata |= {**agent.native, **agent.unknown}
    head = "".join(f"{_key(key)}: {_value(key, value)}\n" for key, value in metadata.items())
    return Writing(f"---\n{head}---\n{agent.prompt}".encode(), (*diagnostics, *model_diagnostics, *value_diagnostics))


def _spell(grants: Grants, options: WriteOptions) -> tuple[dict[str, JsonValue], list[Diagnostic]]:
    """The switch, where the agent may not change everything, and diagnostics for what it cannot express."""
    narrowed = narrow(grants.with_effects(), _CAPABILITIES, options)
    # The session grants the tools that have no name here: `beyond` reports them.
    diagnostics = [diagnostic for diagnostic in narrowed.diagnostics if diagnostic.code is not Code.TOOL_LOST]
    if not narrowed.units["reading"]:
        diagnostics.append(Diagnostic(Code.REFUSED_WIDER, "Cursor lets every agent read files, and this one may not"))
    if narrowed.units["changing"] is Approval.ALLOW:
        message = "allowed by the source, left to the user's own settings here: changes and commands"
        diagnostics.append(Diagnostic(Code.APPROVAL_NARROWED, message))
    diagnostics += beyond(grants, _COVERED, "Cursor", options)
    return ({} if narrowed.units["changing"] else {_SWITCH: True}), diagnostics


# Text that YAML reads as it is without quotes, which Cursor would show.
_PLAIN: Final = re.compile(
    r"[A-Za-z](?:[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\\:#]|:(?=\S)|(?<=\S)#)*(?<!\s)"
)
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})


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


def score(document: Document) -> int:
    return 4 * any(key in document.metadata for key in (_SWITCH, "is_background"))


DIALECT: Final = Dialect(
    name="cursor",
    title="Cursor",
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
    parse=parse_markdown,
    score=score,
    reader=read,
    write=write,
    capabilities=_CAPABILITIES,
    enforced=enforced,
    permission_keys=frozenset({_SWITCH}),
    any_spelling=True,
    remedy=f"write `{_SWITCH}: true`",
    carries=_CARRIED,
    required=("prompt",),
    also_reads=("claude",),
    uses_effects=True,
    recognition=Recognition(
        not_synced={
            Kind.RULE: ("/.cursorrules", "/.cursor/rules/"),
            Kind.MCP: ("/.cursor/mcp.json",),
            Kind.SETTINGS: ("/.cursor/cli.json",),
            Kind.PLUGIN: ("/.cursor-plugin/plugin.json",),
        },
    ),
)
