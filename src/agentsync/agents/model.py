"""The canonical agent that every dialect reads into and writes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agentsync.agents.grants import EVERYTHING, Grants

Mode = Literal["subagent", "primary", "all"]

NEUTRAL = "neutral"
"""The dialect of agentsync itself. Its sections for a target use that target's own terms."""

# Model names. A canonical model is `provider/id`; these ids represent the vendor's current model of that size,
# so that `sonnet` in one tool can become the newest Sonnet that another tool has.
MODEL_ALIASES = frozenset({"anthropic/opus", "anthropic/sonnet", "anthropic/haiku"})


class Agent(BaseModel):
    """An agent in terms that belong to no tool.

    Attributes:
        name: as its author wrote it.
        slug: the name of its files.
        own_slug: what that is without the name of a plugin in front; empty where there is none.
        dialect: the dialect of its source file.
        prompt: the instructions, byte for byte as they follow the frontmatter.
        filled: the words in the prompt, each as `${word}`, that the source's own tool replaces by a value.
        grants: its permissions; one ordered list for the keys that tools call tools, disallowedTools and permission.
        own_permissions: the source keys of `grants`, as written, for writing the agent in its own dialect.
        model: `provider/id`, a member of MODEL_ALIASES, or None to inherit.
        effort: minimal, low, medium, high, xhigh or max, or a budget in tokens.
        max_turns: the most turns that it may take.
        mode: subagent, primary or all; None where the tool has no modes.
        mcp_servers, hooks: as written in the source, since each tool has its own form.
        tags: words by which agents are selected.
        targets: overrides for each dialect; overrides.py explains them.
        native: known keys of the source's own dialect that have no meaning elsewhere.
        unknown: keys that no tool knows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    slug: str
    own_slug: str = ""
    description: str
    dialect: str
    prompt: str = ""
    filled: tuple[str, ...] = ()
    grants: Grants = EVERYTHING
    own_permissions: Mapping[str, JsonValue] = Field(default_factory=dict)
    model: str | None = None
    effort: str | int | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_turns: int | None = Field(default=None, gt=0)
    mode: Mode | None = None
    hidden: bool | None = None
    disabled: bool | None = None
    color: str | None = None
    skills: tuple[str, ...] = ()
    mcp_servers: JsonValue = None
    hooks: JsonValue = None
    memory: str | None = None
    background: bool | None = None
    isolation: str | None = None
    initial_prompt: str | None = None
    tags: tuple[str, ...] = ()
    targets: Mapping[str, Mapping[str, JsonValue]] = Field(default_factory=dict)
    native: Mapping[str, JsonValue] = Field(default_factory=dict)
    unknown: Mapping[str, JsonValue] = Field(default_factory=dict)

    @property
    def slugs(self) -> tuple[str, ...]:
        """The names by which patterns and policies know it."""
        return (self.slug, self.own_slug) if self.own_slug else (self.slug,)
