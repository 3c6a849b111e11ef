"""What golden files of Rovo Dev do not show: lists that it may ignore."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import Approval
from agentsync.dialects import dialects

ROVODEV = dialects()["rovodev"]


def _enforced(keys: str, tool: str) -> Approval:
    text = f"---\nname: a\ndescription: Reviews.\n{keys}\n---\nGo.\n"
    return max(ROVODEV.enforced(ROVODEV.parse(text.encode(), "a.md")).approvals(tool))


@pytest.mark.parametrize("keys", ["", "tools: []", "tools:", "tools: grep", "tools: {grep: true}", "tools: [Read]"])
def test_a_list_that_may_be_ignored_counts_as_absent(keys: str) -> None:
    assert _enforced(keys, "bash") is Approval.SESSION


@pytest.mark.parametrize("keys", ["tools: [grep]", "tools: [grep, Read]", "tools: [delete_file, open_files]"])
def test_a_list_is_complete(keys: str) -> None:
    assert _enforced(keys, "bash") is Approval.DENY
    assert _enforced(keys, "write") is Approval.DENY
