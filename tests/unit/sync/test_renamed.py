"""Renamed agents, by their text."""

from __future__ import annotations

from agentsync.sync.renamed import find_renamed

LINES = [f"line {number} says what an agent does" for number in range(40)]


def text(*lines: str) -> bytes:
    return "\n".join(("tools: Read", *lines, "")).encode()


def test_a_new_file_is_the_one_that_is_gone_from_its_directory_with_most_of_its_lines() -> None:
    gone = {
        ("/a", "half.md"): text(*LINES[:6], *LINES[20:30]),
        ("/a", "most.md"): text(*LINES[:9]),
        ("/b", "elsewhere.md"): text(*LINES[:10]),
        ("/a", "short.md"): text(),
    }
    assert find_renamed({("/a", "new.md"): text(*LINES[:10])}, gone) == {("/a", "new.md"): ("/a", "most.md")}
    assert find_renamed({("/a", "new.md"): text(*LINES[:3], *LINES[10:14])}, gone) == {}
    assert find_renamed({("/a", "new.md"): text("Short.")}, gone) == {}


def test_lines_that_many_files_have_lead_to_none_of_them() -> None:
    gone = {("/a", f"{number}.md"): text("a line that each of them has", LINES[number]) for number in range(40)}
    assert find_renamed({("/a", "new.md"): text("a line that each of them has")}, gone) == {}
    found = find_renamed({("/a", "new.md"): text("a line that each of them has", LINES[7])}, gone)
    assert found == {("/a", "new.md"): ("/a", "7.md")}
