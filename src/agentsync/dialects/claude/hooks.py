"""The form that Claude Code requires of an agent's hooks; an agent with others disappears, without a message.

Source: the schema in the tool itself, version 2.1.332; each refusal was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import AnyUrl, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

_EVENTS: Final = frozenset(
    "PreToolUse PostToolUse PostToolUseFailure PostToolBatch Notification UserPromptSubmit UserPromptExpansion "
    "SessionStart SessionEnd Stop StopFailure SubagentStart SubagentStop PreCompact PostCompact PreModelSwitch "
    "PostModelSwitch PermissionRequest PermissionDenied Setup TeammateIdle TaskCreated TaskCompleted Elicitation "
    "ElicitationResult ConfigChange WorktreeCreate WorktreeRemove InstructionsLoaded CwdChanged FileChanged "
    "DirectoryAdded MessageDisplay".split()
)
"""The events that it knows; it ignores others, whatever is below them."""


class _Part(BaseModel):
    """Part of the hooks: keys that are not named here are ignored, and none may be empty."""

    model_config = ConfigDict(strict=True, extra="ignore")


class _Hook(_Part):
    """What hooks of every type may have."""

    if_: str = Field("", alias="if")
    timeout: float = Field(1, gt=0)
    status: str = Field("", alias="statusMessage")
    once: bool = False


class _Command(_Hook):
    type: Literal["command"]
    command: str
    args: list[str] = []
    shell: Literal["bash", "powershell"] = "bash"
    on_failure: Literal["continue", "block"] = Field("continue", alias="onFailure")
    background: bool = Field(default=False, alias="async")
    rewakes: bool = Field(default=False, alias="asyncRewake")


class _Prompt(_Hook):
    type: Literal["prompt"]
    prompt: str
    model: str = ""
    continues: bool = Field(default=False, alias="continueOnBlock")


class _Agent(_Hook):
    type: Literal["agent"]
    prompt: str
    model: str = ""


class _Http(_Hook):
    type: Literal["http"]
    url: AnyUrl
    headers: dict[str, str] = {}
    variables: list[str] = Field([], alias="allowedEnvVars")


class _Server(_Hook):
    type: Literal["mcp_tool"]
    server: str
    tool: str


class _Entry(_Part):
    matcher: str = ""
    hooks: list[Annotated[_Command | _Prompt | _Agent | _Http | _Server, Field(discriminator="type")]]


@cache
def _entries() -> TypeAdapter[list[_Entry]]:
    return TypeAdapter(list[_Entry])


def malformed(hooks: JsonValue) -> str:
    """What is wrong with the hooks, as a clause; empty where Claude Code loads them."""
    if not hooks and not isinstance(hooks, list):
        return ""
    if not isinstance(hooks, Mapping):
        return "`hooks` must be a map of events to lists of entries"
    for event, entries in hooks.items():
        if event in _EVENTS and entries is not None:
            try:
                _entries().validate_python(entries)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                place = ".".join(map(str, (event, *first["loc"])))
                return f"`hooks.{place}`: {first['msg'][:1].lower()}{first['msg'][1:]}"
    return ""
