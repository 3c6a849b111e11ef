"""Roo Code, and its successor Zoo Code: an agent is a custom mode, and one file holds all modes.

Facts: https://docs.roocode.com/features/custom-modes, the schema package `@roo-code/types` 1.115.0, and the source of
Zoo Code (November 2026). A mode may use groups of tools. One mode that the schema refuses makes the tool refuse the
whole file, including the user's own modes, so doubtful values are refused here. Whatever its groups, a mode may call
other modes, ask the user, use skills and keep a list of its work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import MCP, READ_COVERS, UNTRANSLATED, Approval, Grants, Rule
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.dialects._base import Kind, Moved, NameRule, Recognition, Review, SharedFile, ToolLists, UneditableError
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import PermissionCodec, Permissions, as_they_are
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects.roo.modes_file import canonical, edited, entries, readable
from agentsync.dialects.roo.modes_layout import layout
from agentsync.formats.document import Document, UnreadableError, decode

_GROUPS: Final = "groups"
_SERVERS: Final = "allowedMcpServers"
_TITLE: Final = "title"  # the key `name` there, for people; a mode is called by its slug
_UNITS: Final[dict[str, tuple[str, ...]]] = {
    "read": ("read", "grep", "glob", "list"),
    "edit": ("write", "edit"),
    "command": ("bash",),
}
# Every group that the tool accepts; `browser` no longer has any tools.
_COVERED: Final[dict[str, tuple[str, ...]]] = {
    **_UNITS,
    "mcp": (f"{MCP}{ANY}",),
    "modes": ("task",),
    "browser": (),
}
_ALWAYS: Final = ("question", "skill", "task", "todo")
_PATHS: Final = frozenset({*_UNITS["read"], *_UNITS["edit"]})
_BUILT_IN: Final = frozenset({"architect", "ask", "code", "debug", "orchestrator"})
_WHEN: Final = "whenToUse"
_ROLE: Final = "roleDefinition"
_INSTRUCTIONS: Final = "customInstructions"
_TEXTS: Final = (_TITLE, "description", _WHEN, _ROLE, _INSTRUCTIONS)
_WRITTEN: Final = {_TITLE: "name"}
# Group syntax of Python's patterns that JavaScript lacks, and possessive quantifiers.
_NOT_JAVASCRIPT: Final = re.compile(r"\(\?(?![:=!]|<[=!A-Za-z_$])|[*+?}]\+")


_CAPABILITIES: Final = Capabilities(
    units=_UNITS, server_name=lambda pattern: "mcp" if pattern == f"{MCP}{ANY}" else None
)


def _intended(metadata: Mapping[str, JsonValue]) -> Grants:
    rules = _only_servers(_in_groups(metadata, within_files=True), metadata)
    return Grants((*rules, *(Rule(tool, Approval.SESSION) for tool in _ALWAYS)))


def _enforced(document: Document) -> Grants:
    return Grants((*_in_groups(document.metadata, within_files=False), *_CAPABILITIES.denials))


def _in_groups(metadata: Mapping[str, JsonValue], *, within_files: bool) -> list[Rule]:
    """The rules of the groups, each limited to files that match its pattern if such patterns count."""
    rules: list[Rule] = []
    for group, pattern in _groups(metadata.get(_GROUPS)):
        argument = f"{UNTRANSLATED}{pattern}" if pattern and within_files else ANY
        rules += [Rule(tool, Approval.SESSION, argument) for tool in _COVERED.get(group, ())]
    if any(rule.tool in _PATHS for rule in rules):
        rules.append(Rule("external_directory", Approval.SESSION))
    return rules


def _check(fields: Fields) -> None:
    if fields.has(_SERVERS):
        fields.report(Code.NO_EFFECT, f"Roo Code does not read `{_SERVERS}`; Zoo Code does", _SERVERS)
        if _strings(fields.raw(_SERVERS)) is None:
            fields.report(Code.WRONG_TYPE, f"`{_SERVERS}` must be a list of names", _SERVERS)
    value = fields.raw(_GROUPS)
    if not isinstance(value, list):
        fields.report(Code.WRONG_TYPE, "`groups` must be a list; else the file is refused", _GROUPS)
        return
    seen: set[str] = set()
    for item, (group, pattern) in zip(value, _groups(value), strict=True):
        if isinstance(item, str) and item not in _COVERED:
            message = f"the tool has no group `{item}` and refuses a file with it, so it is left out"
            fields.report(Code.UNKNOWN_TOOL, message, _GROUPS)
            fields.respelled = True
        elif group not in _COVERED or group in seen or not _is_valid(item):
            shown = json.dumps(item)
            fields.report(Code.WRONG_TYPE, f"the group {shown} makes the tool refuse the whole file", _GROUPS)
        elif pattern and not (group == "edit" and _file_pattern(item)):
            message = f"the tool ignores the restriction of the group `{group}`"
            fields.report(Code.NO_EFFECT, message, _GROUPS, hint="only `edit` takes a `fileRegex`")
        seen.add(group)


def _own(fields: Fields, keys: frozenset[str]) -> dict[str, JsonValue]:
    """The keys as they are, but for names of groups for which the tool would refuse the file."""
    own = as_they_are(fields, keys)
    groups = own.get(_GROUPS)
    if isinstance(groups, list):
        own[_GROUPS] = [item for item in groups if not isinstance(item, str) or item in _COVERED]
    return own


def _write(agent: Agent, options: WriteOptions) -> Permissions:
    grants = Grants(tuple(rule for rule in agent.grants.rules if rule.tool not in _ALWAYS))
    narrowed = narrow(_with_search(grants), _CAPABILITIES, options)
    groups = [group for group, level in narrowed.units.items() if level]
    if narrowed.servers.get("mcp", narrowed.default):
        groups.append("mcp")
    return {_GROUPS: list[JsonValue](groups)}, [*narrowed.diagnostics, *_beyond(agent.grants, options)]


@dataclass(frozen=True, slots=True)
class _Roo(TableDialect):
    """A schema that refuses the whole file for one key that is not text."""

    def check(self, fields: Fields) -> None:
        for key in _TEXTS:
            if not fields.has(key) or isinstance(fields.peek(key), str):
                continue
            message = f"`{_WRITTEN.get(key, key)}` must be text; else the file is refused"
            if key in (_ROLE, _INSTRUCTIONS):
                fields.report(Code.WRONG_TYPE, message, key)
            else:
                fields.leave_out(key, message)


def _groups(value: JsonValue) -> Iterator[tuple[str, str]]:
    """Each group and its restriction: a pattern of files, or options that the tool does not know and drops."""
    for item in value if isinstance(value, list) else ():
        match item:
            case str():
                yield item, ""
            case [str(group), dict(options)]:
                known = options.keys() <= {"fileRegex", "description"}
                yield group, _file_pattern(item) if known else json.dumps(options, sort_keys=True)
            case _:
                yield json.dumps(item), ""


def _file_pattern(item: JsonValue) -> str:
    """The pattern of the files that a group is limited to; empty where it has none."""
    match item:
        case [str(), {"fileRegex": str(pattern)}]:
            return pattern
        case _:
            return ""


def _is_valid(item: JsonValue) -> bool:
    """Whether the tool accepts a group that is not just a name."""
    if not isinstance(item, list):
        return True
    options = item[1]
    texts = [options.get(key, "") for key in ("fileRegex", "description")] if isinstance(options, dict) else []
    try:
        re.compile(_file_pattern(item).replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!"))
    except (re.error, OverflowError, RecursionError):
        return False
    return all(isinstance(text, str) for text in texts) and not _NOT_JAVASCRIPT.search(_file_pattern(item))


def _strings(value: JsonValue) -> list[str] | None:
    """A list of texts; None for anything else."""
    if not isinstance(value, list):
        return None
    texts = [item for item in value if isinstance(item, str)]
    return texts if len(texts) == len(value) else None


def _only_servers(rules: list[Rule], metadata: Mapping[str, JsonValue]) -> list[Rule]:
    """The rules with all servers replaced by the named ones, where the key names any."""
    servers = _strings(metadata.get(_SERVERS))
    if servers is None:
        return rules
    level = [rule.approval for rule in rules if rule.tool == f"{MCP}{ANY}"]
    others = [rule for rule in rules if rule.tool != f"{MCP}{ANY}"]
    return [*others, *(Rule(f"{MCP}{server}/{ANY}", approval) for approval in level for server in servers)]


def _with_search(grants: Grants) -> Grants:
    """The grants, with searching and listing files allowed wherever reading them is: one group covers all of these."""
    level = min(grants.approvals(READ_COVERS[0]))
    more = [Rule(tool, level) for tool in READ_COVERS[1:] if level > max(grants.approvals(tool))]
    return Grants((*grants.rules, *more))


def _beyond(grants: Grants, options: WriteOptions) -> Iterator[Diagnostic]:
    """Diagnostics for denials of tools that every mode has, whatever its groups."""
    denied = [tool for tool in ("task", "skill") if not min(grants.approvals(tool))]
    if not denied:
        return
    message = f"every mode has {' and '.join(f'`{tool}`' for tool in denied)}: the user's session decides"
    if options.strict_approval and grants.everything_else:
        yield Diagnostic(Code.REFUSED_WIDER, f"{message}, and `strict_approval` is set")
    else:
        yield Diagnostic(Code.UNRESTRICTABLE, message)


def _parse(data: bytes, path: str) -> Document:
    """Read one mode: the one that the path names, or the only one. Its bytes are its canonical form.

    Raises:
        UnreadableError: there is no such mode, or the file cannot be edited.
    """
    _, diagnostics, repaired = decode(data, path)
    try:
        modes = layout(readable(data)).modes
    except UneditableError as error:
        raise UnreadableError(Diagnostic(Code.YAML_INVALID, f"The file of modes: {error.message}.", path)) from error
    if entry := split_path(path)[1]:
        modes = tuple(mode for mode in modes if mode.slug == entry)
    if len(modes) != 1:
        message = f"The file holds {len(modes)} modes, and is read only where it holds one."
        hint = "give each mode a file of its own that begins with `customModes:`"
        raise UnreadableError(Diagnostic(Code.NOT_AN_AGENT, message, path, hint=hint))
    mode = dict(modes[0].value)
    # A missing or empty text stays among the keys, where the checks report it.
    mode[_ROLE] = mode.get(_ROLE) or None
    texts = [str(mode.pop(key)) for key in (_ROLE, _INSTRUCTIONS) if isinstance(mode.get(key), str) and mode[key]]
    metadata: dict[str, JsonValue] = {"name": mode.pop("slug")} if "slug" in mode else {}
    title = mode.pop("name", None) or None
    if title is None or title != metadata.get("name"):
        metadata[_TITLE] = title
    metadata |= mode
    if "description" not in metadata:
        metadata["description"] = metadata.get(_WHEN) or _summary("".join(texts[:1]))
    if metadata.get(_WHEN) == metadata["description"]:
        metadata.pop(_WHEN, None)
    lines = dict.fromkeys(metadata, modes[0].start + 1)
    own = canonical(modes[0].value)
    decode(own, path)  # it may be too large where the file is not, since it has indentation
    return Document(path, metadata, "\n\n".join(texts), lines, repaired, diagnostics, own)


def _summary(role: str) -> str:
    """How the tool describes a mode without `whenToUse` to other modes: by the first sentence of its role."""
    return role.partition(".")[0].strip()


def _format(metadata: Mapping[str, JsonValue], body: str) -> bytes:
    """A file that holds one mode."""
    # Without a description, the tool shows a part of the role as one.
    slug, description = metadata["name"], metadata.get("description", "")
    # People see the description; other modes choose a mode by `whenToUse`.
    chosen_by: dict[str, JsonValue] = {_WHEN: description} if description else {}
    mode: dict[str, JsonValue] = {
        **chosen_by,
        **metadata,
        "description": description,
        "slug": slug,
        "name": metadata.get(_TITLE, slug),
    }
    mode[_ROLE] = body.replace("\r\n", "\n").strip()
    return canonical({key: value for key, value in mode.items() if key != _TITLE})


_ROO: Final = _Roo(
    name="roo",
    title="Roo Code",
    permissions=PermissionCodec(
        keys=frozenset({_GROUPS, _SERVERS}),
        capabilities=_CAPABILITIES,
        intended=_intended,
        enforced=_enforced,
        write=_write,
        check=_check,
        own=_own,
        remedy="leave it to tools that know it",
        lists=ToolLists(absent="refused", null="refused", mistyped="refused", unknown="refused"),
        uses_effects=True,
    ),
    keys={},
    models=Models(key=""),
    native=frozenset({_TITLE, _WHEN}),
    required=("name", "prompt"),
    names=NameRule(reserved=_BUILT_IN),
    title_key=_TITLE,
    invalid=Code.LEFT_OUT,
    format=_format,
)

# Where editors keep the data of extensions: on Linux, macOS and Windows, and on remote machines.
_EDITORS: Final = ("Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf", "Trae")
_DATA: Final = (
    *(
        f"{place}/{editor}"
        for place in (".config", "Library/Application Support", "AppData/Roaming")
        for editor in _EDITORS
    ),
    ".vscode-server/data",
    ".local/share/code-server",
)
_EXTENSIONS: Final = ("zoocodeorganization.zoo-code", "rooveterinaryinc.roo-cline")
_STORED: Final = "User/globalStorage/{}/settings/custom_modes.yaml"


DIALECT: Final = _ROO.dialect(
    suffixes=(".yaml",),
    user_directory=f".config/Code/{_STORED.format(_EXTENSIONS[1])}",
    project_directories=(".roomodes", ".zoomodes"),
    binaries=(),
    review=Review(
        restricted_by="`groups`; calling modes, skills, questions and the list of work are always there",
        handling=(
            "these stay as in the session (`AS313`); `fileRegex` applies only to `edit`, so paths are not "
            "a restriction elsewhere"
        ),
    ),
    version="1.115.0",
    source="https://docs.roocode.com/features/custom-modes",
    parse=_parse,
    # Where VS Code keeps the data of extensions on Linux (its userDataPath.ts).
    environment=(Moved("XDG_CONFIG_HOME", ".config"),),
    notice="a mode's tools ask as the auto-approval settings specify",
    recognition=Recognition(
        sniff=None,
        aliases=("zoo",),
        other_directories=(".roo",),
        not_synced={Kind.RULE: ("/.roorules", "/.roo/rules/"), Kind.MCP: ("/.roo/mcp.json",)},
    ),
    shared=SharedFile(
        entries,
        edited,
        user_files=tuple(f"{data}/{_STORED.format(tool)}" for data, tool in product(_DATA, _EXTENSIONS)),
        project_files=(".zoomodes", ".roomodes"),  # Zoo Code reads the latter only where the former is absent
        readable=readable,
    ),
)
