"""Cline CLI: YAML frontmatter and instructions in a `.yaml` file, and one list of tools.

Facts: https://github.com/cline/cline (sdk/packages/core), and the tool itself, version 3.0.65 (November 2026). A value
of a wrong type makes Cline skip the file.

Cline asks the user before it starts an agent, and for nothing that the agent does then, whatever the user's settings.
Session approval means that here; tools that need approval in the source are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import CHANGING, Approval, Grants, Rule
from agentsync.agents.key_effects import Effect, effects_by_key, row
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Kind, Moved, NameRule, Recognition, Review, ToolLists, Writing
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects._kit.tool_names import ToolNames, listed
from agentsync.formats.document import Document
from agentsync.formats.yaml_types import types_a_name, types_a_value

_TOOLS: Final = ToolNames(
    written={
        "read_files": ("read",),
        "search_codebase": ("grep",),
        "run_commands": ("bash",),
        "fetch_web_content": ("webfetch",),
        # The session's model determines which of two tools edits files.
        "editor": ("write", "edit"),
        "ask_question": ("question",),
    },
    read={
        "apply_patch": ("write", "edit"),
        "apply_diff": ("write", "edit"),
        "replace_in_file": ("write", "edit"),
        "write_to_file": ("write", "edit"),
        "read_file": ("read",),
        "search_files": ("grep",),
        "list_code_definition_names": ("grep",),
        "bash": ("bash",),
        "execute_command": ("bash",),
        "list_files": ("bash",),
        "skills": (),
        "use_skill": (),
        "submit_and_exit": (),
        "attempt_completion": (),
    },
    everything=frozenset(),
    folds=True,
)
_LISTS_FILES: Final = "list_files"
"""The name of a former tool, for which Cline gives an agent the whole shell."""

_TEXTS: Final = ("name", "description", "providerId", "modelId")


@dataclass(frozen=True)
class _Tools(ToolList):
    """The list of tools, and a list of skills, without which an agent does not get the tool for them."""

    @cached_property
    def capabilities(self) -> Capabilities:
        return Capabilities(units=self.tools.written, asks=CHANGING)

    def enforced(self, document: Document) -> Grants:
        metadata = document.metadata
        granted = self.tools.granted(filter(self.tools.is_known, self._names(metadata)))
        # A name also means skills of that name in any plugin.
        skills = [Rule("skill", Approval.SESSION)] if "skills" in metadata else []
        return Grants((*granted, *self.capabilities.denials, *skills))

    def intended_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        names = (name for name in self._names(metadata) if name.lower() != _LISTS_FILES)
        return [*self.tools.intended(names), *_skills(metadata)]

    def _names(self, metadata: Mapping[str, JsonValue]) -> list[str]:
        """The tools of an agent; it has no others without a list, and no tools of servers."""
        return [*listed(metadata["tools"])] if "tools" in metadata else list(self.tools.written)

    def check(self, fields: Fields) -> None:
        if any(name.lower() == _LISTS_FILES for name in listed(fields.peek("tools"))):
            message = f"for `{_LISTS_FILES}`, Cline gives an agent the whole shell"
            fields.report(Code.NO_EFFECT, message, "tools", hint="write `search_codebase`")

    def write(self, agent: Agent, options: WriteOptions) -> Permissions:
        narrowed = narrow(agent.grants, self.capabilities, options)
        diagnostics = list(narrowed.diagnostics)
        asked = [unit for unit, level in narrowed.units.items() if level is Approval.ASK]
        if asked:
            shown = ", ".join(f"`{unit}`" for unit in asked)
            message = f"left out, since Cline asks for nothing that an agent does: {shown}"
            diagnostics.append(Diagnostic(Code.TOOL_LOST, message))
        names = [unit for unit, level in narrowed.units.items() if level and unit not in asked]
        if "editor" in names:
            names.insert(names.index("editor") + 1, "apply_patch")
        return {"tools": list[JsonValue](names)}, diagnostics


@dataclass(frozen=True, slots=True)
class _Cline(TableDialect):
    """A schema that refuses empty values, and skills that bring a tool."""

    def check(self, fields: Fields) -> None:
        if fields.has("skills") and fields.peek("skills") is None:
            fields.report(Code.WRONG_TYPE, "`skills` is empty, so Cline skips the file", "skills")
        for key in (*_TEXTS, "maxIterations"):
            value = fields.peek(key)
            if fields.has(key) and (value is None or (key in _TEXTS and isinstance(value, str) and not value.strip())):
                fields.leave_out(key, f"`{key}` is empty, so Cline skips the file")
        if isinstance(fields.peek("skills"), str | list) and not [*listed(fields.peek("skills"))]:
            message = "`skills` names no skill, which Cline reads as every skill there is"
            fields.report(Code.WRONG_DIALECT, message, "skills", hint="leave the key out, or name a skill")

    def loads(self, document: Document) -> bool:
        head = document.data.decode(errors="replace").removesuffix(document.body)
        names = [name for key in ("tools", "skills") for name in listed(document.metadata.get(key))]
        return not types_a_value(head, _TEXTS) and not types_a_name(head, names)

    def write(self, agent: Agent, options: WriteOptions) -> Writing:
        may_use_skills = min(agent.grants.approvals("skill")) >= Approval.SESSION
        named = any(skill.strip() for skill in agent.skills)
        if agent.dialect == self.name or not agent.skills or (may_use_skills and named):
            return TableDialect.write(self, agent, options)
        writing = TableDialect.write(self, agent.model_copy(update={"skills": ()}), options)
        message = "left out, since naming them would bring a tool that the agent may not use: skills"
        return Writing(writing.data, (*writing.diagnostics, Diagnostic(Code.FIELD_LOST, message)))


def _skills(metadata: Mapping[str, JsonValue]) -> Iterator[Rule]:
    """The intended rules for skills: those that the list names, without patterns."""
    names = (name for name in listed(metadata.get("skills")) if not set(name) & set("*?"))
    return (Rule("skill", Approval.SESSION, name) for name in names)


_CLINE: Final = _Cline(
    name="cline",
    title="Cline",
    permissions=_Tools(_TOOLS, ToolLists(null="refused", mistyped="refused")).codec,
    keys={"skills": Key("skills", "names"), "max_turns": Key("maxIterations", "count")},
    # Ids of the session's provider; one with a slash is a gateway's.
    models=Models(key="modelId", vendors={"claude-": "anthropic", "gpt-": "openai", "gemini-": "google"}, opaque="/"),
    native=frozenset({"providerId"}),
    required=("name", "description", "prompt"),
    names=NameRule(slugs=False),
    invalid=Code.LEFT_OUT,
)


DIALECT: Final = _CLINE.dialect(
    suffixes=(".yaml", ".yml"),
    user_directory=".cline/agents",
    project_directories=(".cline/agents",),
    binaries=("cline",),
    review=Review(
        restricted_by="`tools`; it asks before it starts an agent, and for nothing that the agent does then",
        handling="tools that need approval in the source are left out",
    ),
    version="3.0.65",
    source="https://github.com/cline/cline/tree/main/sdk/packages/core",
    environment=(Moved("CLINE_DIR", ".cline"),),
    never_asks=True,
    effects=effects_by_key(row("providerid", Effect.CHANGES_MODEL)),
    notice="it asks before it starts an agent, and for nothing that the agent does then",
    recognition=Recognition(
        not_synced={Kind.RULE: ("/.clinerules", "/.clinerules/")},
    ),
)
