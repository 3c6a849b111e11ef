"""A repository's manifest."""

from __future__ import annotations

import pytest

from agentsync.core.errors import ConfigError
from agentsync.repository.manifest import Manifest, read_manifest


def test_an_empty_manifest_changes_nothing() -> None:
    assert read_manifest(b"") == Manifest()


def test_a_byte_order_mark_before_a_manifest_changes_nothing() -> None:
    assert read_manifest(b"\xef\xbb\xbf[agents]\nexclude = ['x']\n").agents.exclude == ("x",)


def test_a_manifest_names_files_dialects_and_models() -> None:
    text = b"""version = 1
[agents]
include = ["agents/**"]
exclude = ["agents/old/"]
dialects = { "agents/oc/**" = "opencode" }
[models.codex]
"anthropic/opus" = "gpt-5.2"
"""
    manifest = read_manifest(text)
    assert manifest.agents.include == ("agents/**",)
    assert manifest.agents.exclude == ("agents/old/",)
    assert manifest.agents.dialects == {"agents/oc/**": "opencode"}
    assert manifest.models == {"codex": {"anthropic/opus": "gpt-5.2"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[agents]\nexlude = []\n", "agentsync.toml:2: unknown key `agents.exlude`"),
        (b'[agents.dialects]\n"**" = "cluade"\n', "there is no dialect `cluade`"),
        (b"version = 2\n", "`version`"),
        (b"\xff\xfe\n", "not valid TOML"),
        (b"a = " + b"[" * 20_000, "nested too deeply"),
        (b".".join([b"a"] * 20_000) + b" = 1", "nested too deeply"),
        (b"[overrides.x]\ntemperature = inf\n", "`temperature` must be a number"),
    ],
)
def test_a_mistake_is_reported(text: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_manifest(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[overrides.x]\ndescription = 'a\u202eb'\n", "U+202E cannot be seen"),
        ('[overrides.x]\ndescription = "a\\u200bb"\n', "U+200B cannot be seen"),
        ('[overrides.x]\ndescription = "a\\u001bb"\n', "an escape represents the control character U+001B"),
        (f"[overrides.x]\ndescription = '{'ghp_' + 'a1B2' * 10}'\n", "this looks like a GitHub token"),
    ],
)
def test_text_that_is_refused_in_an_agent_is_refused_in_an_override(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_manifest(text.encode())
    assert error.value.message == message
    assert error.value.place in ("agentsync.toml:1", "agentsync.toml:2")
