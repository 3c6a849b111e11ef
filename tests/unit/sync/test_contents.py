"""The bytes of wanted files: more than there is memory for, and no space for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsync.core.errors import StateError
from agentsync.sync.contents import ContentStore
from agentsync.targets.change import Wanted

FILES = [bytes([number]) * (1 << 20) for number in range(20)]


def wanted(digest: str) -> Wanted:
    return Wanted(digest, "a", "claude", "team", "a.md", "c", "b")


def test_more_than_there_is_memory_for_is_read_back_from_a_file_without_a_name(tmp_path: Path) -> None:
    contents = ContentStore((), (), tmp_path)
    digests = [contents.keep(data) for data in [*FILES, *FILES]]
    assert [contents.of(wanted(digest)) for digest in digests] == [*FILES, *FILES]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_kept_ends_in_an_error_of_the_state(tmp_path: Path) -> None:
    contents = ContentStore((), (), tmp_path / "missing")
    with pytest.raises(StateError, match=r"missing: .* cannot be kept until then: No such file"):
        list(map(contents.keep, FILES))
