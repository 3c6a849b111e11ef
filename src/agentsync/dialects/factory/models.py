"""The models that Factory Droid offers (version 0.215.0, `droid exec --help`), and the efforts that each accepts."""

from __future__ import annotations

from typing import Final

from agentsync.dialects._kit.models import Models

# Effort levels to the models that accept them; only some models know `none` and `off`, so those are not written.
_BY_EFFORTS: Final = {
    "low medium high xhigh max": (
        "claude-fable-5.1 claude-fable-5 claude-opus-5 claude-opus-5-fast claude-opus-4-8 claude-opus-4-8-fast "
        "claude-opus-4-7 claude-opus-4-7-fast claude-sonnet-5 gpt-6-astra gpt-5.6-sol gpt-5.6-sol-fast gpt-5.6-terra "
        "gpt-5.6-luna"
    ),
    "low medium high max": "claude-opus-4-6 claude-opus-4-6-fast claude-sonnet-4-6",
    "low medium high": (
        "claude-opus-4-5-20251101 claude-sonnet-4-5-20250929 claude-haiku-4-5-20251001 gemini-3.1-pro-preview "
        "gemini-3.8-flash gemini-3.7-flash gemini-3.6-flash grok-4.5"
    ),
    "minimal low medium high": "gemini-3.5-flash gemini-3-flash-preview",
    "minimal low medium high xhigh max": "inkling",
    "low medium high xhigh": (
        "gpt-5.5 gpt-5.5-fast gpt-5.4 gpt-5.4-fast gpt-5.4-mini gpt-5.4-mini-fast gpt-5.3-codex gpt-5.3-codex-fast "
        "gpt-5.2 gpt-5.2-codex gpt-5.1-codex-max grok-4.6"
    ),
    "medium high xhigh": "gpt-5.5-pro",
    "low high max": "glm-5.3-flash glm-5.3 kimi-k3 deepseek-v4-flash-0731 deepseek-v4-pro",
    "high max": "glm-5.2",
    "high": "kimi-k2.6 kimi-k2.5 nemotron-3-ultra minimax-m2.7 glm-5.1",
    "": "glm-5 glm-4.7",
}

EFFORTS: Final = {
    model: frozenset(efforts.split()) for efforts, models in _BY_EFFORTS.items() for model in models.split()
}
"""Each model of the catalogue, and the reasoning efforts that it accepts."""

_VENDORS: Final = {"claude-": "anthropic", "gpt-": "openai", "gemini-": "google"}
"""Vendors by the prefix of a model's id; the ids of other vendors' models are Factory's own."""


def _takes(model: str) -> bool:
    vendor, _, identifier = model.partition("/")
    return identifier in EFFORTS and any(identifier.startswith(start) for start, of in _VENDORS.items() if of == vendor)


MODELS: Final = Models(
    inherit="inherit",
    vendors=_VENDORS,
    names={
        "anthropic/opus": "claude-opus-5",
        "anthropic/sonnet": "claude-sonnet-5",
        "anthropic/haiku": "claude-haiku-4-5-20251001",
        "anthropic/claude-opus-4-5": "claude-opus-4-5-20251101",
        "anthropic/claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
        "anthropic/claude-haiku-4-5": "claude-haiku-4-5-20251001",
    },
    takes=_takes,
    takes_effort=lambda model, effort: effort in EFFORTS.get(model, ()),
)
"""Droid's names for models."""
