"""What Claude Code makes of an agent's lists of tools, where that may not be what its author expects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import OTHER
from agentsync.core.codes import Code
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects.claude.lists import is_detached, parsed_list
from agentsync.dialects.claude.tool_names import OWN, RETIRED, TOOLS, canonical, denied_by_tool, server_pattern

_ALLOWED: Final = "tools"
_DENIED: Final = "disallowedTools"


def check_lists(fields: Fields) -> None:
    """Report values of `tools` and `disallowedTools`, and names in them, that Claude Code reads in another way."""
    value = fields.raw(_ALLOWED)
    if fields.has(_ALLOWED) and (value is None or isinstance(value, dict)):
        kind = "a map" if value is not None else "nothing"
        fields.report(Code.TOOLS_NONE, f"`tools` holds {kind}, which Claude Code reads as no tools at all", _ALLOWED)
    elif not _is_flat(value):
        fields.report(Code.INVALID_VALUE, "`tools` must be a list of names", _ALLOWED)
    for key in (_ALLOWED, _DENIED):
        names = list(dict.fromkeys(name for name, _ in parsed_list(fields.raw(key))))
        _check_retired(fields, key, [name for name in names if name in RETIRED])
        for name in names:
            _check_name(fields, key, name)
    _check_arguments(fields)
    own = [name for name, _ in parsed_list(fields.raw(_ALLOWED)) if name in OWN]
    if own:
        message = f"only Claude Code has {_listed(own)}, so agents of other tools do without"
        fields.report(Code.OWN_TOOL, message, _ALLOWED)
    if not _is_flat(fields.raw(_DENIED)):
        message = "`disallowedTools` must be a list of names; Claude Code ignores it"
        fields.report(Code.WRONG_TYPE, message, _DENIED)


def _check_retired(fields: Fields, key: str, names: list[str]) -> None:
    """Report all names of earlier releases in a list by one diagnostic."""
    if not names:
        return
    code, verb = (Code.UNKNOWN_TOOL, "grants") if key == _ALLOWED else (Code.NO_EFFECT, "denies")
    successors = [f"{RETIRED[name]} took the place of `{name}`" for name in names if RETIRED[name]]
    message = "; ".join([f"Claude Code no longer has {_listed(names)}, so that {verb} nothing", *successors])
    fields.report(code, message, key, hint="name the tools that there are now, or remove the names")


def _check_name(fields: Fields, key: str, name: str) -> None:
    """Report a name that Claude Code drops, though it is of no earlier release."""
    read = canonical if key == _ALLOWED else denied_by_tool
    if is_detached(name):
        message = f"`{name}` is separated from a tool's name, so Claude Code drops it and gives the whole tool"
        hint = "name the tool alone; arguments restrict nothing in a list"
        fields.report(Code.NO_EFFECT, message, key, hint=hint)
    elif name in OWN or name in RETIRED or not read(name).startswith(OTHER):
        return
    elif server_pattern(name) is not None:
        verb = "grants" if key == _ALLOWED else "denies"
        hint = "name each tool, or the whole server as `mcp__server`"
        fields.report(Code.UNKNOWN_TOOL, f"the pattern `{name}` {verb} nothing in Claude Code", key, hint=hint)
    else:
        fields.report(Code.UNKNOWN_TOOL, f"Claude Code has no tool `{name}` and drops it", key)


def _check_arguments(fields: Fields) -> None:
    """Report all arguments of tools in `tools` by one diagnostic, but for the names of agents that may be called.

    Claude Code gives the whole tool for `Bash(git diff:*)`, `Read(src/**)`, `Edit(docs/**)`, `WebFetch(domain:x.org)`
    and `Skill(x)` (seen in agents that were really started).
    """
    listed = [
        f"{name}({', '.join(arguments)})"
        for name, arguments in parsed_list(fields.raw(_ALLOWED))
        if arguments and TOOLS.get(name, "task") != "task"
    ]
    if listed:
        verb = "restrict" if len(listed) > 1 else "restricts"
        message = f"{_listed(listed)} {verb} nothing: Claude Code ignores arguments here, and gives the whole tool"
        hint = "name the tool alone or leave it out; hooks of the agent can refuse single calls"
        fields.report(Code.NO_EFFECT, message, _ALLOWED, hint=hint)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))


def _is_flat(value: JsonValue) -> bool:
    return (
        value is None or isinstance(value, str) or (isinstance(value, list) and all(isinstance(i, str) for i in value))
    )
