"""A model of the target's own vendor is written, whether or not a table has it."""

from __future__ import annotations

import pytest

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from support.conversion import read

CODES = {Code.MODEL_UNKNOWN, Code.MODEL_UNLISTED}


@pytest.mark.parametrize(
    ("target", "model", "written", "code"),
    [
        ("claude", "anthropic/claude-sonnet-9", "claude-sonnet-9", Code.MODEL_UNLISTED),
        ("claude", "anthropic/claude-sonnet-4-20250514", "claude-sonnet-4-20250514", None),
        ("claude", "anthropic/sonnet", "sonnet", None),
        ("claude", "openai/gpt-6.2-sol", "inherit", Code.MODEL_UNKNOWN),
        ("codex", "openai/gpt-6.9-sol", "gpt-6.9-sol", Code.MODEL_UNLISTED),
        ("codex", "anthropic/sonnet", None, Code.MODEL_UNKNOWN),
        ("gemini", "google/gemini-9-pro", "gemini-9-pro", Code.MODEL_UNLISTED),
        ("gemini", "anthropic/claude-sonnet-9", "inherit", Code.MODEL_UNKNOWN),
        ("opencode", "anthropic/claude-sonnet-9", None, Code.MODEL_UNKNOWN),
        ("copilot", "openai/gpt-9", None, Code.MODEL_UNKNOWN),
    ],
)
def test_a_model_of_the_vendor_is_written(target: str, model: str, written: str | None, code: Code | None) -> None:
    data = f"---\nname: checker\ndescription: Checks\nmodel: {model}\n---\nCheck it with care.\n".encode()
    file = render(read("checker.md", data, "neutral"), dialects()[target], WriteOptions())
    assert file.document is not None
    assert file.document.metadata.get("model") == written
    assert {one.code for one in file.diagnostics} & CODES == ({code} - {None})


def test_a_table_of_the_users_own_takes_precedence() -> None:
    data = b"---\nname: checker\ndescription: Checks\nmodel: openai/gpt-9\n---\nCheck it with care.\n"
    options = WriteOptions(models={"openai/gpt-9": "gpt-5.5"})
    file = render(read("checker.md", data, "neutral"), dialects()["codex"], options)
    assert file.document is not None
    assert file.document.metadata["model"] == "gpt-5.5"
    assert not {one.code for one in file.diagnostics} & CODES
