"""Suggestions for misspelt names."""

from __future__ import annotations

import pytest

from agentsync.core.suggest import nearest

NAMES = ["mcpServers", "tools", "disallowedTools", "permissionMode", "maxTurns", "model"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mcps", "mcpServers"),
        ("tool", "tools"),
        ("disallowed_tools", "disallowedTools"),
        ("dissallowedTool", "disallowedTools"),
        ("permision-mode", "permissionMode"),
        ("m", ""),
        ("category", ""),
        ("tools" * 20, ""),
    ],
)
def test_a_misspelt_name_is_taken_for_the_one_that_is_like_it(name: str, meant: str) -> None:
    assert nearest(name, NAMES) == meant
    assert nearest(name, []) == ""
