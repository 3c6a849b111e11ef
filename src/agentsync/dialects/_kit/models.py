"""A tool's names of models, and the canonical models that they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from agentsync.agents.model import MODEL_ALIASES, Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._kit.fields import UNKNOWN_VENDOR, known_vendor, model_name


@dataclass(frozen=True, slots=True)
class Models:
    """How a tool names models.

    Attributes:
        key: the key for the model; empty where an agent cannot choose its model.
        inherit: the word for the session's own model; empty where leaving the key out means that.
        vendors: prefixes of bare ids, and the vendor of each.
        names: canonical models that the tool has a name of its own for; the first of two with one name is read.
        bare: whether ids are written without their vendor.
        takes: whether the tool accepts a canonical model that is not in `names`. Aliases such as `anthropic/sonnet`
            (`MODEL_ALIASES` in agents/model.py) are no ids, so a tool that accepts any id does not take these.
        vendor: the vendor of whose models the tool takes any id, so that one in no table is written, and reported.
        opaque: characters of ids that belong to no vendor, such as the slash in those of a gateway.
        takes_effort: whether the tool accepts a reasoning effort for a model, by its own name of the model; an empty
            name is the session's model.
    """

    key: str = "model"
    inherit: str = ""
    vendors: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    bare: bool = True
    takes: Callable[[str], bool] = lambda _model: False
    vendor: str = ""
    opaque: str = ""
    takes_effort: Callable[[str, str | int], bool] = lambda _model, _effort: True

    def knows(self, value: JsonValue) -> Iterable[bool]:
        """One True for a word that only a tool with this table is likely to use, one False where it takes no such."""
        if not isinstance(value, str):
            return ()
        named = bool(self.inherit) and value == self.inherit
        if named or value in self.names.values() or value.startswith(tuple(self.vendors)):
            return (True,)
        if not self.bare and value != "inherit":
            return ("/" in value,)
        return ()

    def read(self, value: str | None) -> str | None:
        """The canonical model of the tool's word for it; None to inherit."""
        if value is None or value in ("inherit", self.inherit):
            return None
        if set(value) & set(self.opaque):
            return f"{UNKNOWN_VENDOR}/{value}"
        named = [model for model, name in self.names.items() if name == value]
        exact = value if "/" in value else known_vendor(value, self.vendors)
        # An id is more specific than an alias that is written as the same word.
        is_id = not exact.startswith(f"{UNKNOWN_VENDOR}/")
        return next((model for model in named if not (is_id and model in MODEL_ALIASES)), exact)

    def write(self, agent: Agent, dialect: str, options: WriteOptions) -> tuple[str | None, list[Diagnostic]]:
        """The tool's word for an agent's model; None to leave the key out."""
        if not self.key:
            lost = [Diagnostic(Code.FIELD_LOST, "left out, having no place here: model")] if agent.model else []
            return None, lost
        own = agent.dialect == dialect
        model, diagnostics = model_name(agent, options, self.names, lambda model: own or self.takes(model))
        if model is None and agent.model and self._is_of_vendor(agent.model):
            model = agent.model
            message = f"model `{model.partition('/')[2]}` is in no table, and written as it is"
            diagnostics = [Diagnostic(Code.MODEL_UNLISTED, message)]
        if model is None:
            return self.inherit or None, diagnostics
        if model in {*options.models.values(), *self.names.values()}:  # in the tool's own words
            return model, diagnostics
        vendor, _, identifier = model.partition("/")
        return (identifier if identifier and (self.bare or vendor == UNKNOWN_VENDOR) else model), diagnostics

    def _is_of_vendor(self, model: str) -> bool:
        """Whether a canonical model is an id of the tool's own vendor; an alias is none."""
        return bool(self.vendor) and model.startswith(f"{self.vendor}/") and model not in MODEL_ALIASES
