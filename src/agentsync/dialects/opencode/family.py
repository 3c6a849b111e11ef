"""What OpenCode and its forks share: the keys of an agent, and how its file is found and split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import JsonValue

from agentsync.agents.grants import CHANGING, OTHER
from agentsync.agents.key_effects import Effect, effects_by_key, row
from agentsync.agents.model import MODEL_ALIASES, Mode
from agentsync.agents.patterns import ANY
from agentsync.agents.unattended import SERVERS
from agentsync.core.codes import Code
from agentsync.core.naming import folded_key
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.keys import Key, as_they_are
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects.opencode.permissions import KEYS
from agentsync.formats.document import Document
from agentsync.formats.yaml_types import types_a_value

# Plain keys that YAML 1.1 may read as another type than text, and that JavaScript then turns into a different text.
_RESPELLED_KEY: Final = re.compile(
    rb"(?:^|[{,])[ \t]*(?:\?[ \t]+)?(?!(?:0|-?[1-9][0-9]{0,14})[ \t]*(?::\s|\r?$))"
    rb"(?:[-+]?\.?[0-9][\w.:+-]*?|[-+]?\.(?i:inf|nan)|True|TRUE|False|FALSE|Null|NULL|~)[ \t]*(?::\s|\r?$)",
    re.MULTILINE,
)

_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}")
# Any other colour name keeps OpenCode from starting. The hues are those that Claude Code shows.
_COLORS: Final = {
    **as_they_are("primary secondary accent success warning error info"),
    "#dc2626": "red",
    "#2563eb": "blue",
    "#16a34a": "green",
    "#ca8a04": "yellow",
    "#9333ea": "purple",
    "#ea580c": "orange",
    "#db2777": "pink",
    "#0891b2": "cyan",
}

_TEXTS: Final = ("name", "description", "model", "variant", "mode", "color")
_TYPED: Final = frozenset(
    {*_TEXTS, *KEYS, "temperature", "top_p", "steps", "maxSteps", "hidden", "disable", "prompt", "options"}
)


class _Color(Key):
    """A colour of the theme, or any other by its number."""

    __slots__ = ()

    def value(self, fields: Fields, key: str) -> str | None:
        color = fields.text(key)
        if color is not None and color not in self.words and not _HEX.fullmatch(color):
            fields.wrong_type(key, "#rrggbb or a theme colour")
        return str(self.words.get(color, color)) if color else None

    def knows(self, value: JsonValue) -> Iterable[bool]:
        return () if isinstance(value, str) and _HEX.fullmatch(value) else Key.knows(self, value)

    def spell(self, value: object) -> JsonValue:
        return value if isinstance(value, str) and _HEX.fullmatch(value) else Key.spell(self, value)


def keys(*turns: str) -> dict[str, Key]:
    """The table of keys.

    Args:
        turns: the keys of the turn limit; the first is written, and the first that is present counts.
    """
    return {
        "mode": Key("mode", words=as_they_are("subagent primary all")),
        "effort": Key("reasoningEffort"),
        "temperature": Key("temperature", "number"),
        "top_p": Key("top_p", "number"),
        "max_turns": Key(turns[0], "count", synonyms=turns),
        "color": _Color("color", words=_COLORS),
        "hidden": Key("hidden", "flag"),
        "disabled": Key("disable", "flag"),
    }


# Catalogues have the ids by provider (models.dev, November 2026).
ANTHROPIC: Final = (
    "claude-fable-5 claude-fable-5-1 claude-haiku-4-5 claude-haiku-4-5-20251001 claude-opus-4-5 "
    "claude-opus-4-5-20251101 claude-opus-4-6 claude-opus-4-7 claude-opus-4-8 claude-opus-5 claude-opus-5-5 "
    "claude-sonnet-4-5 claude-sonnet-4-5-20250929 claude-sonnet-4-6 claude-sonnet-5"
)
GOOGLE: Final = (
    "gemini-2.5-flash gemini-2.5-flash-lite gemini-2.5-pro gemini-3-flash-preview gemini-3.1-flash-lite "
    "gemini-3.1-pro-preview gemini-3.5-flash gemini-3.5-flash-lite gemini-3.6-flash gemini-3.7-flash "
    "gemini-3.8-flash gemini-flash-latest gemini-flash-lite-latest"
)


def models(catalogue: Mapping[str, str]) -> Models:
    """The table of models.

    Args:
        catalogue: the ids that the tool knows, by provider. Any other model is left out, since an agent with an unknown
            model fails.
    """
    known = {f"{provider}/{model}" for provider, ids in catalogue.items() for model in ids.split()}
    return Models(
        names={
            "anthropic/opus": "anthropic/claude-opus-5-5",
            "anthropic/sonnet": "anthropic/claude-sonnet-5",
            "anthropic/haiku": "anthropic/claude-haiku-4-5",
        },
        bare=False,
        takes=known.__contains__,
        # The effort is an option of the provider, and only OpenAI accepts these values.
        takes_effort=lambda model, _effort: model.startswith("openai/"),
    )


UNASKED: Final = CHANGING - {"external_directory"} | {SERVERS, f"{OTHER}{ANY}"}
"""What runs without asking where nobody configured anything, as `opencode debug agent` shows."""


_REACHING: Final = frozenset("mcpservers baseurl headers".split())


def _reaches_nobody(value: JsonValue) -> bool:
    """Whether options for a model's provider name no server or address."""
    if isinstance(value, dict):
        return not any(folded_key(key) in _REACHING for key in value) and all(map(_reaches_nobody, value.values()))
    return not isinstance(value, list) or all(map(_reaches_nobody, value))


EFFECTS: Final = effects_by_key(row("options", Effect.OPENS_ADDRESS, unless=_reaches_nobody))
"""By folded key. A key that the tool does not know is such an option, too."""


@dataclass(frozen=True, slots=True)
class Family(TableDialect):
    """OpenCode, or a fork of it: a loader that wants each value in its type.

    Attributes:
        empties: the keys that may lack a value; an empty value of any other key keeps the file from loading.
    """

    native: frozenset[str] = frozenset({"options", "variant"})
    required: tuple[str, ...] = ()
    name_key: Literal["checked", "free", "ignored"] = "ignored"
    mode: Mode | None = None
    invalid: Code = Code.LEFT_OUT
    empties: frozenset[str] = frozenset()

    def model(self, fields: Fields) -> str | None:
        model = fields.text("model")
        if model is None or "/" in model:
            return model
        hint = "leave the key out to inherit" if model == "inherit" else "write `provider/id`"
        fields.leave_out("model", f"model `{model}` has no provider", hint)
        alias = f"anthropic/{model}"
        return alias if alias in MODEL_ALIASES else None

    def loads(self, document: Document) -> bool:
        """Whether the tool reads the same keys, each with a value that it accepts.

        It ends the frontmatter at any line that starts with three dashes, and requires text values to be text.
        """
        head = document.data.removesuffix(document.body.encode())
        empty = {key for key, value in document.metadata.items() if value is None}
        return (
            head.count(b"\n---") == 1
            and not _RESPELLED_KEY.search(head)
            and not types_a_value(head.decode(errors="replace"), _TEXTS)
            and not empty & _TYPED - self.empties
        )
