"""agentsync's own dialect: every field of the model, in one readable frontmatter.

docs/agent-format.md describes it for people, schema.py for editors. Because no other tool reads it, every mistake is an
error: an unknown key, a value of a wrong type, a tool that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, TOOLS, Grants
from agentsync.agents.key_effects import is_foreign_restriction
from agentsync.agents.model import MODEL_ALIASES, NEUTRAL, Agent, Mode
from agentsync.agents.narrowing import Capabilities, WriteOptions
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key
from agentsync.core.suggest import nearest
from agentsync.dialects import dialects, no_dialect
from agentsync.dialects._base import Dialect, NameRule, Reading, Recognition, ToolLists, Writing, refused
from agentsync.dialects._kit.fields import Fields, identity
from agentsync.dialects._kit.keys import Key, Kind, read_keys, write_keys
from agentsync.dialects.neutral.permissions import LEVELS, is_tool, read_grants, restricting, spell
from agentsync.formats.document import Document
from agentsync.formats.frontmatter import format_markdown, parse_markdown

__all__ = ["DIALECT", "FOR_TARGETS", "KEYS", "LEVELS", "Kind", "Table", "read_table", "spell"]

KEYS: Final = {
    "effort": Key("effort", "level"),
    "temperature": Key("temperature", "number"),
    "top_p": Key("top_p", "number"),
    "max_turns": Key("max_turns", "count"),
    "mode": Key("mode", words={mode: mode for mode in get_args(Mode)}),
    "hidden": Key("hidden", "flag"),
    "disabled": Key("disabled", "flag"),
    "color": Key("color"),
    "skills": Key("skills", "names"),
    "memory": Key("memory"),
    "background": Key("background", "flag"),
    "isolation": Key("isolation"),
    "initial_prompt": Key("initial_prompt"),
    "tags": Key("tags", "names"),
    "mcp_servers": Key("mcp_servers", "any"),
    "hooks": Key("hooks", "any"),
}
"""The fields of Agent that are plain keys; the last two are allowed only under a target, and use its format."""

FOR_TARGETS: Final = frozenset({"mcp_servers", "hooks"})
_SHORT_MODELS: Final = {model.partition("/")[2]: model for model in MODEL_ALIASES}


def read(document: Document, stem: str) -> Reading:
    fields = Fields(document, Code.WRONG_TYPE)
    name, description = fields.name(stem, required=False), fields.description(required=True)
    values = read_keys(fields, {field: key for field, key in KEYS.items() if field not in FOR_TARGETS})
    values |= {"model": read_model(fields)}
    grants = read_grants(fields)
    targets = _read_targets(fields)
    check_unknown(fields)
    if name is None or description is None or refused(fields.diagnostics):
        return Reading(None, fields.diagnostics)
    agent = Agent.model_validate(
        {
            **identity(name, stem),
            **values,
            "description": description,
            "dialect": NEUTRAL,
            "prompt": document.body,
            "grants": grants or EVERYTHING,
            "targets": targets,
        }
    )
    return Reading(agent, fields.diagnostics, loads=not fields.respelled)


def read_model(fields: Fields) -> str | None:
    """`provider/id`, or opus, sonnet or haiku; None to inherit."""
    model = fields.text("model")
    if model is None or model == "inherit":
        return None
    if "/" not in model and model not in _SHORT_MODELS:
        hint = "write `provider/id`, or one of " + ", ".join(sorted(_SHORT_MODELS))
        fields.report(Code.WRONG_TYPE, f"model `{model}` has no provider", "model", hint=hint)
    return _SHORT_MODELS.get(model, model)


def check_unknown(fields: Fields) -> None:
    """Report each key that was not read: no other tool reads this dialect, so it is a mistake."""
    for key in fields.rest(())[1]:
        fields.report(Code.WRONG_TYPE, f"unknown key `{key}`", key, hint=_hint_on(key))


def _hint_on(key: str) -> str:
    """What an unknown key is probably meant as: another key, or settings for one tool."""
    if key in FOR_TARGETS:
        return f"this has another form in each tool: write `targets.TOOL.{key}`"
    tool = next((one for one in dialects().values() if folded_key(key) in map(folded_key, _names(one))), None)
    if tool:
        return f"settings for one tool are below `targets`: write `targets.{tool.name}`"
    near = nearest(key, {"name", "description", "model", "tools", "permissions", "targets", *KEYS} - FOR_TARGETS)
    return f"did you mean `{near}`?" if near else "`agentsync docs agent-format` lists the keys"


def _names(tool: Dialect) -> tuple[str, ...]:
    return tool.name, tool.title, *tool.recognition.aliases


@dataclass(frozen=True, slots=True)
class Table:
    """Overrides of an agent's fields.

    Attributes:
        values: fields of Agent.
        grants: its grants instead; None to keep them.
        native: keys of the target's own.
        excluded: whether the agent is left out of the target.
    """

    values: Mapping[str, object]
    grants: Grants | None
    native: Mapping[str, JsonValue]
    excluded: bool


def read_table(metadata: Mapping[str, JsonValue], place: str) -> tuple[Table, tuple[Diagnostic, ...]]:
    """Read overrides; the diagnostics hold an error where they cannot be used.

    Args:
        metadata: KEYS but `tags`, description, model, tools, permissions, native, exclude, and `targets`, which is
            left to the caller.
        place: the path to name in the diagnostics.
    """
    fields = Fields(Document(path=place, metadata=metadata, data=b""), Code.WRONG_TYPE)
    values: dict[str, object] = dict(read_keys(fields, {field: key for field, key in KEYS.items() if field != "tags"}))
    if fields.has("description"):
        values["description"] = fields.description(required=True)
    if fields.has("model"):
        values["model"] = read_model(fields)
    native = fields.raw("native")
    if native is not None and not isinstance(native, dict):
        fields.report(Code.WRONG_TYPE, "`native` must be a map of the tool's own keys", "native")
    excluded = fields.flag("exclude")
    grants = read_grants(fields)
    fields.raw("targets")
    check_unknown(fields)
    read = Table(values, grants, native if isinstance(native, dict) else {}, excluded=bool(excluded))
    return read, fields.diagnostics


def _read_targets(fields: Fields) -> dict[str, dict[str, JsonValue]]:
    """The tables of `targets`, checked; they are applied when an agent is written for that target."""
    value = fields.raw("targets")
    if value is None:
        return {}
    tables = value if isinstance(value, dict) else {"": value}
    for target, table in tables.items():
        if not isinstance(table, dict):
            fields.report(Code.WRONG_TYPE, "`targets` must hold a map for each tool", "targets")
            continue
        if target not in dialects():
            fields.report(Code.WRONG_TYPE, no_dialect(target), "targets")
        for diagnostic in read_table(table, "")[1]:
            message = f"{diagnostic.message} (under `targets.{target}`)"
            fields.report(diagnostic.code, message, "targets", hint=diagnostic.hint)
    return {target: dict(table) for target, table in tables.items() if isinstance(table, dict)}


def write(agent: Agent, options: WriteOptions) -> Writing:
    """As `Dialect.write`; every field has a key, so nothing is lost, and no option applies."""
    del options
    if not agent.description:
        return Writing(None, (Diagnostic(Code.REFUSED_REQUIRED, "agentsync's own format needs a description"),))
    values, diagnostics = write_keys(agent, {field: key for field, key in KEYS.items() if field not in FOR_TARGETS})
    metadata: dict[str, JsonValue] = {"name": agent.name, "description": agent.description}
    if agent.model:
        metadata["model"] = agent.model
    metadata |= values
    metadata |= spell(agent.grants)
    if targets := _targets(agent):
        metadata["targets"] = targets
    return Writing(format_markdown(metadata, agent.prompt), tuple(diagnostics))


def _targets(agent: Agent) -> dict[str, JsonValue]:
    """The tables for each target, with the fields for which only the agent's own tool has a key."""
    targets: dict[str, dict[str, JsonValue]] = {name: dict(table) for name, table in agent.targets.items()}
    own: dict[str, JsonValue] = {}
    for field in sorted(FOR_TARGETS):
        if (value := getattr(agent, field)) is not None:
            own[field] = value
    unknown = {key: value for key, value in agent.unknown.items() if not is_foreign_restriction(key, value)}
    if native := {**agent.native, **unknown}:
        own["native"] = native
    if own and agent.dialect != NEUTRAL:
        targets[agent.dialect] = {**own, **targets.get(agent.dialect, {})}
    return dict[str, JsonValue](targets)


def enforced(document: Document) -> Grants:
    """The declared grants; only the targets that it is written for enforce them."""
    return read_grants(Fields(document, Code.WRONG_TYPE)) or EVERYTHING


def knows(key: str, value: JsonValue) -> Iterable[bool]:
    """As `Dialect.knows`."""
    if key in KEYS:
        return KEYS[key].knows(value)
    match key:
        case "tools":
            return map(is_tool, value) if isinstance(value, list) else (False,)
        case "permissions":
            return (restricting(value),)
        case "targets":
            return (isinstance(value, dict),)
        case _:
            return ()


DIALECT: Final = Dialect(
    name=NEUTRAL,
    title="agentsync",
    suffixes=(".md",),
    user_directory="",
    project_directories=(".agentsync/agents",),
    recursive=True,
    binaries=(),
    version="1",
    source="agentsync docs agent-format",
    parse=parse_markdown,
    known_keys=frozenset({"name", "description", "model", "tools", "permissions", "targets", *KEYS} - FOR_TARGETS),
    knows=knows,
    strict=True,
    reader=read,
    write=write,
    capabilities=Capabilities(units={tool: (tool,) for tool in sorted(TOOLS)}, asks=TOOLS, exact=True),
    enforced=enforced,
    permission_keys=frozenset({"tools", "permissions", "targets"}),
    remedy="write `tools` or `permissions`",
    carries=frozenset({"model", *KEYS}),
    lists=ToolLists(null="refused", mistyped="refused", unknown="refused"),
    required=("description",),
    names=NameRule(slugs=False),
    recognition=Recognition(other_directories=()),
    unasked=frozenset({ANY}),  # no tool runs such a file; what is written from it is judged for the tool that does
)
