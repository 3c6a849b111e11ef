"""Files that are wrong in one way each are repaired so that the tools load them, or refused with a code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conformance import samples
from conformance.oracle import TOOLS
from conformance.sync import Synced

# An agent without any tool cannot be kept from reading in Codex.
_REFUSED_ALL_THE_SAME = {
    (name, "codex"): {"AS309"} for name in ("tools-empty-list.md", "tools-map-in-claude.md", "tools-null.md")
}


def test_a_file_that_should_load_is_written_unless_a_tool_cannot_restrict_it(
    shared: Path, synced: Callable[[str], Synced]
) -> None:
    result = synced("synthetic")
    loading = [name for name, load in samples.expectations(shared).items() if load is True]

    missing = {
        (name, tool): result.codes(samples.synthetic_path(name), "error", tool)
        for name in loading
        for tool in TOOLS
        if samples.synthetic_path(name) not in result.sources(tool)
    }

    assert missing == _REFUSED_ALL_THE_SAME


def test_a_file_that_should_not_load_is_refused_with_a_code(shared: Path, synced: Callable[[str], Synced]) -> None:
    result = synced("synthetic")
    refused = [name for name, load in samples.expectations(shared).items() if load is False]

    written = {name for name in refused for tool in TOOLS if samples.synthetic_path(name) in result.sources(tool)}
    silent = {name for name in refused if not result.codes(samples.synthetic_path(name), "error")}

    assert (written, silent) == (set(), set())
